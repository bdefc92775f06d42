"""epay's api.php: what a merchant's server asks with `act`, authenticated by `key` or by `sign`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from checkout import store
from checkout.beijing import DAY_S, midnight
from checkout.model.merchants import Merchant
from checkout.protocols._epay_answer import (
    NOT_AUTHENTIC,
    OTHER,
    Spoken,
    described,
    payment_page,
)
from checkout.protocols._epay_refunds import refunded
from checkout.protocols._epay_request import DIALECTS, is_signed, meant, merchant_of, parameters
from checkout.signing import same_secret
from checkout.web import parts

_COUNT = re.compile(r"[0-9]{1,9}")
_MOST, _USUAL = 50, 20

Values = Mapping[str, str]


def answer() -> Mapping[str, Any]:
    values = parameters()
    merchant = merchant_of(values)
    keys = merchant.keys(parts().clock())
    has_key = any([same_secret(values.get("key", ""), key) for key in keys])
    if not has_key and not is_signed(values, keys):
        raise Spoken(NOT_AUTHENTIC, "商户密钥(key)或签名(sign)错误")
    act = _ACTS.get(values.get("act", ""))
    if act is None:
        raise Spoken(OTHER, "不支持的操作(act)，可用：order、orders、query、settle、refund")
    return act(values, merchant)


def _order(values: Values, merchant: Merchant) -> dict[str, Any]:
    """`trade_status` only when paid: some shops look for nothing else."""
    with parts().store.read() as db:
        order = meant(db, values, merchant)
        found = {"code": 1, "msg": "查询订单号成功！", **described(db, order), "payurl": payment_page(order)}
    return {**found, "trade_status": "TRADE_SUCCESS"} if found["status"] else found


def _orders(values: Values, merchant: Merchant) -> dict[str, Any]:
    limit = min(_number(values, "limit", _USUAL), _MOST)
    offset = _number(values, "offset", (max(_number(values, "page", 1), 1) - 1) * limit)
    with parts().store.read() as db:
        page = store.merchant_orders.page(db, merchant.id, DIALECTS, limit=limit, offset=offset)
        found = [described(db, order) for order in page]
    return {
        "code": 1,
        "msg": "查询订单列表成功！",
        "count": len(found),
        "data": found,
    }


def _query(values: Values, merchant: Merchant) -> dict[str, Any]:
    """There is no balance: the money went to the owner's own wallet. Shops know the counts by two names."""
    now = parts().clock()
    morning = midnight(now)
    with parts().store.read() as db:
        total = store.merchant_orders.count(db, merchant.id)
        today = store.merchant_orders.count(db, merchant.id, since=morning)
        lastday = store.merchant_orders.count(db, merchant.id, since=morning - DAY_S, until=morning)
    return {
        "code": 1,
        "msg": "查询商户信息成功！",
        "pid": merchant.id,
        "active": 1 if merchant.disabled_at is None else 0,
        "money": "0.00",
        "type": 0,
        "account": "",
        "username": merchant.name,
        "orders": total,
        "orders_today": today,
        "orders_lastday": lastday,
        "order_today": today,
        "order_lastday": lastday,
    }


def _settle(values: Values, merchant: Merchant) -> dict[str, Any]:
    return {"code": 1, "msg": "款项直接进入收款账户，没有结算记录", "count": 0, "data": []}


def _refund(values: Values, merchant: Merchant) -> dict[str, Any]:
    with parts().store.read() as db:
        order = meant(db, values, merchant)
    return {"code": 1, **refunded(order, values, merchant)}


_ACTS: dict[str, Callable[[Values, Merchant], dict[str, Any]]] = {
    "order": _order,
    "orders": _orders,
    "query": _query,
    "settle": _settle,
    "refund": _refund,
}


def _number(values: Values, name: str, usual: int) -> int:
    text = values.get(name, "")
    if not text:
        return usual
    if not _COUNT.fullmatch(text):
        raise Spoken(OTHER, f"参数{name}必须是整数")
    return int(text)

"""What vmq and GOGO have in common: the envelope, the checks in their order, the answers.

Source: the documents of V免签 and GOGO支付, and clients of both. Errors are always HTTP 200 with a sentence in
Chinese, as their clients show it to people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, json as flask_json

from checkout import orders, store
from checkout.accounts import is_online
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows
from checkout.model import DeliveryState, Merchant, Mode, Order, State
from checkout.money import fen, yuan
from checkout.signing import signed_by
from checkout.web import BadField, check_merchant_url, is_known_host, parts, url_for_buyers

METHODS = {"1": "wechat", "2": "alipay"}
TYPES = {"wechat": 1, "alipay": 2}
_GUARDED_PARAM = re.compile(r"[12][0-9.]*")
_SUGGESTION = "checkout merchant set {id} --mode compat"

SENTENCES = {
    Code.BAD_SIGNATURE: "签名错误",
    Code.BAD_AMOUNT: "订单金额格式错误",
    Code.ZERO_AMOUNT: "订单金额必须大于0",
    Code.PHONE_OFFLINE: "监控端状态异常，请检查",
    Code.NO_ACCOUNT: "请您先进入后台配置程序",
    Code.BUSY: "订单超出负荷，请稍后重试",
    Code.DUPLICATE: "商户订单号已存在",
    Code.BAD_REQUEST: "请求格式错误，请使用表单或JSON，UTF-8编码",
    Code.BAD_URL: "通知或返回地址不可用，请检查域名、端口和格式",
    Code.DISK_FULL: "服务器磁盘空间不足，暂停接单",
    Code.NOT_FOUND: "云端订单编号不存在",
    Code.NOT_ALLOWED: "订单状态不允许关闭",
}
_FIELD_SENTENCES = {
    "doubled": "参数{}重复",
    "too_long": "参数{}过长",
    "control": "参数{}含有非法字符",
    "encoding": "参数{}编码错误，请使用UTF-8",
    "type": "参数{}类型错误",
}


class Spoken(Refusal):
    """A refusal whose sentence stands in the dialect already."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of createOrder, read and in their grammar; the signature is not judged yet."""

    number: str
    type: str
    price: str
    param: str
    sign: str
    is_html: bool
    notify_url: str
    return_url: str


def read_create(values: Mapping[str, str]) -> Asked:
    """The checks that come before the signature, in the order and words that clients know."""
    number = _required(values, "payId", "请传入商户订单号")
    kind = _required(values, "type", "请传入支付方式=>1|微信 2|支付宝")
    if kind not in METHODS:
        raise Spoken(Code.BAD_REQUEST, "支付方式错误=>1|微信 2|支付宝")
    price = _required(values, "price", "请传入订单金额")
    sign = _required(values, "sign", "请传入签名")
    for name, longest in (("payId", 100), ("param", 1024), ("price", 32)):
        if len(values.get(name, "")) > longest:
            raise Spoken(Code.BAD_REQUEST, _FIELD_SENTENCES["too_long"].format(name))
    return Asked(
        number, kind, price, values.get("param", ""), sign, values.get("isHtml", "") == "1",
        values.get("notifyUrl", ""), values.get("returnUrl", ""),
    )  # fmt: skip


def open_order(
    asked: Asked, merchant: Merchant, dialect: str, *signed: str, is_server: bool, title: str = "", content: str = "",
    extra: Mapping[str, Any] | None = None,
) -> Order:  # fmt: skip
    """Judges the signature over `signed`, the merchant's mode and the amount, then opens the order."""
    now = parts().clock()
    if not signed_by(asked.sign, merchant.keys(now), *signed):
        raise Refusal(Code.BAD_SIGNATURE, "The signature does not fit.")
    price = fen(asked.price)
    _check_mode(asked, merchant, is_server)
    for url, what in ((asked.notify_url, "notify"), (asked.return_url, "return")):
        if url:
            check_merchant_url(url, what)
    ask = orders.Ask(
        merchant=merchant, dialect=dialect, number=asked.number, price=price, price_text=asked.price,
        method=METHODS[asked.type], title=title, content=content, param=asked.param, notify_url=asked.notify_url,
        return_url=asked.return_url, extra=json.dumps(dict(extra or {})), shown=not asked.is_html,
    )  # fmt: skip
    return orders.open_order(parts().store, ask, parts().rules, now)


def data_of(db: Rows, order: Order, now: int) -> dict[str, Any]:
    """The `data` of createOrder and getOrder."""
    code, is_auto = orders.code_of(db, order)
    assert order.really_price is not None
    return {
        "payId": order.number,
        "orderId": order.token,
        "payType": TYPES[order.method],
        "price": yuan(order.price),
        "reallyPrice": yuan(order.really_price),
        "payUrl": code,
        "isAuto": 1 if is_auto else 0,
        "state": _state(db, order, now),
        "timeOut": max(1, (order.expires_at - order.created_at + 59) // 60),
        "date": order.created_at,
    }


def answer(code: int, message: str, data: object = None) -> Response:
    body = flask_json.dumps({"code": code, "msg": message, "data": data}, ensure_ascii=False, sort_keys=False)
    return Response(body, mimetype="application/json")


def success(data: object = None) -> Response:
    return answer(1, "成功", data)


def sentence(refusal: Refusal) -> str:
    """What the client is told, in Chinese; what an owner has to do stays in the words of the refusal."""
    if isinstance(refusal, Spoken):
        return refusal.message
    if isinstance(refusal, BadField):
        return _FIELD_SENTENCES[refusal.problem].format(refusal.field[:32])
    return SENTENCES.get(refusal.code, refusal.message)


def created(order: Order, is_html: bool) -> Response:
    """JSON, or the page that sends a browser on; one known plugin cuts the address out from `http` up to `'<`."""
    if is_html:
        url = url_for_buyers(f"/pay/{order.token}")
        script = f"<script>window.location.href = '{url}'</script>"
        return Response(f'{script}<noscript><a href="{url}">{url}</a></noscript>', mimetype="text/html")
    now = parts().clock()
    with parts().store.read() as db:
        return success(data_of(db, order, now))


def callback_values(order: Order) -> dict[str, str]:
    """The parameters of callback and return, without the signature; also its parts, in this order."""
    assert order.really_price is not None
    return {
        "payId": order.number,
        "param": order.param,
        "type": str(TYPES[order.method]),
        "price": yuan(order.price),
        "reallyPrice": yuan(order.really_price),
    }


def phones_state(now: int) -> dict[str, str]:
    """getState: `state` is -1 never bound, 0 offline, 1 online; all strings."""
    with parts().store.read() as db:
        devices = [device for device in store.devices.all_of(db) if device.revoked_at is None]
    beat = max((device.beat_at or 0 for device in devices), default=0)
    push = max((device.push_at or 0 for device in devices), default=0)
    online = is_online(beat, parts().rules.offline_after_s, now)
    state = "-1" if not beat else ("1" if online else "0")
    return {"lastheart": str(beat), "lastpay": str(push), "state": state, "jkstate": state}


def _required(values: Mapping[str, str], name: str, complaint: str) -> str:
    value = values.get(name, "")
    if not value:
        raise Spoken(Code.BAD_REQUEST, complaint)
    return value


def _check_mode(asked: Asked, merchant: Merchant, is_server: bool) -> None:
    """A create signature can serve as a notify signature, so by default no browser may carry one, and messages go
    to the merchant's own hosts only."""
    if merchant.disabled_at is not None:
        raise Spoken(Code.FORBIDDEN, "商户已停用")
    if merchant.guard_param and _GUARDED_PARAM.fullmatch(asked.param):
        raise Spoken(Code.FORBIDDEN, "param不能是以1或2开头的数字（guard-param）；请加上字母前缀")
    if merchant.mode is Mode.COMPAT:
        return
    switch = _SUGGESTION.format(id=merchant.id)
    if asked.is_html and not is_server:
        raise Spoken(Code.FORBIDDEN, f"strict模式下isHtml=1只能由服务器调用；如需浏览器跳转请执行：{switch}")
    for url in (asked.notify_url, asked.return_url):
        if url and not is_known_host(url, merchant):
            allow = f"checkout merchant set {merchant.id} --allow-host 域名"
            raise Spoken(Code.BAD_URL, f"通知或返回地址的域名不在商户名单内；请执行：{allow}")


def _state(db: Rows, order: Order, now: int) -> int:
    """-1 expired or closed, 0 waiting, 1 paid, 2 paid and not acknowledged yet (computed, no state of ours)."""
    state = order.state_at(now)
    if state is State.PENDING:
        return 0
    if state is not State.PAID:
        return -1
    owed = [one.state for one in store.deliveries.of_order(db, order.token) if one.event == "order.paid"]
    return 2 if any(state in (DeliveryState.WAITING, DeliveryState.FAILED) for state in owed) else 1

"""Answers of both versions of epay: failures, the page for browsers, an order's members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from flask import json as flask_json
from markupsafe import escape

from checkout.beijing import in_beijing
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows
from checkout.model.orders import Order, State
from checkout.money import yuan
from checkout.refunds import money_back
from checkout.web import BadField, url_for_buyers

METHODS = {"alipay": "alipay", "wxpay": "wechat"}
TYPES = {"alipay": "alipay", "wechat": "wxpay", "": ""}

NO_PARAMETERS, NOT_AUTHENTIC, NO_CHANNEL, OTHER = -4, -3, -2, -1
_NUMBERS = {
    Code.BAD_SIGNATURE: NOT_AUTHENTIC,
    Code.NO_ACCOUNT: NO_CHANNEL,
    Code.PHONE_OFFLINE: NO_CHANNEL,
    Code.BUSY: NO_CHANNEL,
    Code.GATEWAY: NO_CHANNEL,
}
_SENTENCES = {
    Code.BAD_SIGNATURE: "签名(sign)错误",
    Code.BAD_AMOUNT: "金额(money)格式错误，应如9.90",
    Code.ZERO_AMOUNT: "金额(money)必须大于0",
    Code.BAD_URL: "通知或返回地址不可用，请检查协议、域名和端口",
    Code.DUPLICATE: "商户订单号(out_trade_no)已存在",
    Code.NO_ACCOUNT: "没有可用的收款账户，请先添加收款码",
    Code.PHONE_OFFLINE: "监控手机离线，暂时无法收款",
    Code.BUSY: "相同金额的订单过多，请稍后重试",
    Code.GATEWAY: "支付网关暂时无法下单，未产生扣款，请稍后重试",
    Code.DISK_FULL: "服务器磁盘空间不足，暂停接单",
    Code.NOT_ALLOWED: "订单状态不允许此操作",
}
_FIELD_SENTENCES = {
    "doubled": "参数{}重复",
    "too_long": "参数{}过长",
    "control": "参数{}含有非法字符",
    "encoding": "参数{}编码错误，请使用UTF-8",
    "type": "参数{}类型错误",
}
_BAD_REQUEST = "请求格式错误，请使用表单提交，UTF-8编码"


class Spoken(Refusal):
    """A refusal whose number and sentence are already the dialect's own."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(Code.BAD_REQUEST, message)
        self.number = number


def failure(refusal: Refusal) -> dict[str, Any]:
    """`code` and `msg` of a refusal."""
    if isinstance(refusal, Spoken):
        return {"code": refusal.number, "msg": refusal.message}
    if isinstance(refusal, BadField):
        return {"code": OTHER, "msg": _FIELD_SENTENCES[refusal.problem].format(refusal.field[:32])}
    return {"code": _NUMBERS.get(refusal.code, OTHER), "msg": _SENTENCES.get(refusal.code, _BAD_REQUEST)}


def json_answer(values: Mapping[str, Any]) -> Response:
    body = flask_json.dumps(dict(values), ensure_ascii=False, sort_keys=False)
    return Response(body, mimetype="application/json")


def error_page(message: str) -> Response:
    """For the buyer whose browser brought the request. HTTP 200, as shops expect of this dialect."""
    return Response(
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>无法支付</title></head>'
        f"<body><h1>无法支付</h1><p>{escape(message)}</p></body></html>",
        mimetype="text/html",
    )


def beijing(at: int | None) -> str:
    """`Y-m-d H:i:s` in Beijing; "" for None."""
    return "" if at is None else in_beijing(at)


def payment_page(order: Order) -> str:
    return url_for_buyers(f"/pay/{order.token}")


def described(db: Rows, order: Order) -> dict[str, Any]:
    """An order's members in a query: `pid` and `status` are ints, amounts and numbers are strings. An order is not
    called paid once all of its money went back: shops hand goods over for that."""
    is_paid = order.state is State.PAID and not money_back.of(db, order).is_whole
    return {
        "trade_no": order.token,
        "out_trade_no": order.number,
        "api_trade_no": "",
        "type": TYPES[order.method],
        "pid": order.merchant,
        "addtime": beijing(order.created_at),
        "endtime": beijing(order.paid_at),
        "name": order.title,
        "money": yuan(order.price),
        "param": order.param,
        "buyer": order.buyer,
        "status": int(is_paid),
    }


def paid_values(order: Order) -> dict[str, str]:
    """What callback and return of both versions say, without signature; `param` only when the merchant gave one."""
    values = {
        "pid": str(order.merchant),
        "trade_no": order.token,
        "out_trade_no": order.number,
        "type": TYPES[order.method],
        "name": order.title,
        "money": yuan(order.price),
        "trade_status": "TRADE_SUCCESS",
    }
    return {**values, "param": order.param} if order.param else values

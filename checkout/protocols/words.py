"""What vmq and GOGO say: the envelope and the sentences that their clients know, and ours in the same tongue."""

from __future__ import annotations

import msgspec
from flask import Response

from checkout.errors import Code, Refusal
from checkout.web import BadField

CONTENT_TYPE = "application/json; charset=utf-8"

NO_NUMBER = "请传入商户订单号"
NO_TYPE = "请传入支付方式=>1|微信 2|支付宝"
BAD_TYPE = "支付方式错误=>1|微信 2|支付宝"
NO_PRICE = "请传入订单金额"
NO_SIGN = "请传入签名"
WRONG_SIGN = "签名校验不通过"
NOT_PAID = "订单未支付"
EXPIRED = "订单已过期"
REFUNDED = "订单已退款"
NO_MERCHANT = "商户不存在"
NO_APP = "APPID不存在"
TWO_APPS = "App-Id与appId不一致"
DISABLED = "商户已停用"
NO_CODE = "二维码内容不存在"
BAD_TIME = "参数t错误：应为13位毫秒时间戳"
OUT_OF_WINDOW = "客户端时间错误"
CUT_PARAM = "param不能以1或2开头的数字结尾，请加上字母后缀；或关闭此项检查：{} --no-guard-param"
HTML_BY_BROWSER = "strict模式下isHtml=1只能由服务器调用（带App-Secret）；如需浏览器跳转请执行：{} --mode compat"
BAD_URL = "{}不可用，请检查协议、域名和端口（只能含ASCII字符）"
FOREIGN_HOST = "{}的域名不在商户名单内；请执行：{} --allow-host {}（或 --mode compat）"

FIELDS = {
    "doubled": "参数{}重复",
    "too_long": "参数{}过长",
    "control": "参数{}含有非法字符",
    "encoding": "参数{}编码错误，请使用UTF-8",
    "type": "参数{}类型错误",
}
_BY_CODE = {
    Code.BAD_SIGNATURE: "签名错误",
    Code.BAD_AMOUNT: "订单金额格式错误",
    Code.ZERO_AMOUNT: "订单金额必须大于0",
    Code.PHONE_OFFLINE: "监控端状态异常，请检查",
    Code.NO_ACCOUNT: "请您先进入后台配置程序",
    Code.BUSY: "订单超出负荷，请稍后重试",
    Code.GATEWAY: "支付网关暂时无法下单，未产生扣款，请稍后重试",
    Code.DUPLICATE: "商户订单号已存在",
    Code.BAD_REQUEST: "请求格式错误，请使用表单或JSON，UTF-8编码",
    Code.DISK_FULL: "服务器磁盘空间不足，暂停接单",
    Code.NOT_FOUND: "云端订单编号不存在",
    Code.NOT_ALLOWED: "订单状态不允许关闭",
}


class Spoken(Refusal):
    """A refusal whose sentence is already the dialect's own."""


def sentence(refusal: Refusal) -> str:
    """What the client is told, in Chinese; what an owner has to do stays in the words of the refusal."""
    if isinstance(refusal, Spoken):
        return refusal.message
    if isinstance(refusal, BadField):
        return FIELDS[refusal.problem].format(refusal.field[:32])
    return _BY_CODE.get(refusal.code, refusal.message)


def said(code: int, message: str, data: object = None) -> bytes:
    """The envelope."""
    return msgspec.json.encode({"code": code, "msg": message, "data": data})


def said_of_success(data: object = None) -> bytes:
    return said(1, "成功", data)


def said_of_refusal(refusal: Refusal, failure: int) -> bytes:
    """With the dialect's own code of failure."""
    return said(failure, sentence(refusal))


def success(data: object = None) -> Response:
    return Response(said_of_success(data), content_type=CONTENT_TYPE)


def refused(refusal: Refusal, failure: int) -> Response:
    """HTTP 200."""
    return Response(said_of_refusal(refusal, failure), content_type=CONTENT_TYPE)

"""An order as WeChat Pay's API v3 is told of it, and what the buyer is shown for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from checkout.channel import GatewayError, Prompt, PromptKind, Scene, Start
from checkout.channels import wechat_v3_messages as messages
from checkout.channels.wechat_v3_gateway import Config

KINDS = {Scene.QR: "native", Scene.JSAPI: "jsapi", Scene.H5: "h5", Scene.APP: "app"}
SHORTEST_S = 61  # an order that ends sooner is refused


def order_of(ask: Start, config: Config) -> dict[str, object]:
    """The request. Only what the kind requires is sent: an order that is asked for again must not have changed."""
    order = ask.order
    content: dict[str, object] = {
        "appid": config.app_id,
        "mchid": config.mch_id,
        "description": messages.shortened(ask.title, 127) or order.token,
        "out_trade_no": order.token,
        "time_expire": messages.beijing(max(order.expires_at, ask.now + SHORTEST_S)),
        "notify_url": ask.notify_url,
        "amount": {"total": order.really_price, "currency": "CNY"},
    }
    if ask.scene is Scene.JSAPI:
        content["payer"] = {"openid": _needed(ask.openid, "openid")}
    if ask.scene is Scene.H5:
        address = _needed(ask.client_ip, "the buyer's address")
        content["scene_info"] = {"payer_client_ip": address, "h5_info": {"type": "Wap"}}
    return content


def prompt_of(ask: Start, values: Mapping[str, object], config: Config, nonce: str) -> Prompt:
    """Raises `GatewayError` when the answer does not hold what the kind needs."""
    if ask.scene is Scene.QR:
        return Prompt(PromptKind.QR, _value(values, "code_url", r"weixin://[!-~]{1,500}"))
    if ask.scene is Scene.H5:
        own = re.escape(config.gateway)
        url = _value(values, "h5_url", rf"(https://|{own}/)[!-~]{{1,1000}}")
        return Prompt(PromptKind.LINK, f"{url}&redirect_url={quote(ask.return_url, safe='')}")
    prepay_id = _value(values, "prepay_id", r"[0-9A-Za-z_-]{1,64}")
    params = (
        _app(config, prepay_id, nonce, ask.now) if ask.scene is Scene.APP else _jsapi(config, prepay_id, nonce, ask.now)
    )
    return Prompt(PromptKind.CLIENT, params=params)


def _app(config: Config, prepay_id: str, nonce: str, now: int) -> dict[str, str]:
    sign = messages.client_signature(config.private, config.app_id, str(now), nonce, prepay_id)
    return {
        "appid": config.app_id, "partnerid": config.mch_id, "prepayid": prepay_id, "package": "Sign=WXPay",
        "noncestr": nonce, "timestamp": str(now), "sign": sign,
    }  # fmt: skip


def _jsapi(config: Config, prepay_id: str, nonce: str, now: int) -> dict[str, str]:
    package = f"prepay_id={prepay_id}"
    sign = messages.client_signature(config.private, config.app_id, str(now), nonce, package)
    return {
        "appId": config.app_id, "timeStamp": str(now), "nonceStr": nonce, "package": package,
        "signType": "RSA", "paySign": sign,
    }  # fmt: skip


def _needed(value: str, what: str) -> str:
    if not value:
        raise GatewayError(f"WeChat Pay needs {what} for this way to pay.", permanent=True)
    return value


def _value(values: Mapping[str, object], name: str, pattern: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise GatewayError(f"WeChat Pay's answer holds no {name}.", permanent=False)
    return value

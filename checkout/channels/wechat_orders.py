"""WeChat Pay v2: what unifiedorder is sent, and what a client's SDK needs afterwards."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from checkout.channel import GatewayError, Scene, Start
from checkout.channels import wechat_messages as messages
from checkout.channels.wechat_messages import Merchant, sign

TRADE_TYPES = {Scene.QR: "NATIVE", Scene.H5: "MWEB", Scene.APP: "APP", Scene.JSAPI: "JSAPI"}
LEAST_S = 65  # a time_expire less than a minute ahead is refused


def order_of(ask: Start, product: str) -> dict[str, str]:
    """The parameters of unifiedorder. The same order gives the same ones, so that asking again does no harm."""
    assert ask.order.really_price is not None
    return {
        "body": messages.title(ask.title),
        "out_trade_no": ask.order.token,
        "total_fee": str(ask.order.really_price),
        "fee_type": "CNY",
        "spbill_create_ip": ask.client_ip or "127.0.0.1",
        "time_expire": messages.beijing(max(ask.order.expires_at, ask.now + LEAST_S)),
        "notify_url": ask.notify_url,
        "trade_type": TRADE_TYPES[ask.scene],
        **_of_scene(ask, product),
    }


def client_params(ask: Start, merchant: Merchant, prepay_id: str, nonce: str) -> dict[str, str]:
    """What an app's or a page's SDK is handed to the letter, with its own ("second") signature."""
    if ask.scene is Scene.APP:
        values = {
            "appid": merchant.app_id, "partnerid": merchant.mch_id, "prepayid": prepay_id, "package": "Sign=WXPay",
            "noncestr": nonce, "timestamp": str(ask.now),
        }  # fmt: skip
        return values | {"sign": sign(values, merchant.api_key, merchant.sign_type)}
    values = {
        "appId": merchant.app_id, "timeStamp": str(ask.now), "nonceStr": nonce, "package": f"prepay_id={prepay_id}",
        "signType": merchant.sign_type,
    }  # fmt: skip
    return values | {"paySign": sign(values, merchant.api_key, merchant.sign_type)}


def _of_scene(ask: Start, product: str) -> dict[str, str]:
    if ask.scene is Scene.QR:
        return {"product_id": product}
    if ask.scene is Scene.JSAPI:
        if not ask.openid:
            raise GatewayError("Paying inside WeChat needs the buyer's openid.", permanent=True)
        return {"openid": ask.openid}
    if ask.scene is Scene.H5:
        page = urlsplit(ask.return_url)
        site = {"type": "Wap", "wap_url": f"{page.scheme}://{page.netloc}", "wap_name": page.hostname or ""}
        return {"scene_info": json.dumps({"h5_info": site}, separators=(",", ":"))}
    return {}

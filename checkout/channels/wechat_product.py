"""WeChat Pay v2, native mode 1: a static QR code for each product, and the gateway's question when it is scanned.

Specification: WeChat Pay merchant documentation v2, "扫码支付 模式一".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from checkout import xml
from checkout.channel import NoticeRefused, Raw, Reply
from checkout.channels.static_codes import ProductCall
from checkout.channels.wechat_messages import Merchant, believed, mismatch, sign, signed

PRODUCT = re.compile(r"[0-9A-Za-z_.|*-]{1,32}")
ASKED = {"openid": re.compile(r"[0-9A-Za-z_-]{1,128}"), "product_id": PRODUCT, "nonce_str": re.compile("[!-~]{1,32}")}


def code_of(product: str, merchant: Merchant, nonce: str, now: int) -> str:
    """What the QR code says. ValueError: WeChat takes no such product id."""
    if not PRODUCT.fullmatch(product):
        raise ValueError("WeChat Pay takes product ids of at most 32 letters, digits and _ . - | *")
    values = {
        "appid": merchant.app_id, "mch_id": merchant.mch_id, "nonce_str": nonce, "product_id": product,
        "time_stamp": str(now),
    }  # fmt: skip
    return "weixin://wxpay/bizpayurl?" + urlencode(
        {"sign": sign(values, merchant.api_key, merchant.sign_type)} | values
    )


def call_of(raw: Raw, merchant: Merchant) -> ProductCall:
    """What WeChat asks. Raises `NoticeRefused`.

    The signature of a static code covers a product too, and everybody can read it; so the buyer must be in it.
    """
    if raw.method != "POST":
        raise NoticeRefused("WeChat Pay asks by POST.")
    values = believed(raw.body, merchant)
    if problem := mismatch(values, merchant):
        raise NoticeRefused(problem)
    if not values.get("is_subscribe") or any(not p.fullmatch(values.get(n, "")) for n, p in ASKED.items()):
        raise NoticeRefused("The question does not name a product and a buyer.")
    return ProductCall(values["product_id"], values["openid"], values["nonce_str"], raw.now)


def told(merchant: Merchant, nonce: str, outcome: Mapping[str, str]) -> Reply:
    """The signed answer: `prepay_id` and result_code SUCCESS, or FAIL with the reason for the buyer."""
    values = {
        "return_code": "SUCCESS", "appid": merchant.app_id, "mch_id": merchant.mch_id, "nonce_str": nonce, **outcome,
    }  # fmt: skip
    return Reply(xml.build(signed(values, merchant)), "text/xml; charset=utf-8")

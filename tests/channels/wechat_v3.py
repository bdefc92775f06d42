"""A merchant at the fake WeChat Pay, for the tests of API v3."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from checkout.channel import Channel, Raw, RefundAsk, Scene, Start
from checkout.channels.wechat_v3 import make
from checkout.model.orders import Order, State
from tests.channels.rsa import key, pem, written
from tests.fakes.wechat_v3 import FakeWechatV3
from tests.world import START, FakeClock

APP, MCH, API_KEY = "wx2421b1c4370ec43b", "1900000109", "0123456789abcdefGHIJKLMNOPQRSTuv"
SERIAL, KEY_ID = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1", "PUB_KEY_ID_0119000001092024"
NOTIFY, TOKEN = "https://pay.example.com/notify/wx", "a7" * 16
HARD = 'A+B & C = 100% 中文 "quotes" {braces} 😀'


def section(folder: Path, gateway: str = "https://api.mch.weixin.qq.com", **changes: Any) -> dict[str, Any]:
    """The section with its files; a value None leaves a key out."""
    written(folder / "keys" / "api_v3_key.txt", API_KEY + "\n")
    written(folder / "keys" / "apiclient_key.pem", pem(key("ours")))
    written(folder / "keys" / "wechat_public.pem", pem(key("wechat").public_key()))
    table = {
        "kind": "wechat_v3", "app_id": APP, "mch_id": MCH, "api_v3_key": "keys/api_v3_key.txt",
        "private_key": "keys/apiclient_key.pem", "serial_no": SERIAL, "wechat_public_key": "keys/wechat_public.pem",
        "public_key_id": KEY_ID, "gateway": gateway, **changes,
    }  # fmt: skip
    return {name: value for name, value in table.items() if value is not None}


def fake(clock: FakeClock, **changes: Any) -> FakeWechatV3:
    return FakeWechatV3(
        APP, MCH, API_KEY, SERIAL, key("ours").public_key(), key("wechat"), KEY_ID, clock=clock, **changes
    )


def channel(folder: Path, gateway: str) -> Channel:
    return make("wx", section(folder, gateway), folder, allow_private=True)


def order(token: str = TOKEN, price: int = 1999, **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "token": token, "merchant": 1001, "dialect": "native", "number": "N1", "attempt": 1, "state": State.PENDING,
        "late": False, "method": "wechat", "account": "wx", "channel": "wx", "price": price, "really_price": price,
        "title": HARD, "content": "", "param": "", "buyer": "", "price_text": "19.99", "notify_url": "",
        "return_url": "", "extra": "{}", "asked": "", "product": "", "quantity": 1, "rev": 1, "created_at": START,
        "expires_at": START + 300, "shown_at": None, "paid_at": None, "closed_at": None,
    }  # fmt: skip
    return Order(**{**fields, **changes})


def start(scene: Scene = Scene.QR, of: Order | None = None, **changes: Any) -> Start:
    fields: dict[str, Any] = {
        "order": of or order(), "scene": scene, "title": HARD, "client_ip": "203.0.113.9",
        "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "notify_url": NOTIFY,
        "return_url": f"https://pay.example.com/pay/{TOKEN}?a=1&b=2", "now": START,
    }  # fmt: skip
    return Start(**{**fields, **changes})


def refund(amount: int = 500, number: str = "rf_1", **changes: Any) -> RefundAsk:
    fields: dict[str, Any] = {
        "order": order(), "paid": 1999, "amount": amount, "number": number, "reason": "不要了 & more",
        "reference": "", "notify_url": NOTIFY, "now": START,
    }  # fmt: skip
    return RefundAsk(**{**fields, **changes})


def raw(body: bytes, headers: Mapping[str, str], now: int = START, method: str = "POST") -> Raw:
    return Raw(method, b"", body, {name.lower(): value for name, value in headers.items()}, now)

"""Orders to start at a gateway and refunds to ask of it."""

from __future__ import annotations

from typing import Any

from checkout.channel import RefundAsk, Scene, Start
from checkout.model.orders import Order, State
from tests.world import START

TOKEN = "0123456789abcdef" * 2


def order(**changes: Any) -> Order:
    fields: dict[str, Any] = {
        "token": TOKEN, "merchant": 1001, "dialect": "vmq", "number": "N1", "attempt": 1, "state": State.PENDING,
        "late": False, "method": "alipay", "account": "ali-official", "channel": "alipay", "price": 990,
        "really_price": 990, "title": "Tea", "content": "", "param": "", "buyer": "", "price_text": "9.90",
        "notify_url": "", "return_url": "", "extra": "{}", "asked": "", "product": "", "quantity": 1, "rev": 1,
        "created_at": START, "expires_at": START + 300, "shown_at": None, "paid_at": None, "closed_at": None,
    }  # fmt: skip
    return Order(**{**fields, **changes})


def start(scene: Scene = Scene.QR, **changes: Any) -> Start:
    """Something to pay 9.90 for; `order` among the changes stands for its own fields."""
    fields: dict[str, Any] = {
        "order": order(**changes.pop("order", {})), "scene": scene, "title": "Tea", "client_ip": "203.0.113.5",
        "openid": "", "notify_url": "https://pay.example.com/notify/alipay", "now": START,
        "return_url": f"https://pay.example.com/pay/{TOKEN}",
    }  # fmt: skip
    return Start(**{**fields, **changes})


def refund(**changes: Any) -> RefundAsk:
    fields: dict[str, Any] = {
        "order": order(**changes.pop("order", {})), "paid": 990, "amount": 990, "number": "ref_1", "reason": "",
        "reference": "", "notify_url": "https://pay.example.com/notify/alipay", "now": START,
    }  # fmt: skip
    return RefundAsk(**{**fields, **changes})

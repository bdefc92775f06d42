"""A shop that speaks BufPay, strictly, from the published documents."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.clients.forms import get, members, post
from tests.clients.wire import Reply, Wire

MEMBERS = {
    "status", "aoid", "pay_type", "price", "qr_price", "qr", "qr_img", "expires_in", "expire_in", "return_url",
    "really_price", "pay_url",
}  # fmt: skip
CALLBACK = {"aoid", "order_id", "order_uid", "price", "pay_price", "sign"}


def sign(*parts: str) -> str:
    return hashlib.md5("".join(parts).encode("utf8")).hexdigest().lower()


@dataclass
class Shop:
    wire: Wire
    aid: str
    secret: str
    notify_url: str = "https://shop.example/bufpay_notify"
    return_url: str = "https://shop.example/thanks"
    told: list[dict[str, str]] = field(default_factory=list)

    def values(self, order_id: str, price: str, pay_type: str = "wechat", **more: str) -> dict[str, str]:
        """The form of an order; `feedback_url` among `more` is signed as the newer documents say."""
        values = {
            "name": "内容订阅一年期", "pay_type": pay_type, "price": price, "order_id": order_id,
            "order_uid": "hi@sideidea.com", "notify_url": self.notify_url, "return_url": self.return_url, **more,
        }  # fmt: skip
        signed = ("name", "pay_type", "price", "order_id", "order_uid", "notify_url", "return_url", "feedback_url")
        return {**values, "sign": sign(*(values.get(name, "") for name in signed), self.secret)}

    def send(self, values: Mapping[str, str], query: str = "?format=json") -> Reply:
        return post(self.wire, f"/api/pay/{self.aid}{query}", values)

    def create(self, order_id: str, price: str, pay_type: str = "wechat", **more: str) -> dict[str, Any]:
        """The JSON of a new order, checked member by member."""
        reply = self.send(self.values(order_id, price, pay_type, **more))
        found = members(reply)
        assert found["status"] == "ok", found
        assert set(found) == MEMBERS
        assert len(found["aoid"]) == 32
        assert set(found["aoid"]) <= set("0123456789abcdef")
        assert (found["pay_type"], found["price"], found["return_url"]) == (pay_type, price, self.return_url)
        assert type(found["expires_in"]) is int
        assert found["expire_in"] == found["expires_in"] > 0
        head, _, picture = found["qr_img"].partition(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(picture, validate=True).startswith(b"\x89PNG")
        return found

    def status(self, aoid: str) -> str:
        reply = get(self.wire, f"/api/query/{aoid}")
        found = members(reply)
        assert set(found) == {"status"}
        return str(found["status"])

    def receive(self, method: str, target: str, content_type: str, body: bytes) -> bytes:
        """The notify page: what it answers to a callback."""
        values = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True))
        signed = ("aoid", "order_id", "order_uid", "price", "pay_price")
        is_good = (
            method == "POST"
            and "?" not in target
            and content_type == "application/x-www-form-urlencoded"
            and set(values) == CALLBACK
            and values["sign"] == sign(*(values[name] for name in signed), self.secret)
        )
        if not is_good:
            return b"sign error"
        self.told.append(values)
        return b"ok"

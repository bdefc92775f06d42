"""A shop that speaks epay version 2, strictly, from the published documents."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from Crypto.Hash import SHA256
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15

from tests.clients.forms import get, members, post
from tests.clients.wire import Reply, Wire

PAID = {
    "pid", "trade_no", "out_trade_no", "type", "name", "money", "trade_status", "addtime", "endtime", "timestamp",
    "sign", "sign_type",
}  # fmt: skip
ORDER = {
    "trade_no", "out_trade_no", "api_trade_no", "type", "pid", "addtime", "endtime", "name", "money", "refundmoney",
    "param", "buyer", "clientip", "status",
}  # fmt: skip
ENVELOPE = {"code", "msg", "timestamp", "sign", "sign_type"}


def digest(values: Mapping[str, Any]) -> SHA256.SHA256Hash:
    """Of everything but the signature and what is empty or blank, sorted, joined."""
    pairs = []
    for name in sorted(values):
        value = values[name]
        if name in ("sign", "sign_type") or isinstance(value, list | dict) or str(value).strip() == "":
            continue
        pairs.append(f"{name}={value}")
    return SHA256.new("&".join(pairs).encode())


@dataclass
class Shop:
    """The keys are base64 on one line, as the gateway's owner pastes them."""

    wire: Wire
    pid: str
    merchant_private: str
    platform_public: str
    clock: Callable[[], int]
    folder: str = "/"
    notify_url: str = "https://shop.example/notify_url.php"
    return_url: str = "https://shop.example/return_url.php"
    told: list[dict[str, str]] = field(default_factory=list)

    def values(self, number: str, money: str, kind: str = "alipay", **more: str) -> dict[str, str]:
        asked = {
            "type": kind, "out_trade_no": number, "notify_url": self.notify_url, "return_url": self.return_url,
            "name": "VIP会员", "money": money, "clientip": "192.168.1.100", **more,
        }  # fmt: skip
        return self.signed(asked)

    def signed(self, values: Mapping[str, str]) -> dict[str, str]:
        whole = {"pid": self.pid, "timestamp": str(self.clock()), **values}
        key = RSA.import_key(base64.b64decode(self.merchant_private))
        sign = base64.b64encode(pkcs1_15.new(key).sign(digest(whole))).decode()
        return {**whole, "sign": sign, "sign_type": "RSA"}

    def create(self, number: str, money: str, kind: str = "alipay", **more: str) -> dict[str, Any]:
        found = self.asked("create", self.values(number, money, kind, method="web", device="pc", **more))
        assert set(found) == ENVELOPE | {"trade_no", "pay_type", "pay_info"}
        assert found["pay_type"] == "jump"
        return found

    def submit(self, values: Mapping[str, str], by: str = "POST") -> str:
        send = get if by == "GET" else post
        reply = send(self.wire, self.folder + "api/pay/submit", values)
        assert reply.status in (302, 303), reply.body.decode()
        return reply.headers["location"]

    def order(self, **named: str) -> dict[str, Any]:
        found = self.asked("query", self.signed(named))
        assert set(found) == ENVELOPE | ORDER
        assert type(found["status"]) is int
        assert type(found["pid"]) is int
        return found

    def asked(self, act: str, values: Mapping[str, str]) -> dict[str, Any]:
        """The answer to an act that succeeds."""
        found = self.answer(act, values)
        assert found["code"] == 0, found
        return found

    def answer(self, act: str, values: Mapping[str, str]) -> dict[str, Any]:
        """A signed answer, of success or failure."""
        found = members(self.send(act, values))
        assert self.is_genuine(found), found
        assert type(found["code"]) is int
        return found

    def send(self, act: str, values: Mapping[str, str]) -> Reply:
        reply = post(self.wire, f"{self.folder}api/pay/{act}", values)
        assert reply.status == 200
        return reply

    def is_genuine(self, values: Mapping[str, Any]) -> bool:
        key = RSA.import_key(base64.b64decode(self.platform_public))
        try:
            pkcs1_15.new(key).verify(digest(values), base64.b64decode(values["sign"], validate=True))
        except (KeyError, ValueError):
            return False
        return values["sign_type"] == "RSA" and abs(int(values["timestamp"]) - self.clock()) <= 300

    def receive(self, method: str, target: str, content_type: str, body: bytes) -> bytes:
        """notify_url.php: what it answers to a callback."""
        values = self.verified(urlsplit(target).query)
        if method != "GET" or body or values is None:
            return b"fail"
        self.told.append(values)
        return b"success"

    def verified(self, query: str) -> dict[str, str] | None:
        """The values of a callback or a return; None when anything is not exactly as it must be."""
        values = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))
        is_good = (
            set(values) - {"param"} == PAID
            and values["pid"] == self.pid
            and values["trade_status"] == "TRADE_SUCCESS"
            and self.is_genuine(values)
        )
        return values if is_good else None

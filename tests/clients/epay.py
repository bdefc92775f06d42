"""A shop that speaks epay version 1, strictly, from the published documents."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.clients.forms import get, members, post
from tests.clients.wire import Reply, Wire

ORDER = {
    "trade_no", "out_trade_no", "api_trade_no", "type", "pid", "addtime", "endtime", "name", "money", "param", "buyer",
    "status",
}  # fmt: skip
PAID = {"pid", "trade_no", "out_trade_no", "type", "name", "money", "trade_status", "sign", "sign_type"}


def text_to_sign(values: Mapping[str, str]) -> str:
    pairs = []
    for name in sorted(values):
        if name in ("sign", "sign_type") or values[name] == "":
            continue
        pairs.append(name + "=" + values[name])
    return "&".join(pairs)


def sign(values: Mapping[str, str], key: str) -> str:
    return hashlib.md5((text_to_sign(values) + key).encode()).hexdigest()


@dataclass
class Shop:
    wire: Wire
    pid: str
    key: str
    folder: str = "/"
    notify_url: str = "https://shop.example/notify_url.php"
    return_url: str = "https://shop.example/return_url.php"
    told: list[dict[str, str]] = field(default_factory=list)

    def values(self, number: str, money: str, kind: str = "alipay", **more: str) -> dict[str, str]:
        values = {
            "pid": self.pid, "type": kind, "out_trade_no": number, "notify_url": self.notify_url,
            "return_url": self.return_url, "name": "VIP会员", "money": money, **more,
        }  # fmt: skip
        return self.signed(values)

    def signed(self, values: Mapping[str, str]) -> dict[str, str]:
        return {**values, "sign": sign(values, self.key), "sign_type": "MD5"}

    def submit(self, values: Mapping[str, str], by: str = "GET") -> str:
        """The address that the buyer's browser is sent to."""
        send = get if by == "GET" else post
        reply = send(self.wire, self.folder + "submit.php", values)
        assert reply.status in (302, 303), reply.body.decode()
        return reply.headers["location"]

    def create(self, number: str, money: str, kind: str = "alipay", **more: str) -> dict[str, Any]:
        """mapi.php, checked member by member."""
        values = self.values(number, money, kind, clientip="192.168.1.100", device="pc", **more)
        found = self.asked("mapi.php", values)
        assert found["code"] == 1, found
        assert set(found) == {"code", "msg", "trade_no", "payurl", "money"}
        assert found["msg"] == ""
        assert type(found["trade_no"]) is str
        assert type(found["money"]) is str
        assert found["payurl"].startswith(("http://", "https://"))
        return found

    def order(self, number: str) -> dict[str, Any]:
        """api.php?act=order with the key, checked member by member."""
        asked = {"act": "order", "pid": self.pid, "key": self.key, "out_trade_no": number}
        reply = get(self.wire, self.folder + "api.php", asked)
        found = members(reply)
        assert found["code"] == 1, found
        is_paid = found["status"] == 1
        assert set(found) == ORDER | {"code", "msg", "payurl"} | ({"trade_status"} if is_paid else set())
        assert type(found["status"]) is int
        assert type(found["pid"]) is int
        assert str(found["pid"]) == self.pid
        assert found.get("trade_status", "TRADE_SUCCESS") == "TRADE_SUCCESS"
        assert bool(found["endtime"]) == is_paid
        return found

    def asked(self, script: str, values: Mapping[str, str]) -> dict[str, Any]:
        reply = post(self.wire, self.folder + script, values)
        found = members(reply)
        assert type(found["code"]) is int
        return found

    def refusal(self, script: str, values: Mapping[str, str]) -> int:
        """The number of a failure; for submit.php 0, once it is sure that it is a page with the reason."""
        reply = post(self.wire, self.folder + script, values)
        if script != "submit.php":
            return self.failure(reply)
        assert reply.status == 200
        assert reply.headers["content-type"].startswith("text/html")
        assert b"<h1>" in reply.body
        return 0

    def ask(self, act: str, **more: str) -> dict[str, Any]:
        """api.php with the key."""
        return self.asked("api.php", {"act": act, "pid": self.pid, "key": self.key, **more})

    def failure(self, reply: Reply) -> int:
        """The number of a failure, and nothing else in the answer."""
        found = members(reply)
        assert set(found) == {"code", "msg"}
        assert found["msg"]
        assert type(found["code"]) is int
        return int(found["code"])

    def receive(self, method: str, target: str, content_type: str, body: bytes) -> bytes:
        """notify_url.php: what it answers to a callback."""
        if method != "GET" or body:
            return b"fail"
        values = self.verified(urlsplit(target).query)
        if values is None:
            return b"fail"
        self.told.append(values)
        return b"success"

    def verified(self, query: str) -> dict[str, str] | None:
        """The values of a callback or a return; None when anything is not exactly as it must be."""
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
        values = dict(pairs)
        is_good = (
            len(values) == len(pairs)
            and set(values) - {"param"} == PAID
            and values.get("param", "x") != ""
            and values["pid"] == self.pid
            and values["trade_status"] == "TRADE_SUCCESS"
            and values["sign_type"] == "MD5"
            and values["sign"] == sign(values, self.key)
        )
        return values if is_good else None

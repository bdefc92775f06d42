"""A strict merchant's client of V免签, written from its documents: it believes nothing that they do not promise."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from tests.clients.wire import Reply, Wire

FORM = "application/x-www-form-urlencoded"
MONEY = re.compile(r"(0|[1-9][0-9]*)\.[0-9]{2}")
PAID = ("payId", "param", "type", "price", "reallyPrice", "sign")


class Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class Forged(Exception):
    """A callback or a return that does not verify."""


def md5(*parts: str) -> str:
    return hashlib.md5("".join(parts).encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class VmqClient:
    wire: Wire
    key: str
    prefix: str = ""  # "/vmq/<merchant>" for all but the first
    failure: int = -1

    def signature(self, number: str, param: str, kind: str, price: str) -> str:
        return md5(number, param, kind, price, self.key)

    def create(self, number: str, price: str, kind: str = "1", *, method: str = "POST", **more: str) -> dict[str, Any]:
        sign = self.signature(number, more.get("param", ""), kind, price)
        values = {"payId": number, "type": kind, "price": price, "sign": sign, **more}
        return checked_order(self.ask("/createOrder", values, method), number, kind, price)

    def html(self, number: str, price: str, kind: str = "1", **more: str) -> str:
        """The address that isHtml=1 sends a browser to, cut out as a known plugin does it."""
        sign = self.signature(number, more.get("param", ""), kind, price)
        values = {"payId": number, "type": kind, "price": price, "sign": sign, "isHtml": "1", **more}
        reply = self.send("/createOrder", values)
        assert reply.status == 200
        if not reply.headers["content-type"].startswith("text/html"):
            self.envelope(reply)
            raise AssertionError("JSON where a page was asked for")
        text = reply.body.decode("utf-8")
        start = text.index("http")
        return text[start : text.index("'<", start)]

    def order(self, token: str) -> dict[str, Any]:
        found = self.ask("/getOrder", {"orderId": token}, "GET")
        return checked_order(found, found["payId"], str(found["payType"]), found["price"])

    def check(self, token: str) -> str:
        """Where the buyer of a paid order goes."""
        found = self.ask("/checkOrder", {"orderId": token}, "GET")
        assert isinstance(found, str)
        return found

    def close(self, token: str, path: str = "/closeOrder") -> None:
        assert self.ask(path, {"orderId": token, "sign": md5(token, self.key)}, "POST") is None

    def state(self, t: str) -> dict[str, str]:
        found = self.ask("/getState", {"t": t, "sign": md5(t, self.key)}, "GET")
        assert set(found) == {"lastheart", "lastpay", "state", "jkstate"}
        assert all(isinstance(value, str) for value in found.values())
        assert found["state"] == found["jkstate"]
        assert found["state"] in ("-1", "0", "1")
        return dict(found)

    def callback(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """What a notify page reads: GET, the values in the query, the signature over them."""
        if method != "GET" or body:
            raise Forged("not a GET")
        return self.paid(query_of(url))

    def returned(self, url: str) -> dict[str, str]:
        return self.paid(query_of(url))

    def paid(self, values: Mapping[str, str]) -> dict[str, str]:
        """The values of a message that says paid; each is there, in its form, and the signature covers them."""
        if tuple(name for name in values if name in PAID) != PAID:
            raise Forged("a value is missing, or they stand in another order")
        if not MONEY.fullmatch(values["price"]) or not MONEY.fullmatch(values["reallyPrice"]):
            raise Forged("an amount is not in its form")
        if not hmac.compare_digest(values["sign"], self.paid_signature(values)):
            raise Forged("the signature does not fit")
        return {name: values[name] for name in PAID}

    def paid_signature(self, values: Mapping[str, str]) -> str:
        return md5(*(values[name] for name in PAID[:-1]), self.key)

    def ask(self, path: str, values: Mapping[str, str], method: str) -> Any:
        return self.envelope(self.send(path, values, method))

    def send(self, path: str, values: Mapping[str, str], method: str = "POST") -> Reply:
        encoded = urlencode(values, quote_via=quote)
        if method == "GET":
            return self.wire("GET", f"{self.prefix}{path}?{encoded}", {}, b"")
        return self.wire("POST", self.prefix + path, {"Content-Type": FORM}, encoded.encode())

    def envelope(self, reply: Reply) -> Any:
        """The data of an answer; always HTTP 200, always JSON, always the same three names."""
        assert reply.status == 200, reply.body
        assert reply.headers["content-type"].startswith("application/json")
        assert "set-cookie" not in reply.headers
        found = reply.json()
        assert list(found) == ["code", "msg", "data"]
        assert type(found["code"]) is int
        assert type(found["msg"]) is str
        if found["code"] == 1:
            assert found["msg"] == "成功"
            return found["data"]
        assert found["code"] == self.failure
        assert found["data"] is None
        raise Refused(found["code"], found["msg"])


def query_of(url: str) -> dict[str, str]:
    """The values of a URL, each once, decoded as browsers and PHP do: those of a single-page shop's fragment too."""
    place = urlsplit(url)
    query = place.query or place.fragment.partition("?")[2]
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    if len(dict(pairs)) != len(pairs):
        raise Forged("a value occurs twice")
    return dict(pairs)


def checked_order(data: Any, number: str, kind: str, price: str) -> dict[str, Any]:
    types = {
        "payId": str, "orderId": str, "payType": int, "price": str, "reallyPrice": str, "payUrl": str,
        "isAuto": int, "state": int, "timeOut": int, "date": int,
    }  # fmt: skip
    assert list(data) == list(types)
    for name, kind_of in types.items():
        assert type(data[name]) is kind_of, name
    assert (data["payId"], data["payType"]) == (number, int(kind))
    assert MONEY.fullmatch(data["price"])
    assert MONEY.fullmatch(data["reallyPrice"])
    assert cents(data["price"]) == cents(price)
    assert cents(data["reallyPrice"]) >= cents(data["price"])
    assert data["isAuto"] in (0, 1)
    assert data["state"] in (-1, 0, 1, 2)
    assert data["timeOut"] > 0
    assert len(str(data["date"])) == 10
    assert data["payUrl"]
    assert len(data["orderId"]) >= 22  # 128 bits
    return dict(data)


def cents(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int((part + "00")[:2])

"""Requests of every kind to every route: half like real ones, half nonsense. Whatever comes, there is an answer."""

from __future__ import annotations

import json
import random
import signal
import string
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient
from werkzeug.routing import Rule

from checkout.app import owners_pages
from tests.world import World

HANGS_S = 20
_FIELDS = [
    "payId", "param", "type", "price", "sign", "isHtml", "notifyUrl", "returnUrl", "t", "orderId", "content",
    "title", "appid", "APPID", "App-Secret", "aid", "aoid", "order_id", "order_uid", "pay_type", "name",
    "notify_url", "return_url", "feedback_url", "more", "expire", "pid", "out_trade_no", "money", "sitename",
    "sign_type", "device", "clientip", "act", "key", "trade_no", "limit", "page", "rev", "method", "amount",
    "quantity", "ref", "lang", "theme", "paid_around", "last_digits", "note", "password", "csrf", "link", "next",
    "token", "from", "text", "package", "payload", "id", "status", "state", "before", "q", "timestamp", "reason",
    "order", "order_token", "scene", "openid", "client_ip", "biz_content", "charset", "total_amount",
    "trade_status", "xml", "resource",
]  # fmt: skip
NASTY = (
    "", " ", "0", "-1", "00", "1", "9.90", "1.0", "1e9", "NaN", "Infinity", "１.00", "0x10", "1_000", "9" * 400,
    "1.005", "null", "true", "[]", "{}", '{"a":', "a" * 3000, "\x00", "\x1b[2J", "a\r\nSet-Cookie: x=1",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>", "' OR 1=1 --", "../../etc/passwd", "%00", "%zz", "&=+", "中文 支付", "\u202e",
    "𝟙",
    "javascript:alert(1)", "http://169.254.169.254/", "https://shop.example/notify", "file:///etc/passwd", "//evil",
    "http://[::1", "=cmd|' /C calc'!A0", "{{7*7}}", "${7*7}", "%s%n", "1790000000000", "wechat", "alipay", "1001",
)  # fmt: skip
_XML = (
    b"<xml></xml>", b"<xml><sign>A</sign><sign>B</sign></xml>", b'<!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>',
    b"<xml>" * 2000, b"<xml><total_fee>1<!-- 9 -->0</total_fee></xml>", b"\xef\xbb\xbf<xml/>", b"<xml \xff>",
)  # fmt: skip


@dataclass
class Report:
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


@dataclass
class Fuzzer:
    """`known` are words that lead somewhere in this shop (tokens, ids), so that paths are not all unknown."""

    world: World
    known: tuple[str, ...]
    dice: random.Random
    client: FlaskClient

    def run(self, requests: int) -> Report:
        app = self.world.app
        report, rules = Report(), [*app.url_map.iter_rules(), *owners_pages(app).url_map.iter_rules()]
        for _ in range(requests):
            rule = self.dice.choice(rules)
            self._one(rule, self.dice.choice(sorted((rule.methods or set()) - {"OPTIONS"})), report)
        return report

    def _one(self, rule: Rule, method: str, report: Report) -> None:
        path, more = self._path(rule), self._request(method)
        report.requests += 1
        try:
            with patience():
                answer = self.client.open(path, method=method, **more)
                answer.get_data()
        except Exception as error:
            report.faults.append(f"{method} {path!r} {more!r:.400}: {error!r}")
            return
        report.statuses[answer.status_code] += 1
        if answer.status_code >= 500:
            report.faults.append(f"{method} {path!r} {more!r:.400}: {answer.status_code} {answer.text[:200]}")

    def _path(self, rule: Rule) -> str:
        path = rule.rule
        for name in rule.arguments:
            while f"<{name}>" in path or f":{name}>" in path:
                start = path.rindex("<", 0, path.index(f"{name}>"))
                end = path.index(f"{name}>") + len(name) + 1
                path = path[:start] + quote(self._word(), safe="/") + path[end:]
        path = "/" + path.lstrip("/")  # the client would read two slashes as the name of a host
        return path if self.dice.random() < 0.97 else path + quote(self.dice.choice(NASTY))

    def _request(self, method: str) -> dict[str, Any]:
        fields = {self.dice.choice(_FIELDS): self._word() for _ in range(self.dice.randrange(9))}
        headers = self._headers()
        kinds: list[dict[str, Any]] = [
            {"query_string": fields},
            {"query_string": "&".join(f"{name}={quote(value)}" for name, value in [*fields.items()] * 2)},
        ]
        if method not in ("GET", "HEAD"):
            kinds += [
                {"data": fields},
                {"data": {**fields, "file": (_noise(self.dice), self._word()[:50])}},
                {"json": self._tree(fields)},
                {"data": json.dumps(fields)[: self.dice.randrange(1, 60)], "content_type": "application/json"},
                {"data": self.dice.choice(_XML), "content_type": "text/xml"},
                {"data": self.dice.randbytes(self.dice.randrange(2000)), "content_type": self._type()},
            ]
        return {**self.dice.choice(kinds), "headers": headers}

    def _tree(self, fields: dict[str, str]) -> Any:
        """JSON with the types that a form cannot have."""
        odd: list[Any] = [None, True, 1.5, -1, 10**30, [], {}, [fields], {"amount": 990, "currency": "CNY"}, "x"]
        tree: Any = {name: self.dice.choice([value, *odd]) for name, value in fields.items()}
        for _ in range(self.dice.choice([0, 0, 0, 1, 200])):
            tree = {"a": tree}
        return tree

    def _headers(self) -> dict[str, str]:
        names = ("Authorization", "Idempotency-Key", "App-Secret", "Accept-Language", "Accept", "HX-Request", "Origin",
                 "Sec-Fetch-Site", "If-None-Match", "X-Forwarded-For", "Range", "Cookie")  # fmt: skip
        chosen = self.dice.sample(names, self.dice.randrange(4))
        return {name: "".join(one for one in self._word() if one.isprintable() and ord(one) < 256) for name in chosen}

    def _type(self) -> str:
        kinds = ["application/json", "application/x-www-form-urlencoded", "text/xml", "", "a/b; charset=x"]
        return self.dice.choice([*kinds, "multipart/form-data; boundary=x", "application/json; charset=utf-16"])

    def _word(self) -> str:
        roll = self.dice.random()
        if roll < 0.4:
            return self.dice.choice(self.known)
        if roll < 0.8:
            return self.dice.choice(NASTY)
        return "".join(self.dice.choices(string.printable, k=self.dice.randrange(40)))


def _noise(dice: random.Random) -> Any:
    from io import BytesIO

    heads = (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF")
    return BytesIO(dice.choice(heads) + dice.randbytes(dice.randrange(3000)))


@contextmanager
def patience() -> Iterator[None]:
    def give_up(number: int, frame: object) -> None:
        raise TimeoutError(f"no answer within {HANGS_S} s")

    former = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(HANGS_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)

"""What the scenarios play: a merchant, two accounts with many amounts, a phone, and the requests of each."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

from bench.driver import Outcome, ask, closed_loop, get, post
from bench.merchants import MerchantServer
from bench.servers import Server, command


class Shop:
    """A merchant of a server, with what a payment needs."""

    _keys: tuple[str, str] | None = None

    def __init__(
        self, server: Server, merchant_server: MerchantServer | None = None, name: str = "bench", notify: str = ""
    ) -> None:
        self.server, self.merchant_server, self._name = server, merchant_server, name
        notify = notify or (merchant_server.address if merchant_server else "http://127.0.0.1:9/notify")
        made = command(server, "merchant", "add", name, "--notify-url", notify)
        self.id, self.key = made["id"], made["key"]
        self.device_key = ""
        self.numbers = itertools.count(1)
        self._fen = itertools.count(1_000_000, 2_000)

    def furnish(self, more_accounts: int = 0) -> Shop:
        """Its accounts and its phone; other shops of the same server use them too. `more_accounts` for WeChat, each
        with a phone of its own."""
        for number in range(more_accounts):
            name = f"{self._name}-wx{number}"
            words = ("--method", "wechat", "--code", f"wxp://bench{number}", "--max-offset", "10.00")
            command(self.server, "account", "add", name, *words)
            command(self.server, "device", "add", f"{name}-phone", "--account", name)
        for name, method, code in (("wx", "wechat", "wxp://bench"), ("ali", "alipay", "https://qr.alipay.com/bench")):
            words = ("--method", method, "--code", code, "--max-offset", "10.00")
            command(self.server, "account", "add", f"{self._name}-{name}", *words)
        accounts = ("--account", f"{self._name}-wx", "--account", f"{self._name}-ali")
        self.device_key = command(self.server, "device", "add", f"{self._name}-phone", *accounts)["key"]
        return self

    def prices(self) -> Iterator[int]:
        """In fen, none of them near another."""
        return self._fen

    def creates(self, cents: Iterable[int], kind: str = "1") -> Iterator[bytes]:
        """createOrder requests, one for each price in fen."""
        for fen in cents:
            number, price = f"{self._name}{next(self.numbers)}", f"{fen // 100}.{fen % 100:02d}"
            sign = md5(number, "", kind, price, self.key)
            form = {"payId": number, "type": kind, "price": price, "sign": sign}
            yield post(f"/vmq/{self.id}/createOrder", urlencode(form))

    def opened(self, count: int, connections: int = 8) -> list[dict[str, Any]]:
        """That many new orders of distinct prices: what createOrder answered."""
        requests = self.creates(itertools.islice(self.prices(), count))
        outcome = closed_loop(self.server.address, requests, connections=connections, seconds=600, keep_bodies=True)
        return [data_of(body) for body in outcome.bodies]

    def push(self, price: str, at_ms: int | None = None, kind: str = "1") -> bytes:
        at = str(at_ms or time.time_ns() // 1_000_000)
        return get(f"/appPush?type={kind}&price={price}&t={at}&sign={md5(kind, price, at, self.device_key)}")

    def pushes(self, orders: Iterable[dict[str, Any]]) -> Iterator[bytes]:
        for order in orders:
            yield self.push(order["reallyPrice"])

    def polls(self, count: int = 50) -> list[bytes]:
        """Polls of new orders, that have nothing new to say for the next minute."""
        tokens = [order["orderId"] for order in self.opened(count)]
        return [get(f"/pay/{token}/poll?rev={self._rev_of(token)}") for token in tokens]

    def pages(self, count: int = 50) -> list[bytes]:
        return [get(f"/pay/{order['orderId']}") for order in self.opened(count)]

    def _rev_of(self, token: str) -> str:
        """What the page would poll with: its own words are on it."""
        answer, _ = ask(self.server.address, get(f"/pay/{token}"))
        return answer.body.decode().partition("poll?rev=")[2].partition('"')[0]


def md5(*parts: str) -> str:
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def data_of(body: bytes) -> dict[str, Any]:
    answer = json.loads(body)
    if answer["code"] != 1:
        raise RuntimeError(f"The server refused: {answer['msg']}")
    data: dict[str, Any] = answer["data"]
    return data


def only(outcome: Outcome, status: int) -> Outcome:
    """The outcome; anything but `status` spoils a measurement."""
    if set(outcome.statuses) != {status}:
        raise RuntimeError(f"Expected {status} only, got {dict(outcome.statuses)}.")
    return outcome

"""What is measured. Every scenario gives plain figures; `bench.__main__` puts them beside the baseline."""

from __future__ import annotations

import hashlib
import itertools
import json
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlencode

from bench.driver import Outcome, closed_loop, get, post
from bench.servers import Server, command

CONNECTIONS = 8


def md5(*parts: str) -> str:
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


class Shop:
    """A merchant with a server of its own, an account with many amounts, and a phone."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.merchant_server = MerchantServer()
        notify = f"http://127.0.0.1:{self.merchant_server.port}/notify"
        self.key = command(server, "merchant", "add", "bench", "--notify-url", notify)["key"]
        for name, method, code in (("wx", "wechat", "wxp://bench"), ("ali", "alipay", "https://qr.alipay.com/bench")):
            command(server, "account", "add", name, "--method", method, "--code", code, "--max-offset", "10.00")
        self.device_key = command(server, "device", "add", "phone")["key"]
        self.numbers = itertools.count(1)

    def creates(self, cents: Iterator[int], kind: str = "1") -> Iterator[bytes]:
        """createOrder requests, one for each price in fen."""
        for fen in cents:
            number, price = f"B{next(self.numbers)}", f"{fen // 100}.{fen % 100:02d}"
            sign = md5(number, "", kind, price, self.key)
            yield post("/createOrder", urlencode({"payId": number, "type": kind, "price": price, "sign": sign}))

    def push(self, price: str, at_ms: int, kind: str = "1") -> bytes:
        sign = md5(kind, price, str(at_ms), self.device_key)
        return get(f"/appPush?type={kind}&price={price}&t={at_ms}&sign={sign}")


class MerchantServer:
    """Answers `success` to every callback and notes when it came."""

    def __init__(self) -> None:
        self.arrivals: SimpleQueue[float] = SimpleQueue()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                connection.recv(65536)
                self.arrivals.put(time.perf_counter())
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nsuccess")


def hello(server: Server, seconds: float) -> Outcome:
    return closed_loop(server.address, itertools.repeat(get("/")), connections=CONNECTIONS, seconds=seconds)


def poll(shop: Shop, seconds: float) -> Outcome:
    """Status polls of 50 pending orders that have nothing new to say."""
    tokens = [data["orderId"] for data in opened(shop, (500_000 + step for step in range(50)))]
    revs = [_rev_of(shop, token) for token in tokens]
    paths = [get(f"/pay/{token}/poll?rev={rev}") for token, rev in zip(tokens, revs, strict=True)]
    return closed_loop(shop.server.address, itertools.cycle(paths), connections=CONNECTIONS, seconds=seconds)


def create(shop: Shop, seconds: float) -> Outcome:
    """Orders of distinct prices, written and synced to the disk before they are answered."""
    prices = (1_000_000 + 2_000 * number for number in itertools.count())
    return closed_loop(shop.server.address, shop.creates(prices), connections=CONNECTIONS, seconds=seconds)


def push_to_callback(shop: Shop, rounds: int) -> tuple[list[float], list[float]]:
    """One at a time: (push sent → callback at the merchant's socket, push sent → push answered), in seconds."""
    told, answered = [], []
    start = 200_000_000 + next(shop.numbers) * 10_000
    for data in opened(shop, (start + 5_000 * step for step in range(rounds))):
        request = shop.push(data["reallyPrice"], time.time_ns() // 1_000_000)
        began = time.perf_counter()
        outcome = closed_loop(shop.server.address, iter([request]), connections=1, seconds=5)
        answered.append(outcome.latencies[0])
        told.append(shop.merchant_server.arrivals.get(timeout=10) - began)
    return told, answered


def one_price(shop: Shop, orders: int) -> tuple[list[float], int]:
    """Orders of one price, one after the other, all pending: (seconds each took, distinct amounts)."""
    requests = shop.creates(itertools.repeat(77_700, orders), kind="2")
    outcome = closed_loop(shop.server.address, requests, connections=1, seconds=60, keep_bodies=True)
    amounts = {_data(body)["reallyPrice"] for body in outcome.bodies}
    return outcome.latencies, len(amounts)


def opened(shop: Shop, cents: Iterator[int]) -> list[dict[str, Any]]:
    outcome = closed_loop(shop.server.address, shop.creates(cents), connections=1, seconds=60, keep_bodies=True)
    return [_data(body) for body in outcome.bodies]


def median_ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000


def _data(body: bytes) -> dict[str, Any]:
    answer = json.loads(body)
    if answer["code"] != 1:
        raise RuntimeError(f"The server refused: {answer['msg']}")
    data: dict[str, Any] = answer["data"]
    return data


def _rev_of(shop: Shop, token: str) -> str:
    """What the page would poll with: its own words are on it."""
    page = closed_loop(shop.server.address, iter([get(f"/pay/{token}")]), connections=1, seconds=5, keep_bodies=True)
    return page.bodies[0].decode().partition("poll?rev=")[2].partition('"')[0]

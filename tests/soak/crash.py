"""The server killed again and again under load; what the shops and the phone were told is kept outside of it.

An acknowledgement is a promise: an order that a shop was told of exists, money that the phone was told is stored is
stored once and has paid its order, and the shop hears of each paid order at least once.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from bench.fill import fill
from checkout import protocols, store
from checkout.http.client import Client
from checkout.interfaces import Rows, Store
from checkout.model.accounts import Method
from checkout.model.deliveries import Delivery
from checkout.money import fen
from checkout.outbox import deliveries
from checkout.store import open_store
from tests.servers import CHECKOUT, ROOT, Server, free_port
from tests.world import DEVICE_KEY, MERCHANT_KEY, account, device, md5, merchant

CONNECTIONS = 8
_GIVE_UP_S = 5
_LIFE_S = 120
_WORKERS_ALONE = 0.2  # how many of the servers lose their workers first


@dataclass
class Ledger:
    """What was promised to those outside: orders by their number, pushes by (fen, t), callbacks heard by number.
    `excused`: the HTTP statuses to which they ask again."""

    orders: dict[str, tuple[str, str]] = field(default_factory=dict)
    pushes: dict[tuple[str, str], str] = field(default_factory=dict)
    heard: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    restarts_s: list[float] = field(default_factory=list)
    excused: frozenset[int] = frozenset()


@dataclass
class Report:
    cycles: int
    orders: int
    pushes: int
    callbacks: int
    restarts_s: list[float]  # from exec to the first answer
    faults: list[str]


def run(
    folder: Path, cycles: int, *, seed: int = 1, deaf: bool = False, meddle: str = "", database: str = "",
    before: int = 0,
) -> Report:  # fmt: skip
    """Kills the server `cycles` times; `faults` are sentences about promises that were not kept.

    `meddle` is SQL that breaks one behind the server's back, to see that it is noticed: no life ends before there is
    something to break. A `deaf` shop hears nothing.
    `database`: a PostgreSQL address, else a SQLite file in `folder`, with `before` orders of a year that is over."""
    # On a slow machine one server of a shared database may be kept waiting for its turn for too long.
    ledger, dice = Ledger(excused=frozenset({503} if database else ())), random.Random(seed)
    database = database or str(folder / "data" / "checkout.db")
    with shop(ledger, 0 if deaf else 0.9) as notify_url:
        if before:
            _fill(Path(database), before, notify_url)
        else:
            set_up(database, notify_url)
        port = free_port()
        for cycle in range(cycles):
            may_end = _can_be_broken if meddle else partial(_saw, cycles) if cycle == cycles - 1 else _is_over
            _one_life(folder, database, port, ledger, dice, cycle, may_end)
        with closing(open_store(database)) as opened:
            if meddle:
                with opened.transaction() as db:
                    db.run(meddle)
            deliver_all(opened, ledger)
            faults = ledger.unexpected + list(faults_of(opened, database, ledger))
    return Report(cycles, len(ledger.orders), len(ledger.pushes), sum(ledger.heard.values()),
                  ledger.restarts_s, faults)  # fmt: skip


def _is_over(ledger: Ledger) -> bool:
    return True


def _saw(deaths: int, ledger: Ledger) -> bool:
    """However slow the machine: more was acknowledged than servers died, or the run has shown too little."""
    return len(ledger.orders) > deaths and len(ledger.pushes) > deaths


def _can_be_broken(ledger: Ledger) -> bool:
    """Money was acknowledged, and so was an order that nobody is about to pay: each connection is at one order."""
    return len(ledger.pushes) > 0 and len(ledger.orders) > len(ledger.pushes) + CONNECTIONS


def _one_life(
    folder: Path, database: str, port: int, ledger: Ledger, dice: random.Random, cycle: int,
    may_end: Callable[[Ledger], bool],
) -> None:  # fmt: skip
    environ = {"CHECKOUT_DATABASE": database, "CHECKOUT_ALLOW_PRIVATE": "1", "CHECKOUT_SECRET": "s" * 64,
               "CHECKOUT_BASE_URL": f"http://127.0.0.1:{port}"}  # fmt: skip
    began = time.monotonic()
    server = Server((*CHECKOUT, "serve", "--port", str(port)), environ, folder / "server.log", ROOT)
    try:
        server.wait_until_ready(f"http://127.0.0.1:{port}/healthz")
        ledger.restarts_s.append(time.monotonic() - began)
        if dice.random() < _WORKERS_ALONE:
            _loaded_until_death(port, ledger, dice, f"{cycle}-w", _is_over, partial(_kill_workers, server))
            server.wait_until_ready(f"http://127.0.0.1:{port}/healthz")
        _loaded_until_death(port, ledger, dice, str(cycle), may_end, partial(_kill, server))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()


def _loaded_until_death(
    port: int, ledger: Ledger, dice: random.Random, name: str, may_end: Callable[[Ledger], bool],
    kill: Callable[[], None],
) -> None:  # fmt: skip
    stop = threading.Event()
    threads = [
        threading.Thread(target=_load, args=(port, ledger, stop, f"{name}-{number}")) for number in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    time.sleep(dice.uniform(0.05, 0.6))
    deadline = time.monotonic() + _LIFE_S
    while not may_end(ledger) and time.monotonic() < deadline:
        time.sleep(0.01)
    kill()
    stop.set()
    for thread in threads:
        thread.join()


def _kill(server: Server) -> None:
    """All its processes at once."""
    os.killpg(server.process.pid, signal.SIGKILL)


def _kill_workers(server: Server) -> None:
    """The process that watches them stays and replaces them."""
    for worker in server.children():
        os.kill(worker, signal.SIGKILL)


def _load(port: int, ledger: Ledger, stop: threading.Event, name: str) -> None:
    """Opens orders and reports the money for most of them, and repeats some reports, until the server is gone."""
    dice = random.Random(name)
    connection = HTTPConnection("127.0.0.1", port, timeout=_GIVE_UP_S)
    with closing(connection), suppress(OSError, HTTPException):
        for number in range(1_000_000):
            if stop.is_set():
                return
            _order_and_pay(connection, ledger, dice, f"{name}-{number}")


def _order_and_pay(connection: HTTPConnection, ledger: Ledger, dice: random.Random, number: str) -> None:
    opened = open_order(connection, ledger, number, f"{dice.randint(1, 30_000)}.{dice.randint(0, 99):02d}")
    if opened is None or dice.random() > 0.8:
        return
    t = f"{time.time_ns() // 1_000_000}"
    for _ in range(dice.choice([1, 1, 1, 2])):
        push(connection, ledger, opened[1], t, number)


def kind_of(number: str) -> str:
    """Half of the orders are for WeChat (1), half for Alipay (2): accounts of their own, written to side by side."""
    return str(zlib.crc32(number.encode()) % 2 + 1)


def open_order(connection: HTTPConnection, ledger: Ledger, number: str, price: str) -> tuple[str, str] | None:
    """(token, really price) of an order that was acknowledged, which the ledger keeps."""
    kind = kind_of(number)
    sign = md5(number, "", kind, price, MERCHANT_KEY)
    made = _ask(connection, "/createOrder", {"payId": number, "type": kind, "price": price, "sign": sign})
    if made["code"] in ledger.excused:
        return None
    if made["code"] != 1:
        ledger.unexpected.append(f"the order {number} was refused: {made['msg']}")
        return None
    ledger.orders[number] = (made["data"]["orderId"], str(made["data"]["reallyPrice"]))
    return ledger.orders[number]


def push(connection: HTTPConnection, ledger: Ledger, due: str, t: str, number: str) -> bool | None:
    """The phone's report of the money for an order; an acknowledgement is kept in the ledger. None: ask again."""
    kind = kind_of(number)
    form = {"type": kind, "price": due, "t": t, "sign": md5(kind, due, t, DEVICE_KEY)}
    said = _ask(connection, "/appPush", form)
    if said["code"] in ledger.excused:
        return None
    if said["code"] == 1:
        ledger.pushes[due, t] = number
    else:
        ledger.unexpected.append(f"the push of {due} was refused: {said['msg']}")
    return bool(said["code"] == 1)


def _ask(connection: HTTPConnection, path: str, form: dict[str, str]) -> Any:
    connection.request("POST", path, urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        return {"code": answer.status, "msg": body[:300].decode(errors="replace")}
    return json.loads(body)


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A server that was killed hears no answer."""


@contextmanager
def shop(ledger: Ledger, share: float, at: str = "127.0.0.1") -> Iterator[str]:
    """The merchant's server, which hears a share of the callbacks; gives the address of its notify page."""
    lock, dice = threading.Lock(), random.Random(7)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            (number,) = parse_qs(urlsplit(self.path).query)["payId"]
            with lock:
                hears = dice.random() < share
                ledger.heard[number] += hears
            body = b"success" if hears else b"busy"
            self.send_response(200 if hears else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = _Quiet((at, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{at}:{server.server_address[1]}/notify"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def set_up(database: str | Path, notify_url: str) -> None:
    """A shop with one merchant, an account of each method and one phone."""
    with closing(open_store(str(database))) as opened, opened.transaction() as db:
        store.merchants.add(db, merchant(notify_url=notify_url))
        store.accounts.add(db, account())
        store.accounts.add(db, account(id="ali-main", method=Method.ALIPAY, code="https://qr.alipay.com/x"))
        store.devices.add(db, device(), ["wx-main", "ali-main"])


def _fill(database: Path, orders: int, notify_url: str) -> None:
    """The same shop with many orders that have ended."""
    fill(database, orders)
    with closing(open_store(str(database))) as opened, opened.transaction() as db:
        store.merchants.update(db, merchant(notify_url=notify_url))
        db.run("UPDATE orders SET state = 'expired' WHERE state = 'pending'")  # they have no amounts of their own


def deliver_all(opened: Store, ledger: Ledger) -> None:
    """What is still owed, as a worker would days later, when every lease of a dead one has run out."""
    client, now = Client(allow_private=True, ports=frozenset({80, 443})), int(time.time())
    for day in range(1, 30):
        for one in _due(opened, now + day * 86_400):
            claimed = deliveries.claim(opened, one, now + day * 86_400)
            assert claimed is not None
            deliveries.deliver(opened, protocols.dialects(), client.send, claimed, lambda: now)


def _due(opened: Store, now: int) -> list[Delivery]:
    with opened.read() as db:
        return store.deliveries.due(db, now, limit=1_000_000)


def faults_of(opened: Store, database: str, ledger: Ledger) -> Iterator[str]:
    with opened.read() as db:
        for promise in store.invariants.PROMISES:
            for one in store.invariants.broken(db, promise, int(time.time())):
                yield f"not true for {one}: {promise.sentence}"
        yield from _lost(db, ledger)
    if "://" in database:
        return
    with closing(sqlite3.connect(database)) as raw:
        if raw.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            yield "the database is damaged"


def _lost(db: Rows, ledger: Ledger) -> Iterator[str]:
    """Where what those outside were told differs from what is there."""
    ours = "SELECT number, token, state FROM orders WHERE number NOT LIKE 'B%'"  # the others were there before
    orders = {row[0]: (row[1], row[2]) for row in db.all(ours)}
    stored = Counter(row[0] for row in db.all("SELECT reference FROM payments"))
    for number, (token, _) in ledger.orders.items():
        if orders.get(number, ("", ""))[0] != token:
            yield f"the order {number} was acknowledged and is not there"
    for (due, t), number in ledger.pushes.items():
        if stored[f"phone:{kind_of(number)}:{fen(due)}:{t}"] != 1:
            yield f"the push of {due} at {t} was acknowledged and is not there once"
        if orders[number][1] != "paid":
            yield f"the money for {number} was acknowledged and the order is not paid"
    for number, (_, state) in orders.items():
        if (state == "paid") != (ledger.heard[number] > 0):
            yield f"{number} is {state} and its shop heard of it {ledger.heard[number]} times"

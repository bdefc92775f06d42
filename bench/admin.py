"""`./dev bench admin`: the owner's pages over a database with a million orders, on a real server.

The bar is a median of 200 ms for every page, and a spreadsheet of everything in constant memory.
"""

from __future__ import annotations

import argparse
import http.client
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from bench import servers
from bench.servers import Server
from checkout import ids, owner, sales
from checkout.store import open_store
from tests.world import account, device, merchant

PASSWORD = "a long walk by the sea"
DAYS = 365
BAR_MS = 200
DAY_S = 86_400


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="./dev bench admin", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9, help="how often each page is asked for")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "checkout.db"
        began = time.perf_counter()
        fill(database, options.orders)
        size = database.stat().st_size / 1e6
        print(f"{options.orders:,} orders, {size:,.0f} MB, made in {time.perf_counter() - began:.0f} s")
        servers.pin_driver()
        with servers.checkout(database=str(database)) as server:
            measure(server, options.rounds, options.orders)


def fill(database: Path, orders: int) -> None:
    """A year of three merchants: seven of ten orders paid, most told, some money without an order."""
    store = open_store(str(database))
    with store.transaction() as db:
        from checkout import store as stores

        for number in (1001, 1002, 1003):
            stores.merchants.add(db, merchant(id=number))
        for name, method in (("wx-main", "wechat"), ("ali-main", "alipay")):
            stores.accounts.add(db, account(id=name, method=method))
        stores.devices.add(db, device(beat_at=ids.now()), ["wx-main", "ali-main"])
    store.close()
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    _insert(connection, orders)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    owner.set_password(store, PASSWORD, actor="bench", new_id=ids.new_id, now=ids.now())
    while sales.sum_up(store, ids.now()):
        pass
    store.close()


def _insert(connection: sqlite3.Connection, orders: int) -> None:
    dice, now = random.Random(7), ids.now()
    step = DAYS * DAY_S / orders
    for start in range(0, orders, 20_000):
        rows = [_order(dice, number, now - int(number * step)) for number in range(start, min(orders, start + 20_000))]
        _many(connection, "orders", rows)
        paid = [row for row in rows if row["state"] == "paid"]
        _many(connection, "payments", [_payment(row) for row in paid])
        _many(connection, "deliveries", [_delivery(row) for row in paid])
    stray = [_stray(number, now - number * 600) for number in range(40)]
    _many(connection, "payments", stray)
    _many(connection, "audit", [_note(number, now - number * 60) for number in range(100_000)])


def _many(connection: sqlite3.Connection, table: str, rows: list[dict[str, object]]) -> None:
    if rows:
        names = list(rows[0])
        values = ", ".join(f":{name}" for name in names)
        connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})", rows)


def _order(dice: random.Random, number: int, at: int) -> dict[str, object]:
    state = dice.choices(("paid", "expired", "closed"), (70, 28, 2))[0] if number > 5 else "pending"
    price = dice.choice((990, 1990, 4990, 12_800, 500))
    method = dice.choices(("wechat", "alipay"), (80, 20))[0]
    return {
        "token": f"{dice.getrandbits(128):032x}", "merchant": 1001 + number % 3, "dialect": "vmq",
        "number": f"B{number}", "state": state, "late": int(state == "paid" and dice.random() < 0.01),
        "method": method, "account": {"wechat": "wx-main", "alipay": "ali-main"}[method], "channel": "personal",
        "price": price, "really_price": price + dice.randrange(5), "title": "Tea", "content": "", "param": "",
        "buyer": f"user-{number % 50_000}" if number % 3 == 0 else "", "price_text": "", "notify_url": "",
        "return_url": "", "extra": "{}", "asked": "", "product": "", "created_at": at, "expires_at": at + 300,
        "shown_at": at, "paid_at": at + 40 if state == "paid" else None,
        "closed_at": at + 60 if state == "closed" else None,
    }  # fmt: skip


def _payment(order: dict[str, object]) -> dict[str, object]:
    return {
        "id": f"pay_{order['token']}", "channel": "phone", "reference": order["token"], "device": "phone",
        "method": order["method"], "amount": order["really_price"], "judgement": "matched",
        "order_token": order["token"], "account": order["account"], "raw": "{}", "happened_at": order["paid_at"],
        "received_at": order["paid_at"], "judged_at": order["paid_at"], "merchant": order["merchant"],
    }  # fmt: skip


def _delivery(order: dict[str, object]) -> dict[str, object]:
    return {
        "id": f"msg_{order['token']}", "order_token": order["token"], "merchant": order["merchant"], "dialect": "vmq",
        "event": "order.paid", "url": "https://shop.example/notify", "state": "delivered", "attempts": 1,
        "due_at": order["paid_at"], "created_at": order["paid_at"], "done_at": order["paid_at"],
    }  # fmt: skip


def _stray(number: int, at: int) -> dict[str, object]:
    return {
        "id": f"pay_stray_{number}", "channel": "phone", "reference": f"stray {number}", "device": "phone",
        "method": "wechat", "amount": 990 + number % 9, "judgement": "unmatched", "raw": "{}",
        "note": "No waiting order has this amount.", "happened_at": at, "received_at": at, "judged_at": at,
    }  # fmt: skip


def _note(number: int, at: int) -> dict[str, object]:
    return {
        "id": f"aud_{number:08d}", "at": at, "actor": "bench", "action": "order.confirm", "subject": f"order {number}",
        "detail": "{}",
    }  # fmt: skip


def measure(server: Server, rounds: int, orders: int) -> None:
    browser = Browser(server)
    print(f"{'page':44}{'median ms':>10}{'worst ms':>10}")
    slow = []
    for name, place in _pages(browser, orders):
        times = sorted(browser.get(place)[1] for _ in range(rounds))
        median = statistics.median(times)
        slow += [name] if median > BAR_MS else []
        print(f"{name:44}{median:10.1f}{times[-1]:10.1f}")
    before, _pss = server.memory_mb()
    began = time.perf_counter()
    size, most = browser.drain("/admin/orders.csv", server)
    print(
        f"spreadsheet of everything: {size / 1e6:,.0f} MB in {time.perf_counter() - began:.1f} s,"
        f" RSS {before:.0f} MB before, {most:.0f} MB at most"
    )
    print(f"slower than {BAR_MS} ms: {', '.join(slow) or 'none'}")


def _pages(browser: Browser, orders: int) -> Iterator[tuple[str, str]]:
    now = ids.now()
    middle = f"{now - DAYS * DAY_S // 2}.{'8' * 32}"
    token = browser.get("/admin/orders?state=paid")[0].partition('href="/admin/orders/')[2][:32]
    yield "overview", "/admin"
    yield "orders", "/admin/orders"
    yield "orders, in the middle", f"/admin/orders?before={middle}"
    for name, query in {
        "closed": {"state": "closed"}, "expired": {"state": "expired"}, "waiting": {"state": "pending"},
        "paid late": {"state": "late"}, "Alipay": {"method": "alipay"},
        "late by Alipay": {"state": "late", "method": "alipay"},
        "waiting by Alipay": {"state": "pending", "method": "alipay"},
        "of one merchant": {"merchant": "1002"}, "of one day": {"from": "2026-03-01", "to": "2026-03-01"},
        "number": {"q": f"B{orders // 2}"}, "amount": {"q": "9.92"}, "reference": {"q": "user-300"},
        "nothing fits": {"q": "nobody"},
    }.items():  # fmt: skip
        yield f"orders, {name}", f"/admin/orders?{urlencode(query)}"
    yield "one order", f"/admin/orders/{token}"
    for name in (
        "review", "merchants", "settings", "audit", "audit?noun=order", "status", "accounts", "accounts/wx-main",
        "devices", "statistics", "statistics?period=quarter", "statistics?period=year", "statistics.csv?period=year",
    ):  # fmt: skip
        yield name, f"/admin/{name}"


class Browser:
    """Signed in."""

    def __init__(self, server: Server) -> None:
        self._server = server
        connection = http.client.HTTPConnection(*server.address)
        body = urlencode({"password": PASSWORD})
        connection.request("POST", "/admin/sign-in", body, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        if answer.status != 303:
            raise RuntimeError(f"Signing in answered {answer.status}.")
        cookies = [value.partition(";")[0] for name, value in answer.getheaders() if name == "Set-Cookie"]
        self._headers = {"Cookie": "; ".join(cookies), "Accept-Language": "en"}
        connection.close()

    def get(self, place: str) -> tuple[str, float]:
        """(body, milliseconds) of a page that is there."""
        connection = http.client.HTTPConnection(*self._server.address, timeout=60)
        began = time.perf_counter()
        connection.request("GET", place, headers=self._headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        elapsed = (time.perf_counter() - began) * 1000
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{place} answered {answer.status}.")
        return body, elapsed

    def drain(self, place: str, server: Server) -> tuple[int, float]:
        """(bytes of the answer, RSS in MB at most while it came)."""
        connection = http.client.HTTPConnection(*self._server.address, timeout=600)
        connection.request("GET", place, headers=self._headers)
        answer = connection.getresponse()
        size, most, looked = 0, 0.0, 0.0
        while piece := answer.read(1 << 20):
            size += len(piece)
            if time.perf_counter() - looked > 0.5:
                most, looked = max(most, server.memory_mb()[0]), time.perf_counter()
        connection.close()
        return size, most


if __name__ == "__main__":
    main()

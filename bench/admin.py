"""`./dev bench admin`: the owner's pages over a database with a million orders, on a real server.

The bar is a median of 200 ms for every page, and a spreadsheet of everything in constant memory.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from bench import servers
from bench.fill import DAY_S, DAYS, PASSWORD, fill
from bench.servers import Server
from checkout import ids

BAR_MS = 200


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


def measure(server: Server, rounds: int, orders: int) -> None:
    browser = Browser(server)
    print(f"{'page':44}{'median ms':>10}{'worst ms':>10}")
    slow = []
    for name, place in _pages(browser, orders):
        times = sorted(browser.get(place)[1] for _ in range(rounds))
        median = statistics.median(times)
        slow += [name] if median > BAR_MS else []
        print(f"{name:44}{median:10.1f}{times[-1]:10.1f}")
    for name in ("orders", "payments"):
        before, _pss = server.memory_mb()
        began = time.perf_counter()
        size, most = browser.drain(f"/admin/{name}.csv", server)
        print(
            f"spreadsheet of all {name}: {size / 1e6:,.0f} MB in {time.perf_counter() - began:.1f} s,"
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
    for name, query in {
        "paid": {"state": "matched"}, "late": {"state": "late"}, "by hand": {"state": "linked"},
        "to review": {"state": "review"}, "of an account": {"account": "ali-main"}, "of a phone": {"device": "phone"},
        "amount": {"q": "9.92"}, "late of an amount": {"q": "9.92", "state": "late"}, "order": {"q": f"B{orders // 2}"},
        "reference": {"q": token}, "words": {"q": "nobody"}, "of one day": {"from": "2026-03-01", "to": "2026-03-01"},
        "in the middle": {"before": middle}, "to review, of an account": {"state": "review", "account": "ali-main"},
    }.items():  # fmt: skip
        yield f"payments, {name}", f"/admin/payments?{urlencode(query)}"
    yield "one payment", f"/admin/payments/pay_{token}"
    for name in (
        "payments", "review", "merchants", "merchants/1001", "products", "callbacks", "callbacks?state=failed",
        "webhooks", "settings", "audit", "audit?noun=order", "status", "accounts", "accounts/wx-main", "devices",
        "devices/phone", "devices/notices", "statistics", "statistics?days=7", "statistics?days=90&by=week",
        "statistics?days=365&by=month", "statistics?days=365", "statistics/orders.csv?days=365",
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

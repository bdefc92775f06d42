"""Thousands of open checkout pages on one machine, behind the documented proxy with https.

Every buyer has a connection and an address of his own and polls as his page does, every 2 seconds at first and every 5
in the end. Two crowds: one as it is in a steady shop, of all ages, where each page that ends is followed by a new
buyer's; and one that came all at once, so that every page polls every 2 seconds. The driver runs on the same machine
and takes its part of it.
"""

from __future__ import annotations

import resource
import sqlite3
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from bench import servers
from bench.buyers import Buyer, Crowd, Tally
from bench.driver import ask, percentile
from bench.figures import Figure, Plan, Target, at_most, say
from bench.front import Front, front
from bench.servers import Server
from bench.shop import Shop, data_of
from tests import proxies

_LIFE_S = 300  # of an order
_OPENING_S = 25


def run(plan: Plan) -> Iterator[Figure]:
    _allow_many_files()
    pages = 5000 if plan.is_full else 1000
    kinds = [("nginx", 1), ("nginx", 2), ("caddy", 1)] if plan.is_full else [("nginx", 1)]
    for kind, workers in kinds:
        if proxies.program(kind) is None:
            say(f"  crowd: {kind} is not installed")
            continue
        yield from _behind(kind, workers, pages, plan)


def _behind(kind: str, workers: int, pages: int, plan: Plan) -> Iterator[Figure]:
    port = servers.free_port()
    settings = {"base_url": f"https://127.0.0.1:{port}", "trusted_proxies": "127.0.0.1", "workers": str(workers)}
    with (
        servers.checkout(cpus=servers.all_cpus(), **settings) as server,
        front(kind, port, server.port, plan.folder / f"{kind}-{workers}") as before,
    ):
        shop = Shop(server).furnish()
        crowd = Crowd(before.address, tls=before.tls, replace=lambda buyer: _another(shop, buyer))
        tokens = [order["orderId"] for order in shop.opened(pages)]
        _age(server.database, tokens)
        crowd.open(tokens, _OPENING_S)
        crowd.run(_OPENING_S + 5)
        name = f"{pages:,} pages, {kind}, {workers} worker{'s' if workers > 1 else ''}"
        steady = _measured(crowd, server, before, 45 if plan.is_full else 15)
        yield from _figures(f"{name}, steady", steady, at_most(0))
        rss, pss = server.memory_mb()
        yield Figure("crowd", f"{name}: memory of Checkout, RSS", rss, "MB")
        yield Figure("crowd", f"{name}: memory of Checkout, PSS", pss, "MB")
        yield Figure("crowd", f"{name}: memory of {kind}, PSS", servers.memory_mb(before.process.pid)[1], "MB")
        _rejuvenate(server.database)
        crowd.run(12)
        yield from _figures(f"{name}, all every 2 s", _measured(crowd, server, before, 20), at_most(0))
        crowd.close()


class _Measured:
    def __init__(self, tally: Tally, server_cpu: float, front_cpu: float, driver_cpu: float) -> None:
        self.tally = tally
        self.cpu = {"Checkout": server_cpu, "the proxy": front_cpu, "the driver": driver_cpu}


def _measured(crowd: Crowd, server: Server, before: Front, seconds: float) -> _Measured:
    began = (server.cpu_s(), servers.cpu_s(before.process.pid), time.process_time())
    tally = crowd.run(seconds)
    ended = (server.cpu_s(), servers.cpu_s(before.process.pid), time.process_time())
    shares = [(after - first) / tally.elapsed_s * 100 for first, after in zip(began, ended, strict=True)]
    return _Measured(tally, *shares)


def _figures(name: str, found: _Measured, no_faults: Target) -> Iterator[Figure]:
    tally = found.tally
    due = len(tally.polls) + tally.left_out
    yield Figure("crowd", f"{name}: polls answered", len(tally.polls) / tally.elapsed_s, "/s")
    yield Figure("crowd", f"{name}: polls left out, as one was under way", tally.left_out / due * 100, "%")
    for share in (0.5, 0.99, 0.999):
        slow = percentile(tally.polls, share) * 1000
        yield Figure("crowd", f"{name}: poll, p{share * 100:g}", slow, "ms")
    if tally.pages:
        yield Figure("crowd", f"{name}: new pages", len(tally.pages) / tally.elapsed_s, "/s")
        yield Figure("crowd", f"{name}: page, p50", statistics.median(tally.pages) * 1000, "ms")
        yield Figure("crowd", f"{name}: page, p99", percentile(tally.pages, 0.99) * 1000, "ms")
    yield Figure("crowd", f"{name}: faults", tally.faults, "", target=no_faults)
    for who, cpu in found.cpu.items():
        yield Figure("crowd", f"{name}: CPU of {who}", cpu, "%")
    if tally.faults:
        say(f"  {dict(tally.statuses)}")


def _another(shop: Shop, _buyer: Buyer) -> str:
    """The shop opens an order for a buyer who comes now."""
    answer, _ = ask(shop.server.address, next(shop.creates(shop.prices())))
    return str(data_of(answer.body)["orderId"])


def _age(database: str, tokens: list[str]) -> None:
    """As if they had come one after the other during the last five minutes, but for the time that opening takes."""
    now, span = int(time.time()), _LIFE_S - _OPENING_S - 10
    rows = [(now - place * span // len(tokens), token) for place, token in enumerate(tokens)]
    _write(database, rows)


def _rejuvenate(database: str) -> None:
    """As if all had come now."""
    now = int(time.time())
    with sqlite3.connect(database, timeout=30) as db:
        tokens = [row[0] for row in db.execute("SELECT token FROM orders WHERE state = 'pending'")]
    _write(database, [(now, token) for token in tokens])


def _write(database: str, rows: list[tuple[int, str]]) -> None:
    db = sqlite3.connect(Path(database), timeout=30)
    with db:
        db.executemany(
            f"UPDATE orders SET created_at = ?1, shown_at = ?1, expires_at = ?1 + {_LIFE_S}"
            " WHERE token = ?2 AND state = 'pending'",
            rows,
        )
    db.close()


def _allow_many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

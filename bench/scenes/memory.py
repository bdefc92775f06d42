"""What all processes of a server hold in memory after load: every kind of request, for a while or for an hour."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import servers
from bench.driver import ask, closed_loop, get
from bench.figures import Figure, Plan, at_most, say
from bench.merchants import merchant_server
from bench.shop import Shop

_HOUR_S = 3600
# (RSS, PSS) in MB at the most
_TARGETS = {1: (75, 50), 2: (110, 70)}


def run(plan: Plan) -> Iterator[Figure]:
    for workers in (1, 2) if plan.is_full or plan.hour else (1,):
        yield from _of(workers, _HOUR_S if plan.hour else 60 if plan.is_full else 8)


def _of(workers: int, seconds: float) -> Iterator[Figure]:
    servers.pin_driver()
    cpus = servers.all_cpus() if workers > 1 else None
    with (
        servers.existing_database() as database,
        servers.checkout(cpus=cpus, database=database, workers=str(workers)) as server,
        merchant_server() as shops_server,
    ):
        shop = Shop(server, shops_server).furnish()
        fresh = server.memory_mb()
        _work(shop, seconds)
        loaded = server.memory_mb()
    name = "one worker" if workers == 1 else f"{workers} workers"
    yield Figure("memory", f"{name}, fresh, RSS", fresh[0], "MB")
    for kind, value, bound in zip(("RSS", "PSS"), loaded, _TARGETS[workers], strict=True):
        yield Figure("memory", f"{name}, after {seconds:g} s of load, {kind}", value, "MB", target=at_most(bound))


def _work(shop: Shop, seconds: float) -> None:
    """A day of a busy shop again and again: orders, pages, pictures, polls, pushes, callbacks."""
    until, said = time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < until:
        orders = shop.opened(64)
        for path in ("/pay/{}", "/pay/{}/qr.png", "/pay/{}/help"):
            requests = iter([get(path.format(order["orderId"])) for order in orders])
            closed_loop(shop.server.address, requests, connections=8, seconds=60)
        closed_loop(shop.server.address, iter(shop.polls(20) * 100), connections=8, seconds=60)
        closed_loop(shop.server.address, shop.pushes(orders), connections=8, seconds=60)
        closed_loop(
            shop.server.address, iter([get(f"/pay/{order['orderId']}") for order in orders]), connections=8, seconds=60
        )
        ask(shop.server.address, get("/healthz"))
        if time.monotonic() - said > 60:
            said = time.monotonic()
            rss, pss = shop.server.memory_mb()
            say(f"  memory: RSS {rss:.1f} MB, PSS {pss:.1f} MB, {until - said:.0f} s to go")

"""The same requests over a thousand, a hundred thousand and a million orders: what grows with the data?

Three servers, each with its database, take turns on the same CPU.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import servers
from bench.driver import closed_loop, percentile
from bench.figures import Figure, Plan, at_most, median_ratio
from bench.fill import copy_of
from bench.merchants import MerchantServer, merchant_server
from bench.scenes.routes import Taken, hot_routes
from bench.shop import Shop, only

SIZES = (1_000, 100_000, 1_000_000)
_BOUND = 1.05
_SLOWEST_MS = 8  # p99 below it is fine whatever it was before


def run(plan: Plan) -> Iterator[Figure]:
    servers.pin_driver()
    sizes = SIZES if plan.is_full else SIZES[:2]
    with ExitStack() as stack:
        heard = stack.enter_context(merchant_server())
        copies = Path(stack.enter_context(TemporaryDirectory(dir=plan.folder)))
        shops = {size: _shop(stack, heard, copy_of(size, plan.folder, copies / f"{size}.db")) for size in sizes}
        routes = {size: _routes(shop, plan.seconds) for size, shop in shops.items()}
        found = _in_turn(routes, plan.rounds * 2)
    for route in routes[sizes[0]]:
        yield from _figures(route, {size: found[size, route] for size in sizes})


def _shop(stack: ExitStack, heard: MerchantServer, path: Path) -> Shop:
    shop = Shop(stack.enter_context(servers.checkout(database=str(path))), heard).furnish()
    for name in ("wx-main", "ali-main"):
        servers.command(shop.server, "account", "disable", name)
    _work_off(shop)
    return shop


def _work_off(shop: Shop) -> None:
    """A new server has something to catch up with: wait until it is idle."""
    for _ in range(120):
        before = shop.server.cpu_s()
        time.sleep(0.5)
        if shop.server.cpu_s() - before < 0.05:
            return


def _routes(shop: Shop, seconds: float) -> dict[str, Callable[[], Taken]]:
    return {**hot_routes(shop, seconds, connections=1), "push": partial(_pushes, shop, seconds)}


def _pushes(shop: Shop, seconds: float) -> Taken:
    requests = shop.pushes(shop.opened(int(400 * seconds)))
    before = shop.server.cpu_s()
    outcome = closed_loop(shop.server.address, requests, connections=1, seconds=seconds)
    return Taken(only(outcome, 200), shop.server.cpu_s() - before)


def _in_turn(routes: dict[int, dict[str, Callable[[], Taken]]], rounds: int) -> dict[tuple[int, str], list[Taken]]:
    found: dict[tuple[int, str], list[Taken]] = {(size, name): [] for size in routes for name in routes[size]}
    for number in range(rounds):
        sizes = list(routes) if number % 2 == 0 else list(reversed(routes))
        for name in routes[sizes[0]]:
            for size in sizes:
                found[size, name].append(routes[size][name]())
    return found


def _figures(route: str, found: dict[int, list[Taken]]) -> Iterator[Figure]:
    sizes = list(found)
    measures: dict[str, tuple[str, Callable[[Taken], float]]] = {
        "p50": ("ms", lambda one: statistics.median(one.outcome.latencies) * 1000),
        "CPU": ("µs", lambda one: one.cpu_us),
        "p99": ("ms", lambda one: percentile(one.outcome.latencies, 0.99) * 1000),
    }
    for name, (unit, of) in measures.items():
        first = [of(one) for one in found[sizes[0]]]
        for size in sizes:
            values = [of(one) for one in found[size]]
            words, median = f"{route}, {size:,} orders, {name}", statistics.median(values)
            if size == sizes[0]:
                yield Figure("growth", words, median, unit)
            elif name == "p99":
                bound = max(1.5 * statistics.median(first), _SLOWEST_MS)
                yield Figure("growth", words, median, unit, target=at_most(round(bound, 1)))
            else:
                ratio = median_ratio(values, first)
                yield Figure("growth", words, median, unit, ratio, f"{sizes[0]:,}", at_most(_BOUND))

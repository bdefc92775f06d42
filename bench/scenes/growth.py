"""The same requests over a thousand, a hundred thousand and a million orders: what grows with the data?

Servers with a database each take turns on the same CPU, in many short slices, each time in another order. Two of them
have a thousand orders: how far they are apart is what this machine cannot tell from growth.
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
_SLICES = 6  # of a measurement, each in a round of its own
_TWIN = f"another {SIZES[0]:,} orders"

Routes = dict[str, Callable[[], Taken]]


def run(plan: Plan) -> Iterator[Figure]:
    servers.pin_driver()
    sizes = SIZES if plan.is_full else SIZES[:2]
    with ExitStack() as stack:
        heard = stack.enter_context(merchant_server())
        copies = Path(stack.enter_context(TemporaryDirectory(dir=plan.folder)))
        routes: dict[str, Routes] = {}
        for size, words in zip((SIZES[0], *sizes), (_TWIN, *map("{:,} orders".format, sizes)), strict=True):
            path = copy_of(size, plan.folder, copies / f"{len(routes)}.db")
            routes[words] = _routes(_shop(stack, heard, path, f"shop{len(routes)}"), plan.seconds / _SLICES * 2)
        found = _in_turn(routes, plan.rounds * _SLICES)
    for route in found:
        yield from _figures(route, found[route], f"{SIZES[0]:,} orders")


def _shop(stack: ExitStack, heard: MerchantServer, path: Path, name: str) -> Shop:
    shop = Shop(stack.enter_context(servers.checkout(database=str(path))), heard, name).furnish()
    for account in ("wx-main", "ali-main"):
        servers.command(shop.server, "account", "disable", account)
    _work_off(shop)
    return shop


def _work_off(shop: Shop) -> None:
    """A new server has something to catch up with, a large database to read behind everything else: wait until it is
    idle."""
    for _ in range(600):
        before = shop.server.cpu_s()
        time.sleep(0.5)
        if shop.server.cpu_s() - before < 0.05 and not _has_a_last_in_line(shop):
            return


def _has_a_last_in_line(shop: Shop) -> bool:
    """Whether a thread of the lowest priority runs: the one that reads the database."""
    tasks = [task for pid in servers.family(shop.server.process.pid) for task in Path(f"/proc/{pid}/task").iterdir()]
    nice = 16  # proc(5): the 19th field, the third comes after the name
    return any(int((task / "stat").read_text().rpartition(")")[2].split()[nice]) == 19 for task in tasks)


def _routes(shop: Shop, seconds: float) -> Routes:
    return {**hot_routes(shop, seconds, connections=1), "push": partial(_pushes, shop, seconds)}


def _pushes(shop: Shop, seconds: float) -> Taken:
    """With their callbacks, each of which has come when it ends."""
    orders = shop.opened(int(400 * seconds))
    before = shop.server.cpu_s()
    outcome = closed_loop(shop.server.address, shop.pushes(orders), connections=1, seconds=seconds)
    assert shop.merchant_server
    for order in orders[: len(outcome.latencies)]:
        shop.merchant_server.wait_for(order["payId"])
    return Taken(only(outcome, 200), shop.server.cpu_s() - before)


def _in_turn(routes: dict[str, Routes], rounds: int) -> dict[str, dict[str, list[Taken]]]:
    """By route, then by database: what disturbs the machine for a while disturbs all of a round."""
    names = list(routes)
    found: dict[str, dict[str, list[Taken]]] = {route: {name: [] for name in names} for route in routes[names[0]]}
    for number in range(rounds):
        turn = number % len(names)
        order = names[turn:] + names[:turn]
        for route, taken in found.items():
            for name in order if number % 2 else reversed(order):
                taken[name].append(routes[name][route]())
    return found


def _figures(route: str, found: dict[str, list[Taken]], beside: str) -> Iterator[Figure]:
    measures: dict[str, tuple[str, Callable[[Taken], float]]] = {
        "p50": ("ms", lambda one: statistics.median(one.outcome.latencies) * 1000),
        "CPU": ("µs", lambda one: one.cpu_us),
        "p99": ("ms", lambda one: percentile(one.outcome.latencies, 0.99) * 1000),
    }
    for name, (unit, of) in measures.items():
        first = [of(one) for one in found[beside]]
        for size, taken in found.items():
            values = [of(one) for one in taken]
            words, median = f"{route}, {size}, {name}", statistics.median(values)
            if size == beside:
                yield Figure("growth", words, median, unit)
            elif name == "p99":
                bound = max(1.5 * statistics.median(first), _SLOWEST_MS)
                yield Figure("growth", words, median, unit, target=at_most(round(bound, 1)))
            else:
                target = None if size == _TWIN else at_most(_BOUND)
                yield Figure("growth", words, median, unit, median_ratio(values, first), beside, target)

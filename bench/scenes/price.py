"""Many orders of one price wait at once: does the amount of the next one take longer to find?"""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator

from bench import servers
from bench.driver import closed_loop
from bench.figures import Figure, Plan, at_least, at_most, median_ratio
from bench.shop import Shop, data_of

_SAMPLE, _BLOCK = 50, 10
_WAITING = (0, 100, 300, 500)
_FEN = 77_700

Took = dict[int, dict[str, list[float]]]  # by how many wait, then by what was measured


def run(plan: Plan) -> Iterator[Figure]:
    servers.pin_driver()
    took: Took = defaultdict(lambda: defaultdict(list))
    for _ in range(plan.rounds if plan.is_full else 2):
        _round(took)
    for waiting in _WAITING:
        name = f"create order while {waiting} of its price wait"
        slower, dearer = (median_ratio(took[waiting][what], took[waiting][f"{what}, alone"]) for what in _WHAT)
        p50, cpu = (statistics.median(took[waiting][what]) for what in _WHAT)
        yield Figure("one price", f"{name}, p50", p50, "ms", slower, "alone", at_most(1.3) if waiting else None)
        yield Figure("one price", f"{name}, CPU", cpu, "µs", dearer, "alone")
    yield Figure("one price", "orders that wait at once", max(_WAITING) + _SAMPLE, "", target=at_least(300))


_WHAT = ("p50", "CPU")


def _round(took: Took) -> None:
    """All of one price wait, each for an amount of its own. Orders of prices for which nobody waits take turns with
    them: what the machine and the database do at that moment, both have."""
    amounts, waiting = set(), 0
    with servers.checkout() as server:
        shop = Shop(server).furnish()
        shop.opened(50, connections=1)
        while waiting <= max(_WAITING):
            for _ in range(_SAMPLE // _BLOCK):
                amounts |= _block(shop, itertools.repeat(_FEN, _BLOCK), took[waiting], "")
                _block(shop, itertools.islice(shop.prices(), _BLOCK), took[waiting], ", alone")
            waiting += _SAMPLE
    assert len(amounts) == waiting


def _block(shop: Shop, prices: Iterable[int], took: dict[str, list[float]], name: str) -> set[str]:
    """Opens an order of each price, one at a time. Gives what is to be paid."""
    before = shop.server.cpu_s()
    requests = shop.creates(prices, kind="2")
    outcome = closed_loop(shop.server.address, requests, connections=1, seconds=600, keep_bodies=True)
    took[f"CPU{name}"].append((shop.server.cpu_s() - before) / _BLOCK * 1e6)
    took[f"p50{name}"].append(statistics.median(outcome.latencies) * 1000)
    return {data_of(body)["reallyPrice"] for body in outcome.bodies}

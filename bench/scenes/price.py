"""Many orders of one price wait at once: does the amount of the next one take longer to find?"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator

from bench import servers
from bench.driver import closed_loop
from bench.figures import Figure, Plan, at_least, at_most, median_ratio
from bench.shop import Shop, data_of

_SAMPLE = 50
_WAITING = (0, 100, 300, 500)
_FEN = 77_700


def run(plan: Plan) -> Iterator[Figure]:
    servers.pin_driver()
    rounds = [_round() for _ in range(plan.rounds if plan.is_full else 2)]
    for waiting in _WAITING:
        p50 = [one[waiting][0] for one in rounds]
        cpu = [one[waiting][1] for one in rounds]
        name = f"create order while {waiting} of its price wait"
        if waiting:
            slower = median_ratio(p50, [one[0][0] for one in rounds])
            yield Figure("one price", f"{name}, p50", statistics.median(p50), "ms", slower, "first", at_most(1.3))
            dearer = median_ratio(cpu, [one[0][1] for one in rounds])
            yield Figure("one price", f"{name}, CPU", statistics.median(cpu), "µs", dearer, "first")
        else:
            yield Figure("one price", f"{name}, p50", statistics.median(p50), "ms")
            yield Figure("one price", f"{name}, CPU", statistics.median(cpu), "µs")
    yield Figure("one price", "orders that wait at once", max(_WAITING) + _SAMPLE, "", target=at_least(300))


def _round() -> dict[int, tuple[float, float]]:
    """By how many wait: (ms that an order takes, p50; µs of CPU). All wait, each for an amount of its own."""
    found, amounts, waiting = {}, set(), 0
    with servers.checkout() as server:
        shop = Shop(server).furnish()
        shop.opened(50, connections=1)
        while waiting <= max(_WAITING):
            before = server.cpu_s()
            requests = shop.creates(itertools.repeat(_FEN, _SAMPLE), kind="2")
            outcome = closed_loop(server.address, requests, connections=1, seconds=600, keep_bodies=True)
            cpu_us = (server.cpu_s() - before) / _SAMPLE * 1e6
            if waiting in _WAITING:
                found[waiting] = (statistics.median(outcome.latencies) * 1000, cpu_us)
            amounts |= {data_of(body)["reallyPrice"] for body in outcome.bodies}
            waiting += _SAMPLE
    assert len(amounts) == waiting
    return found

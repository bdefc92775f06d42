"""Servers that share one PostgreSQL, as on several machines: what a second and a fourth one add to one.

All of them, the database and the driver share the processors of this machine: on machines of their own, more.
"""

from __future__ import annotations

import itertools
import os
import statistics
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

from bench import servers
from bench.driver import closed_loop
from bench.figures import Figure, Plan
from bench.servers import Server
from bench.shop import Shop
from tests import postgres

_COUNTS = (1, 2, 4)
_CONNECTIONS = 8
_MOST_A_SECOND = 2000


def run(plan: Plan) -> Iterator[Figure]:
    found: dict[int, list[tuple[float, float]]] = {count: [] for count in _COUNTS}
    alone: list[tuple[float, float]] = []
    with closing(_Database()) as database:
        for number in range(plan.rounds):
            for count in _COUNTS:
                found[count].append(_measured(plan.seconds, count, f"r{number}c{count}", database.new()))
            alone.append(_measured(plan.seconds, 1, f"r{number}", ""))
    yield from _figures("one server on SQLite", alone, alone)
    for count in _COUNTS:
        yield from _figures(f"{count} server{'s' * (count > 1)} on PostgreSQL", found[count], found[1])


class _Database:
    """A PostgreSQL that syncs to the disk, as it does where it is installed."""

    def __init__(self) -> None:
        self._server = postgres.Server(postgres.programs(), "max_connections=200")

    def new(self) -> str:
        return self._server.create()

    def close(self) -> None:
        self._server.remove(os.getpid())


def _measured(seconds: float, count: int, name: str, database: str) -> tuple[float, float]:
    """(creates, polls) a second, of all servers together."""
    named = {"database": database} if database else {}
    with ExitStack() as stack:
        first = stack.enter_context(servers.checkout(cpus=servers.all_cpus(), **named))
        others = [stack.enter_context(servers.checkout(cpus=servers.all_cpus(), **named)) for _ in range(count - 1)]
        shop = Shop(first, name=name).furnish()
        polls = shop.polls()
        prepared = list(itertools.islice(shop.creates(shop.prices()), int(_MOST_A_SECOND * seconds)))
        creates = _together([first, *others], [prepared[at::count] for at in range(count)], seconds)
        return creates, _together([first, *others], [itertools.cycle(polls) for _ in range(count)], seconds)


def _together(targets: list[Server], requests: Sequence[Iterable[bytes]], seconds: float) -> float:
    """Answers a second."""
    with ThreadPoolExecutor(len(targets)) as pool:
        running = [
            pool.submit(
                closed_loop, server.address, iter(work), connections=_CONNECTIONS // len(targets), seconds=seconds
            )
            for server, work in zip(targets, requests, strict=True)
        ]
        return sum(one.result().per_second for one in running)


def _figures(name: str, found: list[tuple[float, float]], beside: list[tuple[float, float]]) -> Iterator[Figure]:
    for at, what in enumerate(("create order", "poll")):
        value, one = (statistics.median(pair[at] for pair in some) for some in (found, beside))
        yield Figure("machines", f"{what}, {name}", value, "/s", value / one, "one")

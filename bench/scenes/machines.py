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
from itertools import product

from bench import servers
from bench.driver import closed_loop
from bench.figures import Figure, Plan
from bench.servers import Server
from bench.shop import Shop
from tests import postgres

_COUNTS = (1, 2, 4)
_ACCOUNTS = (1, 8)  # of one method, each with a phone of its own
_COMMITS = ("", ", commit of 50 ms")
_SLOW = (
    "commit_delay=50000",
    "commit_siblings=0",
)  # far away: then the processors do not matter, only who waits for whom
_Case = tuple[str, int, int]
_CONNECTIONS = 8
_MOST_A_SECOND = 2000


def run(plan: Plan) -> Iterator[Figure]:
    found: dict[_Case, list[tuple[float, float]]] = {case: [] for case in product(_COMMITS, _COUNTS, _ACCOUNTS)}
    alone: list[tuple[float, float]] = []
    with closing(_Database()) as quick, closing(_Database(*_SLOW)) as slow:
        for number in range(plan.rounds):
            for commit, count, accounts in found:
                name, database = f"r{number}c{count}a{accounts}", (slow if commit else quick).new()
                found[commit, count, accounts].append(
                    _measured(plan.seconds, count, name, database, accounts, reads=not commit)
                )
            alone.append(_measured(plan.seconds, 1, f"r{number}", "", 1))
    yield from _figures("one server on SQLite", alone, alone)
    for (commit, count, accounts), pairs in found.items():
        named = f"{count} server{'s' * (count > 1)}, {accounts} account{'s' * (accounts > 1)}{commit}"
        yield from _figures(named, pairs, found[commit, 1, 1])


class _Database:
    """A PostgreSQL that syncs to the disk, as it does where it is installed."""

    def __init__(self, *settings: str) -> None:
        self._server = postgres.Server(postgres.programs(), "max_connections=200", *settings)

    def new(self) -> str:
        return self._server.create()

    def close(self) -> None:
        self._server.remove(os.getpid())


def _measured(
    seconds: float, count: int, name: str, database: str, accounts: int, *, reads: bool = True
) -> tuple[float, float]:
    """(creates, polls) a second, of all servers together."""
    named = {"database": database} if database else {}
    with ExitStack() as stack:
        first = stack.enter_context(servers.checkout(cpus=servers.all_cpus(), **named))
        others = [stack.enter_context(servers.checkout(cpus=servers.all_cpus(), **named)) for _ in range(count - 1)]
        shop = Shop(first, name=name).furnish(more_accounts=accounts - 1)
        polls = shop.polls() if reads else []
        prepared = list(itertools.islice(shop.creates(shop.prices()), int(_MOST_A_SECOND * seconds)))
        creates = _together([first, *others], [prepared[at::count] for at in range(count)], seconds)
        if not polls:
            return creates, 0
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
        if value:
            yield Figure("machines", f"{what}, {name}", value, "/s", value / one, "one")

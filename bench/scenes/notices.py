"""Notices of official accounts, from the moment the gateway sends one to its answer: genuine ones, which are booked by
then, and the same with a changed field, which are refused. The gateways are the demo's, over HTTP."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.driver import percentile
from bench.figures import Figure, Plan, at_most
from checkout.model.orders import State
from tests.officials import COUNTERS, Counter, official

_BOUND_MS = 1000

Notice = tuple[str, bytes, dict[str, str]]  # address, body, headers


def run(plan: Plan) -> Iterator[Figure]:
    logging.disable(logging.WARNING)  # a line for each request, and one for each that is refused
    for channel in COUNTERS:
        with TemporaryDirectory(dir=plan.folder) as folder, official(Path(folder)) as made:
            made.add_account(channel)
            yield from _figures(Counter(made, channel), 100 if plan.is_full else 20)


def _figures(counter: Counter, count: int) -> Iterator[Figure]:
    taken_s: list[float] = []
    refused_s: list[float] = []
    for number in range(count):
        order = counter.begin(f"N{number}")
        counter.pay(order)
        notice = counter.notice(order)
        refused_s.append(_answered(counter, _changed(*notice), False))
        assert counter.made.state(order) is State.PENDING
        taken_s.append(_answered(counter, notice, True))
        assert counter.made.state(order) is State.PAID
    for what, seconds in (("genuine", taken_s), ("changed", refused_s)):
        name = f"{counter.channel}, {what}, p99"
        yield Figure("notices", name, percentile(seconds, 0.99) * 1000, "ms", target=at_most(_BOUND_MS))


def _changed(url: str, body: bytes, headers: dict[str, str]) -> Notice:
    """Another amount; where that is encrypted, one byte more."""
    dearer = url.replace("fee=990", "fee=991"), body.replace(b"990", b"991").replace(b"9.90", b"9.91")
    return (*(dearer if dearer != (url, body) else (url, body + b" ")), headers)


def _answered(counter: Counter, notice: Notice, is_taken: bool) -> float:
    """Seconds to the answer."""
    began = time.perf_counter()
    assert counter.send(notice) is is_taken
    return time.perf_counter() - began

"""What one server answers on its hot routes, 8 connections, beside Flask "hello" and a file under the same gunicorn."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench import servers
from bench.driver import Outcome, closed_loop, get, open_loop
from bench.figures import Figure, Plan, Target, at_least, at_most, median_ratio
from bench.hello import FILE
from bench.servers import Server
from bench.shop import Shop, data_of, only

CONNECTIONS = 8
TARGETS = {
    "poll, nothing new": at_least(1.25),
    "create order": at_least(0.65),
    # Three quarters of vmq-go's best, which it had with 4 connections: 13,700 a second where hello gave 4,300.
    "poll, 4 connections": at_least(2.4),
    "poll, 32 connections": at_least(2.4),
}
TARGETS_OF_FLASK = {"poll, nothing new": at_least(0.80), "create order": at_least(0.45)}
TARGETS_OF_TWO = {"poll, nothing new": at_least(2.0), "create order": at_least(0.70)}
_SLOWEST_CREATE = at_most(8)  # ms, p99
_POLLS_A_SECOND, _CREATES_A_SECOND = 1000, 200
_MANY = 100_000


@dataclass(frozen=True, slots=True)
class Taken:
    """One measurement: the outcome, and the CPU that the server used for it, in seconds."""

    outcome: Outcome
    cpu_s: float

    @property
    def cpu_us(self) -> float:
        return self.cpu_s / len(self.outcome.latencies) * 1e6


Measure = Callable[[], Taken]


def run(plan: Plan) -> Iterator[Figure]:
    yield from _one_process(plan)
    if plan.is_full:
        yield from _flask_alone(plan)
        yield from _two_processes(plan)


def _one_process(plan: Plan) -> Iterator[Figure]:
    servers.pin_driver()
    with servers.hello() as base, servers.checkout() as ours:
        shop = Shop(ours).furnish()
        runs = {
            "hello": lambda: taken(base, itertools.repeat(get("/")), plan.seconds),
            "a file": lambda: taken(base, itertools.repeat(get(FILE)), plan.seconds),
            **hot_routes(shop, plan.seconds),
            **{f"poll, {by} connections": hot_routes(shop, plan.seconds, by)["poll, nothing new"] for by in (4, 32)},
        }
        rounds = in_turn(runs, plan.rounds)
        yield from _figures("one process", rounds, TARGETS)
        yield from _by_the_clock(shop, plan.seconds)
        if plan.is_full:
            yield from _many_creates(shop)


def _by_the_clock(shop: Shop, seconds: float) -> Iterator[Figure]:
    """Requests that leave whether or not the ones before are answered, as those of people do."""
    polls = itertools.cycle(shop.polls())
    asked = {
        f"poll, {_POLLS_A_SECOND} a second by the clock": (polls, _POLLS_A_SECOND, 204),
        f"create order, {_CREATES_A_SECOND} a second by the clock": (
            shop.creates(shop.prices()), _CREATES_A_SECOND, 200
        ),
    }  # fmt: skip
    for name, (requests, rate, status) in asked.items():
        outcome = open_loop(shop.server.address, requests, rate=rate, connections=64, seconds=seconds)
        only(outcome, status)
        for share in (0.5, 0.99):
            yield Figure("one process", f"{name}, p{share * 100:g}", outcome.percentile(share) * 1000, "ms")


def _many_creates(shop: Shop) -> Iterator[Figure]:
    """At full speed: none refused, no token given twice."""
    requests = shop.creates(itertools.islice(shop.prices(), _MANY))
    outcome = closed_loop(shop.server.address, requests, connections=CONNECTIONS, seconds=3600, keep_bodies=True)
    tokens = {data_of(body)["orderId"] for body in only(outcome, 200).bodies}
    yield Figure("one process", f"{_MANY:,} creates at full speed, different orders", len(tokens), "",
                 target=at_least(_MANY))  # fmt: skip
    yield Figure("one process", f"{_MANY:,} creates at full speed", outcome.per_second, "/s")
    yield Figure("one process", f"{_MANY:,} creates at full speed, p99", outcome.percentile(0.99) * 1000, "ms")


def _flask_alone(plan: Plan) -> Iterator[Figure]:
    """What the routes cost without our reader and the shortcuts before the router."""
    with servers.hello() as base, servers.plain() as ours:
        shop = Shop(ours).furnish()
        runs = {
            "hello": lambda: taken(base, itertools.repeat(get("/")), plan.seconds),
            **hot_routes(shop, plan.seconds),
        }
        rounds = in_turn(runs, plan.rounds)
    yield from _figures("Flask alone", rounds, TARGETS_OF_FLASK)


def _two_processes(plan: Plan) -> Iterator[Figure]:
    """On both CPUs, of which the driver takes its part."""
    servers.pin_driver()
    with servers.hello() as base, servers.checkout(cpus=servers.all_cpus(), workers="2") as ours:
        shop = Shop(ours).furnish()
        runs = {
            "hello": lambda: taken(base, itertools.repeat(get("/")), plan.seconds),
            **hot_routes(shop, plan.seconds),
        }
        rounds = in_turn(runs, plan.rounds)
    yield from _figures("two processes", rounds, TARGETS_OF_TWO)


def hot_routes(shop: Shop, seconds: float, connections: int = CONNECTIONS) -> dict[str, Measure]:
    """What buyers and shops ask most; each call makes the orders that it needs first."""

    def poll() -> Taken:
        return taken(shop.server, itertools.cycle(shop.polls()), seconds, connections, status=204)

    def page() -> Taken:
        return taken(shop.server, itertools.cycle(shop.pages()), seconds, connections)

    def create() -> Taken:
        return taken(shop.server, shop.creates(shop.prices()), seconds, connections)

    return {"poll, nothing new": poll, "checkout page": page, "create order": create}


def taken(
    server: Server, requests: Iterator[bytes], seconds: float, connections: int = CONNECTIONS, status: int = 200
) -> Taken:
    before = server.cpu_s()
    outcome = closed_loop(server.address, requests, connections=connections, seconds=seconds)
    return Taken(only(outcome, status), server.cpu_s() - before)


def in_turn(runs: dict[str, Measure], rounds: int) -> dict[str, list[Taken]]:
    """Every measurement once, then every one again: what disturbs the machine for a while disturbs all of them."""
    found: dict[str, list[Taken]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in list(runs) if number % 2 == 0 else reversed(list(runs)):
            found[name].append(runs[name]())
    return found


def _figures(scenario: str, rounds: dict[str, list[Taken]], targets: dict[str, Target]) -> Iterator[Figure]:
    base = [one.outcome.per_second for one in rounds["hello"]]
    for name, found in rounds.items():
        rates = [one.outcome.per_second for one in found]
        ratio = None if name == "hello" else median_ratio(rates, base)
        beside = "" if ratio is None else "hello"
        yield Figure(scenario, name, statistics.median(rates), "/s", ratio, beside, targets.get(name))
        cpu = [one.cpu_us for one in found]
        dearer = None if name == "hello" else median_ratio(cpu, [one.cpu_us for one in rounds["hello"]])
        yield Figure(scenario, f"{name}, CPU", statistics.median(cpu), "µs", dearer, beside)
        slowest = statistics.median(one.outcome.percentile(0.99) for one in found) * 1000
        yield Figure(scenario, f"{name}, p99", slowest, "ms", target=_SLOWEST_CREATE if "create" in name else None)

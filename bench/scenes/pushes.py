"""From the phone's push to the merchant's server: one at a time, eight at once, and beside a merchant that hangs."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator
from typing import Any

from bench import servers
from bench.driver import ask, closed_loop, percentile
from bench.figures import Figure, Plan, at_least, at_most
from bench.merchants import MerchantServer, merchant_server
from bench.shop import Shop, data_of, only

_SLOW_S = 3  # what the merchant that hangs takes
_STUCK_S, _MANY = 9, 50
_BLOCK = 100  # orders are opened, then paid
_HANGING = 20  # of its orders are paid


def run(plan: Plan) -> Iterator[Figure]:
    servers.pin_driver()
    with servers.checkout() as server, merchant_server() as shops_server:
        shop = Shop(server, shops_server).furnish()
        yield from _one_at_a_time(shop, 20 if plan.is_full else 3)
        yield from _eight_at_once(shop, "8 connections", 4000 if plan.is_full else 1000)
    two = servers.checkout(cpus=servers.all_cpus(), workers="2")
    with two as server, merchant_server() as shops_server:
        shop = Shop(server, shops_server).furnish()
        yield from _eight_at_once(shop, "two processes, 8 connections", 4000 if plan.is_full else 1000)
    with servers.checkout() as server, merchant_server() as quick, merchant_server("127.0.0.2", _SLOW_S) as slow:
        shop = Shop(server, quick).furnish()
        yield from _beside_a_slow_merchant(shop, Shop(server, slow, "slow"), 3 if plan.is_full else 1)
    if plan.is_full:
        everywhere = "0.0.0.0"  # noqa: S104 - of which the loopback addresses are asked
        with servers.checkout() as server, merchant_server() as quick, merchant_server(everywhere, _STUCK_S) as slow:
            yield from _beside_many(Shop(server, quick).furnish(), slow)


def _one_at_a_time(shop: Shop, blocks: int) -> Iterator[Figure]:
    """The first pushes of all make the log of the database longer, which later ones write over: theirs is a figure of
    its own."""
    _, first = told_one_by_one(shop, shop.opened(_BLOCK))
    answered: list[float] = []
    told: list[float] = []
    for _ in range(blocks):
        more_answered, more_told = told_one_by_one(shop, shop.opened(_BLOCK))
        answered, told = answered + more_answered, told + more_told
    yield Figure("push", "push → callback, p50", statistics.median(told) * 1000, "ms", target=at_most(1.2))
    yield Figure("push", "push → callback, p99", percentile(told, 0.99) * 1000, "ms", target=at_most(3))
    yield Figure("push", f"push → callback, the first {_BLOCK}, p50", statistics.median(first) * 1000, "ms")
    yield Figure("push", "push → answer, p50", statistics.median(answered) * 1000, "ms")
    yield Figure("push", "push → answer, p99", percentile(answered, 0.99) * 1000, "ms")


def told_one_by_one(shop: Shop, orders: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    """(push sent → answered, push sent → callback at the merchant's server), in seconds."""
    assert shop.merchant_server
    answered: list[float] = []
    told: list[float] = []
    for order in orders:
        began = time.perf_counter()
        answer, elapsed = ask(shop.server.address, shop.push(order["reallyPrice"]))
        assert b'"code":1' in answer.body.replace(b" ", b""), answer
        answered.append(elapsed)
        told.append(shop.merchant_server.wait_for(order["payId"]) - began)
    return answered, told


def _eight_at_once(shop: Shop, name: str, count: int) -> Iterator[Figure]:
    orders = shop.opened(count)
    assert shop.merchant_server
    before, began = shop.server.cpu_s(), time.perf_counter()
    outcome = only(closed_loop(shop.server.address, shop.pushes(orders), connections=8, seconds=600), 200)
    cpu_us = (shop.server.cpu_s() - before) / count * 1e6
    last = max(shop.merchant_server.wait_for(order["payId"], 120) for order in orders)
    yield Figure("push", name, outcome.per_second, "/s", target=at_least(1500))
    yield Figure("push", f"{name}, p99", outcome.percentile(0.99) * 1000, "ms", target=at_most(10))
    yield Figure("push", f"{name}, CPU with the callback", cpu_us, "µs")
    yield Figure("push", f"{name}, callbacks to one host until all {count} came", count / (last - began), "/s")


def _beside_a_slow_merchant(shop: Shop, slow: Shop, rounds: int) -> Iterator[Figure]:
    shares: list[float] = []
    answered: list[float] = []
    told: list[float] = []
    for _ in range(rounds):
        calm = _polls_a_second(shop)
        slow.device_key = shop.device_key
        for request in slow.pushes(slow.opened(_HANGING)):
            ask(shop.server.address, request)
        shares.append(_polls_a_second(shop) / calm)
        more_answered, more_told = told_one_by_one(shop, shop.opened(100))
        answered, told = answered + more_answered, told + more_told
    name = f"while a merchant takes {_SLOW_S} s: "
    share = statistics.median(shares)
    yield Figure("push", f"{name}polls", share, "", share, "calm", at_least(0.9))
    yield Figure("push", f"{name}push, p99", percentile(answered, 0.99) * 1000, "ms", target=at_most(15))
    yield Figure("push", f"{name}other callbacks, p99", percentile(told, 0.99) * 1000, "ms", target=at_most(50))


def _beside_many(shop: Shop, slow: MerchantServer) -> Iterator[Figure]:
    """Each of the slow ones has a host of its own, of which 127.0.0.2 is the first."""
    port = slow.address.split(":")[2].partition("/")[0]
    for number in range(_MANY):
        one = Shop(shop.server, None, f"slow{number}", notify=f"http://127.0.0.{number + 2}:{port}/notify")
        one.device_key = shop.device_key
        price = next(shop.prices())
        (order,) = [data_of(ask(shop.server.address, request)[0].body) for request in one.creates([price])]
        ask(shop.server.address, one.push(order["reallyPrice"]))
    _, told = told_one_by_one(shop, shop.opened(100))
    name = f"while {_MANY} merchants take {_STUCK_S} s: other callbacks, p99"
    yield Figure("push", name, percentile(told, 0.99) * 1000, "ms", target=at_most(2000))


def _polls_a_second(shop: Shop) -> float:
    polls = itertools.cycle(shop.polls())
    return only(closed_loop(shop.server.address, polls, connections=8, seconds=1.5), 204).per_second

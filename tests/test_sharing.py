"""How often one address may ask several servers on one database, each of which keeps a tenth to itself."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from checkout import sharing
from checkout.errors import StoreError
from checkout.inline import Elsewhere, in_loop
from checkout.interfaces import Store
from checkout.rates import DRIP, FULL, LOT, PAGE, POLL, REFILL, Buckets, Crowd, Pace
from checkout.store import open_store
from tests.world import START

BUYER, OTHER = "1.2.3.4", "1.2.3.5"
SECRET = "s" * 64


@pytest.fixture
def stores(database: str) -> Iterator[list[Store]]:
    """As three processes have it."""
    opened = [open_store(database) for _ in range(3)]
    yield opened
    for one in opened:
        one.close()


@pytest.fixture
def servers(stores: list[Store]) -> list[Crowd]:
    return [Pace(sharing.drawing(one, SECRET)).buyers for one in stores]


def passed(servers: list[Crowd], now: int, cost: int = PAGE, who: str = BUYER) -> int:
    """How much they let pass until all of them refuse, asked one after the other."""
    total, left = 0, list(servers)
    while left:
        left = [one for one in left if not one.wait(who, cost, now)]
        total += cost * len(left)
    return total


def test_one_server_lets_pass_what_it_would_alone(servers: list[Crowd]) -> None:
    assert passed(servers[:1], START) == FULL
    assert passed(servers[:1], START + 1) == REFILL - REFILL % PAGE
    assert passed(servers[:1], START + 1000, POLL) == FULL


def test_each_further_server_adds_a_tenth_and_a_hundredth_of_the_rate(servers: list[Crowd]) -> None:
    assert passed(servers, START, POLL) == FULL + 2 * LOT
    assert passed(servers, START + 10, POLL) == 10 * (REFILL + 2 * DRIP)


def test_one_that_was_not_asked_yet_knows_who_has_asked_the_others(servers: list[Crowd]) -> None:
    passed(servers[:2], START)
    assert passed(servers[2:], START) == LOT


def test_what_is_refused_takes_nothing_and_others_do_not_suffer(servers: list[Crowd]) -> None:
    passed(servers, START)
    for _ in range(50):
        assert servers[0].wait(BUYER, PAGE, START) == 1
    assert passed(servers[:1], START + 1) > 0
    assert servers[1].wait(OTHER, PAGE, START) == 0


def test_a_page_that_is_open_never_asks_the_database() -> None:
    buckets = Buckets(_never)
    for second in range(0, 3600, 2):
        assert not any(buckets.wait(BUYER, POLL, START + second) for _ in range(2))


def test_the_database_is_asked_once_in_three_hundred_polls_and_not_again_for_who_was_refused() -> None:
    asked: list[int] = []

    def draw(who: str, cost: int, now: int) -> tuple[int, int]:
        asked.append(now)
        return (LOT, 0) if len(asked) < 4 else (0, 2)

    buckets = Buckets(draw)
    assert sum(not buckets.wait(BUYER, POLL, START) for _ in range(9000)) == 4 * LOT
    assert asked == [START] * 4
    buckets.wait(BUYER, PAGE, START + 1)
    assert len(asked) == 4
    buckets.wait(BUYER, PAGE, START + 2)
    assert len(asked) == 5


def test_a_server_that_cannot_ask_counts_by_itself_and_asks_again_later() -> None:
    """It turns nobody away who would not be turned away if it were alone, and waits for the database once."""
    asked: list[int] = []
    is_away = True

    def draw(who: str, cost: int, now: int) -> tuple[int, int]:
        asked.append(now)
        if is_away:
            raise StoreError("The database is busy; try again in a moment.")
        return 0, 1

    buckets = Buckets(draw)
    assert sum(not buckets.wait(BUYER, PAGE, START) for _ in range(1000)) == (LOT + FULL) // PAGE
    assert len(asked) == 1
    is_away = False
    assert buckets.wait(BUYER, PAGE, START + 6) > 0
    assert asked == [START, START + 6]


def test_while_one_thread_asks_the_others_go_on_and_no_lot_is_drawn_twice() -> None:
    arrived, go, asked = threading.Event(), threading.Event(), []

    def draw(who: str, cost: int, now: int) -> tuple[int, int]:
        asked.append(who)
        arrived.set()
        assert go.wait(60)
        return LOT, 0

    buckets = Buckets(draw)
    _empty(buckets)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(buckets.wait, BUYER, PAGE, START)
        assert arrived.wait(60)
        on_credit = sum(not buckets.wait(BUYER, PAGE, START) for _ in range(1000)) * PAGE
        go.set()
        assert first.result(60) == 0
    assert on_credit == LOT
    assert asked == [BUYER]
    buckets.wait(BUYER, PAGE, START)  # what went on credit is paid back
    assert asked == [BUYER, BUYER]


def test_the_server_s_loop_asks_no_database() -> None:
    buckets = Buckets(_never)
    _empty(buckets)
    with in_loop(), pytest.raises(Elsewhere):
        buckets.wait(BUYER, PAGE, START)
    with pytest.raises(AssertionError, match="was asked"):
        buckets.wait(BUYER, PAGE, START)


def test_clocks_that_differ_give_nothing_twice(servers: list[Crowd]) -> None:
    ahead, behind = servers[:2]
    passed([ahead, behind], START)
    in_all = sum(passed([one], START + at) for at in range(1, 11) for one, at in ((ahead, at + 5), (behind, at)))
    assert in_all <= 15 * (REFILL + 2 * DRIP)


def test_a_clock_that_was_far_ahead_locks_nobody_out(servers: list[Crowd]) -> None:
    passed(servers[:1], START + 86_400)
    assert servers[1].wait(BUYER, PAGE, START) == 0
    passed(servers[1:2], START)
    assert passed(servers[1:2], START + 60) >= FULL - LOT


def test_no_address_is_kept_and_what_is_full_again_is_forgotten(stores: list[Store], servers: list[Crowd]) -> None:
    passed(servers, START)
    with stores[0].read() as db:
        ((name,),) = db.all("SELECT name FROM buckets")
    assert re.fullmatch("[0-9a-f]{32}", name)
    assert name != hashlib.sha256(BUYER.encode()).hexdigest()[:32]
    assert sharing.sweep(stores[1], START + 20) == 0
    assert sharing.sweep(stores[1], START + 30) == 1
    assert sharing.sweep(stores[1], START + 30) == 0


def test_buyers_keys_and_strangers_are_counted_apart(stores: list[Store]) -> None:
    pace = Pace(sharing.drawing(stores[0], SECRET))
    assert passed([pace.buyers], START) == FULL
    assert passed([pace.strangers], START) == FULL
    assert sum(not pace.keys.wait(BUYER, PAGE, START) for _ in range(1000)) * PAGE == FULL


def _never(who: str, cost: int, now: int) -> tuple[int, int]:
    raise AssertionError("The database was asked.")


def _empty(buckets: Buckets) -> None:
    for _ in range(LOT // PAGE):
        assert buckets.wait(BUYER, PAGE, START) == 0

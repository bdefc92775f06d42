"""Amounts when many ask at once: threads of one process, and processes on one file."""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkout import opening
from checkout import store as stores
from checkout.errors import Refusal
from checkout.interfaces import Store
from checkout.model.accounts import Rest
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement
from checkout.store import open_store
from tests.shop import Shop
from tests.world import START

SPAWN = multiprocessing.get_context("spawn")
BUYERS = 20


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


def take(store: Store, amount: int, token: str, rest: Rest, now: int, account: str = "wx-main") -> bool:
    with store.transaction() as db:
        return stores.slots.take(db, account, amount, token, rest, now)


def holders(store: Store, amount: int, now: int) -> list[tuple[str, str]]:
    with store.read() as db:
        return stores.slots.holders(db, ["wx-main"], amount, now)


def test_an_amount_is_given_to_one_order_and_to_the_next_from_its_free_second_on(shop: Shop) -> None:
    assert take(shop.store, 990, "first", Rest(100, 200), now=0)
    assert not take(shop.store, 990, "second", Rest(500, 500), now=99)
    assert holders(shop.store, 990, 99) == [("wx-main", "first")]
    assert holders(shop.store, 990, 100) == []
    assert take(shop.store, 990, "second", Rest(500, 500), now=100)
    assert holders(shop.store, 990, 100) == [("wx-main", "second")]


def test_an_amount_claimed_twice_is_lost_by_the_second_whatever_the_account_s_neighbour_does(shop: Shop) -> None:
    shop.add_account(id="wx-second", code="wxp://second")
    assert take(shop.store, 990, "first", Rest(100, 100), now=0)
    assert take(shop.store, 990, "other account", Rest(100, 100), now=0, account="wx-second")
    assert not take(shop.store, 990, "second", Rest(100, 100), now=0)


def test_only_the_order_that_has_the_slot_can_change_its_rest(shop: Shop) -> None:
    take(shop.store, 990, "first", Rest(100, 200), now=0)
    with shop.store.transaction() as db:
        stores.slots.set_rest(db, "second", "wx-main", 990, Rest(0, 0))
        stores.slots.prolong(db, "second", Rest(900, 900), 0)
    assert shop.slots() == {("wx-main", 990): ("first", 100, 200)}


def test_prolonging_never_shortens_and_takes_nothing_back(shop: Shop) -> None:
    take(shop.store, 990, "first", Rest(100, 200), now=0)
    with shop.store.transaction() as db:
        stores.slots.prolong(db, "first", Rest(90, 90), 50)
        stores.slots.prolong(db, "first", Rest(900, 900), 100)
    assert shop.slots() == {("wx-main", 990): ("first", 100, 200)}
    with shop.store.transaction() as db:
        stores.slots.prolong(db, "first", Rest(150, 150), 99)
    assert shop.slots() == {("wx-main", 990): ("first", 150, 200)}


def test_of_two_accounts_the_later_time_counts(shop: Shop) -> None:
    shop.add_account(id="wx-second", code="wxp://second")
    take(shop.store, 990, "a", Rest(100, 200), now=0)
    take(shop.store, 990, "b", Rest(150, 160), now=0, account="wx-second")
    take(shop.store, 991, "c", Rest(100, 200), now=0, account="wx-second")
    take(shop.store, 992, "d", Rest(100, 200), now=0)
    with shop.store.read() as db:
        both = stores.slots.resting(db, ["wx-main", "wx-second"], 990, 991, 50)
        assert both == {990: 150, 991: 100}
        assert stores.slots.resting(db, ["wx-second", "wx-main"], 990, 992, 160) == {990: 100, 991: 100, 992: 100}
        assert stores.slots.resting(db, ["wx-main", "wx-second"], 990, 992, 200) == {}


MOVES = st.lists(
    st.tuples(st.sampled_from(["open", "hide", "push", "close", "wait"]), st.integers(0, 6), st.integers(1, 400)),
    max_size=25,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(moves=MOVES)
def test_no_two_orders_that_can_be_paid_ever_have_the_same_amount(
    moves: list[tuple[str, int, int]], tmp_path: Path
) -> None:
    store = open_store(f"{tempfile.mkdtemp(dir=tmp_path)}/checkout.db")
    shop = Shop(store).fill()
    shop.change_account(max_offset=3)
    opened: list[Order] = []
    for move, which, seconds in moves:
        if move in ("open", "hide"):
            with suppress(Refusal):
                opened.append(shop.open(f"N{len(opened)}", price=990 + which % 2, shown=move == "open"))
        elif move == "push":
            paid = shop.push(990 + which).order
            assert paid is None or paid.really_price == 990 + which
        elif move == "close" and opened:
            order = shop.order(opened[which % len(opened)])
            if order.state_at(shop.now) is State.PENDING:
                shop.close(order)
        else:
            shop.go(seconds)
        _check(shop)
    store.close()


def _check(shop: Shop) -> None:
    with shop.store.read() as db:
        waiting = [
            order
            for order in stores.orders.listed(db, stores.orders.Filter(limit=1000))
            if order.state_at(shop.now) is State.PENDING
        ]
    slots = shop.slots()
    assert len({(order.account, order.really_price) for order in waiting}) == len(waiting)
    for order in waiting:
        assert order.really_price is not None
        token, free_at, rested_at = slots[order.account, order.really_price]
        assert token == order.token
        assert order.expires_at <= free_at <= rested_at


# Races


def _buy(shop: Shop, name: str, results: list[tuple[str, int]]) -> None:
    for number in range(BUYERS):
        order = shop.open(f"{name}-{number}")
        assert order.really_price is not None
        results.append((order.token, order.really_price))


def test_threads_that_ask_at_once_get_different_amounts(shop: Shop) -> None:
    results: list[tuple[str, int]] = []
    threads = [threading.Thread(target=_buy, args=(shop, f"T{number}", results)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(amount for _, amount in results) == list(range(990, 990 + 5 * BUYERS))
    assert len(shop.slots()) == 5 * BUYERS


def _buy_in_a_process(path: str, name: str, start: Any, answers: Any) -> None:
    shop = Shop(open_store(path))
    results: list[tuple[str, int]] = []
    start.wait(30)
    _buy(shop, name, results)
    answers.put(results)
    shop.store.close()


def test_a_second_process_on_the_same_database_gets_other_amounts(shop: Shop, database: str) -> None:
    start, answers = SPAWN.Barrier(3), SPAWN.Queue()
    processes = [
        SPAWN.Process(target=_buy_in_a_process, args=(database, f"P{number}", start, answers)) for number in range(2)
    ]
    for process in processes:
        process.start()
    results: list[tuple[str, int]] = []
    start.wait(30)
    _buy(shop, "here", results)
    for _ in processes:
        results += answers.get(timeout=60)
    for process in processes:
        process.join(30)
    assert sorted(amount for _, amount in results) == list(range(990, 990 + 3 * BUYERS))


def _push_in_a_process(path: str, first_id: int, start: Any, answers: Any) -> None:
    shop = Shop(open_store(path))
    shop._numbers = count(first_id)
    start.wait(30)
    answers.put(shop.push(990, at=1).repeated)
    shop.store.close()


def test_one_message_that_reaches_two_processes_at_once_pays_once(shop: Shop, database: str) -> None:
    order = shop.open()
    start, answers = SPAWN.Barrier(3), SPAWN.Queue()
    processes = [
        SPAWN.Process(target=_push_in_a_process, args=(database, first, start, answers)) for first in (1000, 2000)
    ]
    for process in processes:
        process.start()
    start.wait(30)
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(30)
    assert sorted(found) == [False, True]
    assert len(shop.deliveries(order)) == 1
    assert len(shop.payments()) == 1


@pytest.mark.parametrize("round_", range(5))
def test_of_closing_paying_and_confirming_at_once_one_payment_stands(shop: Shop, round_: int) -> None:
    order = shop.open()
    barrier, succeeded = threading.Barrier(3), []

    def act(name: str, move: Callable[[], object]) -> None:
        barrier.wait(30)
        with suppress(Refusal):
            if move() is not None:
                succeeded.append(name)

    moves: dict[str, Callable[[], object]] = {
        "close": lambda: shop.close(order),
        "confirm": lambda: shop.confirm(order, 990),
        "push": lambda: shop.push(990).order,
    }
    threads = [threading.Thread(target=act, args=move) for move in moves.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert shop.order(order).state is State.PAID
    assert ("confirm" in succeeded) != ("push" in succeeded)
    assert len(shop.deliveries(order)) == 1
    settling = [payment for payment in shop.payments() if payment.judgement is not Judgement.SUSPECTED]
    assert len(settling) == 1


def test_the_same_number_asked_for_by_many_at_once_is_one_order(shop: Shop) -> None:
    tokens: set[str] = set()
    barrier = threading.Barrier(6)

    def ask() -> None:
        barrier.wait(30)
        tokens.add(opening.open_order(shop.store, shop.ask("same"), shop.rules, START).token)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(tokens) == 1
    assert len(shop.slots()) == 1

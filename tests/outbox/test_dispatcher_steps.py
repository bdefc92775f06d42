"""The outbox step by step, without the worker's threads: what it claims, sends, books, remembers and passes over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checkout import store as stores
from checkout.errors import StoreError
from checkout.http.client import Outgoing
from checkout.interfaces import Owed, Rows, Store
from checkout.locks import ALL, Held
from checkout.model.deliveries import Delivery, DeliveryState
from checkout.model.orders import Order
from checkout.outbox import announcements, deliveries, letters
from checkout.outbox import dispatcher as dispatchers
from checkout.outbox.courier import Courier, Reply
from checkout.outbox.dispatcher import Dispatcher
from checkout.outbox.lanes import HOOK, MOST_AT_ONCE, Lanes
from checkout.outbox.letters import Tried
from checkout.outbox.owing import Way
from checkout.store.sqlite import SqliteStore
from tests.shop import Shop
from tests.trade import DIALECTS, listen
from tests.world import START, FakeClock, answer

URL = "https://a.example/n"
LANE = "a.example"
HOOK_URL = "https://hook.example/h"


class Alone:
    """A shop and an outbox whose courier is a list: nothing is sent before `work_off`."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.shop, self.clock, self.lanes = Shop(store).fill(), clock, Lanes()
        self.shop.change_account(max_offset=500)
        self.pool: list[tuple[Way, Outgoing | None]] = []
        self.sent: list[str] = []
        self.reply: Reply = answer()
        self.woken, self.is_over, self.has_ended = 0, False, False
        self.dispatcher = Dispatcher(
            store, DIALECTS, cast("Courier[Way]", self), clock, self.lanes,
            submit=lambda work, *values: work(*values), wake=self.wake, is_over=lambda: self.is_over,
        )  # fmt: skip

    def carry(self, way: Way, request: Outgoing | None) -> None:
        if self.has_ended:
            raise RuntimeError("The courier is closed.")
        self.pool.append((way, request))

    def turn(self, _: float) -> list[tuple[Way, Reply]]:
        """Everything that is under way comes back at once."""
        came = [(way, self.sent_to(request)) for way, request in self.pool]
        self.pool.clear()
        return came

    def sent_to(self, request: Outgoing | None) -> Reply:
        if request is None:
            return None
        self.sent.append(request.url)
        return self.reply

    def ring(self) -> None: ...

    def wake(self) -> None:
        self.woken += 1

    def work_off(self) -> None:
        """One after the other."""
        while self.pool:
            way, request = self.pool.pop(0)
            self.dispatcher.replied([(way, self.sent_to(request))])

    def paid(self, *numbers: str, url: str = URL, at_once: bool = False) -> list[Order]:
        """Paid orders whose callbacks are due; `at_once`: as a server with a worker books them."""
        self.shop.at_once = self.dispatcher.at_once if at_once else deliveries.later
        orders = [self.shop.open(number, price=1000, notify_url=url) for number in numbers]
        for order in orders:
            self.shop.push(order.really_price)
        return orders

    def owe(self, db: Rows, owed: Owed, order: Order) -> None:
        """As a payment does."""
        owed.reset()
        by: dict[str, Any] = {"new_id": self.shop.new_id, "now": START}
        deliveries.owe(db, order, "order.paid", receipt="", owed=owed, **by)
        for message in announcements.of_order(db, order, "order.paid", **by):
            owed.event(message)

    def of(self, order: Order) -> Delivery:
        return next(one for one in self.shop.deliveries(order) if not one.endpoint)

    def tries(self, orders: Iterable[Order]) -> list[int]:
        return [self.of(order).attempts for order in orders]

    def places(self, lane: str = LANE) -> int:
        """How many more may go out in the lane now."""
        entered = 0
        while self.lanes.enter(lane):
            entered += 1
        for _ in range(entered):
            self.lanes.leave(lane)
        return entered

    def hook(self) -> Delivery:
        with self.shop.store.read() as db:
            ((owed,),) = stores.deliveries.due_events(db, self.clock.now, failing=False)
        return owed


@pytest.fixture
def alone(store: Store, clock: FakeClock) -> Alone:
    return Alone(store, clock)


# A look at what is due


def test_a_look_hands_over_two_for_each_host_and_counts_those_that_wait(alone: Alone) -> None:
    orders = alone.paid("N1", "N2", "N3", "N4") + alone.paid("N5", url="https://b.example/n")
    assert alone.dispatcher.dispatch_due() == 2
    assert alone.tries(orders) == [1, 1, 0, 0, 1]
    assert len(alone.pool) == 3
    alone.work_off()
    assert {alone.of(order).state for order in orders} == {DeliveryState.DELIVERED}
    assert len(alone.sent) == 5
    assert (alone.places(), alone.places("b.example")) == (2, 2)
    assert alone.woken == 0


def test_a_look_ends_where_there_is_no_room_for_anybody(alone: Alone) -> None:
    for number in range(MOST_AT_ONCE - 1):
        assert alone.lanes.enter(f"host-{number}")
    first, second = alone.paid("N1") + alone.paid("N2", url="https://b.example/n")
    assert alone.dispatcher.dispatch_due() == 0
    assert alone.tries([first, second]) == [1, 0]
    alone.work_off()
    assert alone.woken == 1, "there is room again"


def test_a_look_that_remembers_less_than_waits_is_asked_for_again(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatchers, "_REMEMBERED", 1)
    alone.paid("N1", "N2", "N3", "N4")
    assert alone.dispatcher.dispatch_due() == 2
    alone.work_off()
    assert (len(alone.sent), alone.woken > 0) == (3, True)
    alone.dispatcher.dispatch_due()
    alone.work_off()
    assert len(alone.sent) == 4


def test_a_look_that_remembers_all_that_waits_is_not_asked_for_again(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatchers, "_REMEMBERED", 1)
    alone.paid("N1", "N2", "N3")
    assert alone.dispatcher.dispatch_due() == 1
    alone.work_off()
    assert (len(alone.sent), alone.woken) == (3, 0)


def test_what_is_passed_over_during_a_look_is_not_forgotten(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    alone.paid("N1", "N2", at_once=True)
    (third,) = alone.paid("N3")

    def due() -> Iterator[Delivery]:
        yield from ()
        alone.dispatcher._pass_over(alone.of(third), LANE)

    monkeypatch.setattr(alone.dispatcher, "_due", due)
    assert alone.dispatcher.dispatch_due() == 0
    alone.work_off()
    assert (len(alone.sent), alone.woken) == (3, 0)


def test_what_waits_for_a_host_that_is_done_before_the_look_is_asks_for_another(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone.paid("N1", "N2", "N3")
    real = alone.dispatcher._due

    def due() -> Iterator[Delivery]:
        yield from real()
        alone.work_off()

    monkeypatch.setattr(alone.dispatcher, "_due", due)
    assert alone.dispatcher.dispatch_due() == 1
    assert (len(alone.sent), alone.woken) == (2, 1)


def test_a_look_hands_over_nothing_any_more_when_the_worker_has_ended(alone: Alone) -> None:
    orders = alone.paid("N1", "N2")
    alone.is_over = True
    assert alone.dispatcher.dispatch_due() == 0
    assert (alone.pool, alone.tries(orders)) == ([], [0, 0])


def test_what_waited_at_the_look_before_and_is_told_by_now_is_forgotten(alone: Alone) -> None:
    orders = alone.paid("N1", "N2", "N3")
    alone.dispatcher.dispatch_due()
    with alone.shop.store.transaction() as db:
        stores.deliveries.acknowledge(db, alone.of(orders[2]).id, START)
    assert alone.dispatcher.dispatch_due() == 0
    alone.work_off()
    assert len(alone.sent) == 2


def test_an_endpoint_that_fails_is_tried_again_when_it_is_time(alone: Alone) -> None:
    listen(alone, HOOK_URL)
    alone.paid("N1")
    alone.reply = answer(500)
    alone.dispatcher.dispatch_due()
    alone.work_off()
    alone.clock.go(3600)
    alone.dispatcher.dispatch_due()
    alone.work_off()
    assert alone.sent.count(HOOK_URL) == 2


def test_who_claims_second_sends_nothing_and_leaves_its_place(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores.deliveries, "claim", lambda *_: None)
    alone.paid("N1")
    assert alone.dispatcher.dispatch_due() == 0
    assert alone.pool == []
    assert alone.places() == 2


def test_what_waits_behind_an_endpoint_that_hangs_asks_for_no_look_before_it_can_go(alone: Alone) -> None:
    listen(alone, HOOK_URL)
    alone.paid("N1", "N2")
    assert alone.dispatcher.dispatch_due() == 1
    assert alone.dispatcher.dispatch_due() == 1
    assert alone.woken == 0
    alone.work_off()
    assert alone.sent.count(HOOK_URL) == 2


def test_who_waited_for_one_that_left_before_that_was_known_is_looked_for_again(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        assert alone.lanes.enter(LANE)
    alone.paid("N1")
    due = stores.deliveries.due_events

    def left(db: Rows, now: int, *, failing: bool) -> list[list[Delivery]]:
        if failing:
            alone.lanes.leave(LANE)
        return due(db, now, failing=failing)

    monkeypatch.setattr(stores.deliveries, "due_events", left)
    assert alone.dispatcher.dispatch_due() == 1
    assert alone.woken == 1


# Right after the transaction that owes


def test_what_is_owed_is_claimed_in_the_same_transaction_and_sent_after_it(alone: Alone) -> None:
    (order,) = alone.paid("N1", at_once=True)
    owed = alone.of(order)
    assert (owed.attempts, owed.due_at) == (1, START + deliveries.LEASE_S)
    assert alone.sent == []
    assert alone.places() == 1
    alone.work_off()
    assert alone.sent == [f"{URL}?order=N1"]
    assert alone.places() == 2


def test_what_was_owed_by_an_undone_transaction_is_neither_sent_nor_remembered(alone: Alone) -> None:
    alone.paid("N1", "N2", at_once=True)
    order = alone.shop.open("N3", price=1000, notify_url=URL)
    with suppress(ZeroDivisionError), alone.dispatcher.at_once() as owed, alone.shop.store.transaction() as db:
        alone.owe(db, owed, order)
        raise ZeroDivisionError
    alone.work_off()
    assert len(alone.sent) == 2
    assert alone.woken == 0


def test_what_an_undone_transaction_had_claimed_is_not_sent_and_keeps_no_place(alone: Alone) -> None:
    order = alone.shop.open(notify_url=URL)
    with suppress(ZeroDivisionError), alone.dispatcher.at_once() as owed, alone.shop.store.transaction() as db:
        alone.owe(db, owed, order)
        assert alone.places() == 1
        raise ZeroDivisionError
    assert (alone.pool, alone.places()) == ([], 2)


def test_a_claim_for_which_memory_ran_out_keeps_no_place(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    order = alone.shop.open(notify_url=URL)

    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(deliveries, "leased", fails)
    with pytest.raises(MemoryError), alone.dispatcher.at_once() as owed, alone.shop.store.transaction() as db:
        alone.owe(db, owed, order)
    assert (alone.pool, alone.places()) == ([], 2)


def test_who_owes_nothing_when_it_is_done_again_asks_for_no_look(alone: Alone) -> None:
    listen(alone, HOOK_URL)
    order = alone.shop.open(notify_url=URL)
    with alone.dispatcher.at_once() as owed:
        with suppress(ZeroDivisionError), alone.shop.store.transaction() as db:
            alone.owe(db, owed, order)
            raise ZeroDivisionError
        owed.reset()
    assert (alone.pool, alone.woken, alone.places()) == ([], 0, 2)


def test_what_finds_its_host_busy_goes_out_after_it_without_a_look(alone: Alone) -> None:
    orders = alone.paid("N1", "N2", "N3", "N4", at_once=True)
    assert alone.tries(orders) == [1, 1, 0, 0]
    assert (len(alone.pool), alone.woken) == (2, 0)
    alone.work_off()
    assert alone.sent == [f"{URL}?order=N{number}" for number in (1, 2, 3, 4)]
    assert {alone.of(order).state for order in orders} == {DeliveryState.DELIVERED}


def test_where_everybody_is_busy_elsewhere_the_loop_is_asked_to_look(alone: Alone) -> None:
    for number in range(MOST_AT_ONCE):
        assert alone.lanes.enter(f"host-{number}")
    (order,) = alone.paid("N1", at_once=True)
    assert (alone.tries([order]), alone.pool, alone.woken) == ([0], [], 1)
    alone.dispatcher._leave("host-0")
    assert alone.woken == 1, "a look is asked for already"


def test_what_goes_to_a_webhook_endpoint_is_left_to_the_loop_which_is_asked_to_look(alone: Alone) -> None:
    listen(alone, HOOK_URL)
    alone.paid("N1", at_once=True)
    assert alone.woken == 1
    alone.work_off()
    assert alone.sent == [f"{URL}?order=N1"]
    assert alone.dispatcher.dispatch_due() == 0
    alone.work_off()
    assert alone.sent[1:] == [HOOK_URL]


def test_what_is_held_for_an_endpoint_that_is_paused_asks_for_no_look(alone: Alone) -> None:
    listen(alone, HOOK_URL)
    with alone.shop.store.transaction() as db:
        deliveries.pause(db, "whk_0", "hand", START)
    alone.paid("N1", at_once=True)
    assert (len(alone.pool), alone.woken) == (1, 0)


def test_a_courier_that_has_ended_is_logged_and_the_message_keeps_no_place(
    alone: Alone, caplog: pytest.LogCaptureFixture
) -> None:
    alone.has_ended = True
    (order,) = alone.paid("N1", at_once=True)
    assert f"Delivery {alone.of(order).id} could not begin; its lease brings it back" in caplog.text
    assert alone.places() == 2


# One try


def test_what_is_not_to_be_sent_any_more_keeps_no_place(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = alone.paid("N1", "N2", "N3", at_once=True)
    monkeypatch.setattr(letters, "written", lambda *_: None)
    alone.work_off()
    assert len(alone.sent) == 2
    (other,) = alone.paid("N4")
    alone.dispatcher.dispatch_due()
    assert (alone.pool, alone.places(), alone.tries([*orders, other])) == ([], 2, [1, 1, 1, 1])


def test_a_message_that_cannot_be_written_is_a_try_that_has_failed(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cast("dict[str, Any]", DIALECTS), "vmq", SimpleNamespace())
    (order,) = alone.paid("N1", at_once=True)
    alone.work_off()
    owed = alone.of(order)
    assert (alone.sent, owed.state, owed.attempts, alone.places()) == ([], DeliveryState.WAITING, 1, 2)
    assert START + 5 <= owed.due_at <= START + 6
    with alone.shop.store.read() as db:
        (tried,) = stores.deliveries.tries(db, owed.id)
    assert "the log says why" in tried.error


def test_what_comes_back_together_is_booked_together(alone: Alone, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    orders = alone.paid("N1", "N2", "N3", "N4", at_once=True)
    orders += alone.paid("N5", url="https://b.example/n", at_once=True)
    commits: list[int] = []
    run = SqliteStore.locked

    def locked(*values: Any) -> Any:
        commits.append(1)
        return run(*values)

    with pytest.MonkeyPatch.context() as counting:
        counting.setattr(SqliteStore, "locked", locked)
        while alone.pool:
            alone.dispatcher.replied(alone.dispatcher.collect(0))
    assert len(commits) == 2
    assert {alone.of(order).state for order in orders} == {DeliveryState.DELIVERED}
    assert caplog.text.count("message.tried") == 5
    assert (alone.places(), alone.places("b.example"), alone.woken) == (2, 2, 0)


def test_one_that_cannot_be_booked_takes_no_other_with_it(
    alone: Alone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = alone.paid("N1", "N2", at_once=True)
    broken, book = alone.of(first).id, deliveries.book

    def books(db: Rows, tried: Tried, now: int, held: Held) -> None:
        if tried.delivery.id == broken:
            raise ZeroDivisionError
        book(db, tried, now, held)

    monkeypatch.setattr(deliveries, "book", books)
    alone.dispatcher.replied(alone.dispatcher.collect(0))
    assert (alone.of(first).state, alone.of(second).state) == (DeliveryState.WAITING, DeliveryState.DELIVERED)
    assert f"Delivery {broken} failed; its lease brings it back" in caplog.text
    assert alone.places() == 2


def test_who_has_ended_takes_no_further_message_of_the_lane(alone: Alone) -> None:
    orders = alone.paid("N1", "N2", "N3", at_once=True)
    alone.is_over = True
    alone.work_off()
    assert alone.tries(orders) == [1, 1, 0]
    assert len(alone.sent) == 2


def test_an_acknowledgement_is_booked_even_where_the_next_message_cannot_be_claimed(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = alone.paid("N1", "N2", "N3", at_once=True)

    def fails(*_: object) -> None:
        raise StoreError("The database is locked by another program; try again in a moment.")

    with monkeypatch.context() as busy:
        busy.setattr(stores.deliveries, "claim", fails)
        alone.work_off()
    states = [alone.of(order).state for order in orders]
    assert states == [DeliveryState.DELIVERED, DeliveryState.DELIVERED, DeliveryState.WAITING]
    assert alone.dispatcher.dispatch_due() == 0
    alone.work_off()
    assert alone.sent == [f"{URL}?order=N{number}" for number in (1, 2, 3)]


def test_a_database_that_has_failed_is_not_asked_for_more_of_the_lane(
    alone: Alone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    orders = alone.paid("N1", "N2", "N3", "N4", at_once=True)
    del alone.pool[1:]
    asked: list[str] = []

    def fails(_: object, owed: Delivery, *__: object) -> None:
        asked.append(owed.order_token)
        raise StoreError("The database is locked by another program; try again in a moment.")

    monkeypatch.setattr(stores.deliveries, "claim", fails)
    alone.work_off()
    assert asked == [orders[2].token]
    assert alone.of(orders[0]).state is DeliveryState.DELIVERED
    assert "failed" not in caplog.text


def test_a_try_that_cannot_be_booked_is_logged_and_leaves_its_place(
    alone: Alone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (order,) = alone.paid("N1", at_once=True)

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(deliveries, "book", fails)
    alone.work_off()
    assert f"Delivery {alone.of(order).id} failed; its lease brings it back" in caplog.text
    assert (alone.places(), alone.woken) == (2, 0)


def test_a_booking_that_fails_is_done_again_at_once_where_no_thread_is_left(
    alone: Alone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (order,) = alone.paid("N1", at_once=True)
    book, faults = deliveries.book, [ZeroDivisionError()]

    def fails_once(*values: Any) -> None:
        if faults:
            raise faults.pop()
        book(*values)

    def ended(*_: object) -> None:
        raise RuntimeError("cannot schedule new futures after shutdown")

    monkeypatch.setattr(deliveries, "book", fails_once)
    monkeypatch.setattr(alone.dispatcher, "_submit", ended)
    alone.work_off()
    assert alone.of(order).state is DeliveryState.DELIVERED
    assert caplog.text.count("message.tried") == 1
    assert alone.places() == 2


# Beside others, on a database where several write


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str] | None]:
    """The lock keys of each transaction; it holds no more than them."""
    seen: list[list[str] | None] = []

    def locked(
        store: SqliteStore, keys: Callable[[Rows], Iterable[str] | None], work: Callable[[Rows, Held], Any]
    ) -> Any:
        with store.transaction() as db:
            taken = keys(db)
            seen.append(None if taken is None else list(taken))
            return work(db, ALL if taken is None else Held(frozenset(taken)))

    monkeypatch.setattr(SqliteStore, "locked", locked)
    return seen


def test_booking_a_try_touches_the_message_alone(alone: Alone, asked: list[list[str] | None]) -> None:
    (order,) = alone.paid("N1", at_once=True)
    del asked[:]
    alone.work_off()
    assert asked == [[f"delivery {alone.of(order).id}"]]
    assert alone.of(order).state is DeliveryState.DELIVERED


def test_booking_a_try_touches_the_message_that_follows_in_the_lane_too(
    alone: Alone, asked: list[list[str] | None]
) -> None:
    orders = alone.paid("N1", "N2", "N3", at_once=True)
    first, second, third = (f"delivery {alone.of(order).id}" for order in orders)
    del asked[:]
    alone.work_off()
    assert asked == [[first, third], [second], [third]]
    assert len(alone.sent) == 3


def test_what_was_passed_over_before_a_look_follows_once(alone: Alone, asked: list[list[str] | None]) -> None:
    keys = [f"delivery {alone.of(order).id}" for order in alone.paid("N1", "N2", "N3", at_once=True)]
    assert alone.dispatcher.dispatch_due() == 1
    del asked[:]
    alone.work_off()
    assert asked == [[keys[0], keys[2]], [keys[1]], [keys[2]]]


def test_what_follows_in_the_lane_and_was_claimed_by_somebody_else_is_passed_over(
    alone: Alone, asked: list[list[str] | None]
) -> None:
    orders = alone.paid("N1", "N2", "N3", "N4", "N5", at_once=True)
    keys = [f"delivery {alone.of(order).id}" for order in orders]
    for order in orders[2:4]:
        assert deliveries.claim(alone.shop.store, alone.of(order), START)
    del asked[:], alone.pool[1:]
    alone.work_off()
    assert asked == [[keys[0], keys[2]], [keys[3]], [keys[4]], [keys[4]]]
    assert alone.tries(orders) == [1] * 5
    assert len(alone.sent) == 2


def test_what_cannot_be_claimed_after_one_that_somebody_else_has_is_left_to_a_look(
    alone: Alone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    orders = alone.paid("N1", "N2", "N3", "N4", at_once=True)
    del alone.pool[1:]
    broken, claim = alone.of(orders[3]).id, stores.deliveries.claim

    def claims(db: Rows, owed: Delivery, until: int) -> Delivery | None:
        if owed.id == broken:
            raise ZeroDivisionError
        return claim(db, owed, until)

    assert deliveries.claim(alone.shop.store, alone.of(orders[2]), START)
    monkeypatch.setattr(stores.deliveries, "claim", claims)
    alone.work_off()
    assert alone.of(orders[0]).state is DeliveryState.DELIVERED
    assert f"Delivery {broken} could not be claimed; a look finds it" in caplog.text
    assert (alone.pool, alone.places()) == ([], 1)


def test_what_comes_to_the_lane_while_a_try_is_booked_follows_in_a_turn_of_its_own(
    alone: Alone, asked: list[list[str] | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction has not taken it."""
    first, second = alone.paid("N1", "N2", at_once=True)
    real, passed = deliveries.book, iter([second])

    def book(db: Rows, tried: Tried, now: int, held: Held) -> None:
        real(db, tried, now, held)
        for order in passed:
            alone.dispatcher._pass_over(alone.of(order), LANE)

    monkeypatch.setattr(deliveries, "book", book)
    with alone.shop.store.transaction() as db:
        db.run(
            "UPDATE deliveries SET attempts = 0, due_at = :now WHERE order_token = :token",
            now=START,
            token=second.token,
        )
    del alone.pool[1:], asked[:]
    alone.work_off()
    ours, other = (f"delivery {alone.of(order).id}" for order in (first, second))
    assert asked == [[ours], [other], [other]]
    assert alone.tries([first, second]) == [1, 1]
    assert alone.woken == 0


def test_booking_what_an_endpoint_has_answered_touches_the_endpoint(
    alone: Alone, asked: list[list[str] | None]
) -> None:
    listen(alone, HOOK_URL)
    alone.paid("N1")
    hook = alone.hook()
    alone.dispatcher.dispatch_due()
    del asked[:], alone.pool[:1]
    alone.work_off()
    assert asked == [[f"delivery {hook.id}", "endpoint whk_0"]]
    assert alone.sent == [HOOK_URL]


@pytest.mark.usefixtures("asked")
def test_an_endpoint_is_paused_only_alone(alone: Alone, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody may be adding a message for it, which would wait for an endpoint that is paused."""
    listen(alone, HOOK_URL)
    alone.paid("N1")
    alone.reply = answer(410)
    alone.dispatcher.dispatch_due()
    del alone.pool[:1]
    alone.work_off()
    assert "NotLocked" in caplog.text


# Endpoints in turn


def test_of_several_endpoints_who_was_tried_last_comes_last(alone: Alone) -> None:
    listen(alone, HOOK_URL, "https://other.example/h")
    alone.paid("N1", "N2")
    with alone.shop.store.read() as db:
        first, second = stores.deliveries.due_events(db, START, failing=False)
    assert (len(first), len(second)) == (2, 2)
    assert [one.endpoint for one in alone.dispatcher.in_turn([first, second])] == ["whk_0", "whk_1", "whk_0", "whk_1"]
    alone.dispatcher._hand_over(first[0], HOOK + "hook.example")
    assert list(alone.dispatcher.in_turn([first, second[:1]])) == [second[0], *first]

"""The statements about the outbox, one by one: which rows each list and each move takes, and which it leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from checkout import store as stores
from checkout.interfaces import Store
from checkout.model.deliveries import Delivery, DeliveryState, Endpoint, Try
from tests.shop import Shop
from tests.world import START

LAST = (1 << 62, "")
WAITING, HELD, DELIVERED = DeliveryState.WAITING, DeliveryState.HELD, DeliveryState.DELIVERED
FAILED, DROPPED, NONE = DeliveryState.FAILED, DeliveryState.DROPPED, DeliveryState.NONE


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


@pytest.fixture
def put(shop: Shop) -> Callable[..., Delivery]:
    """Writes a message as it is told, of an order of its own unless `order_token` names one."""

    def write(name: str, **changes: Any) -> Delivery:
        token = changes.pop("order_token", "") or shop.open(name, method="").token
        fields: dict[str, Any] = {
            "id": name, "order_token": token, "merchant": 1001, "dialect": "vmq", "event": "order.paid",
            "url": "https://shop.example/n", "state": WAITING, "attempts": 0, "due_at": START, "created_at": START,
            "done_at": None, **changes,
        }  # fmt: skip
        delivery = Delivery(**fields)
        with shop.store.transaction() as db:
            stores.deliveries.add(db, delivery)
        return delivery

    return write


def endpoint(name: str, **changes: Any) -> Endpoint:
    fields: dict[str, Any] = {
        "id": name, "merchant": 1001, "url": "https://hooks.example/in", "events": "", "description": "",
        "secret": "whsec_" + "c2VjcmV0" * 5, "previous_secret": "", "previous_secret_until": 0,
        "failing_since": None, "paused_at": None, "pause": "", "created_at": START,
    }  # fmt: skip
    return Endpoint(**{**fields, **changes})


def names(found: list[Delivery]) -> list[str]:
    return [one.id for one in found]


def stored(shop: Shop, name: str) -> Delivery:
    with shop.store.read() as db:
        found = stores.deliveries.get(db, name)
    assert found is not None
    return found


def states(shop: Shop, *named: str) -> list[str]:
    return [stored(shop, name).state.value for name in named]


# Lists


def test_fresh_are_the_messages_about_an_order_that_wait_for_their_first_try(
    shop: Shop, put: Callable[..., Delivery]
) -> None:
    token = shop.open("N", method="").token
    own = put("own", order_token=token)
    hook = put("hook", order_token=token, endpoint="whk_1")
    put("tried", order_token=token, endpoint="whk_2", attempts=1)
    put("done", order_token=token, endpoint="whk_3", state=DELIVERED)
    put("nobody", order_token=token, event="other", state=NONE)
    put("another")
    with shop.store.read() as db:
        assert sorted(stores.deliveries.fresh(db, token), key=lambda one: one.id) == [hook, own]


def test_a_page_begins_right_behind_the_last_row_of_the_one_before(shop: Shop, put: Callable[..., Delivery]) -> None:
    for name, at in (("a", 1), ("b", 2), ("c", 2), ("d", 2), ("e", 3)):
        put(name, created_at=at, endpoint="whk" if name in "bd" else "")
    put("f", created_at=4, state=FAILED)
    with shop.store.read() as db:
        assert names(stores.deliveries.listed(db, state="waiting", before=(2, "c"))) == ["b", "a"]
        assert names(stores.deliveries.listed(db, state="failed")) == ["f"]
        assert names(stores.deliveries.listed(db, state=None)) == list("fedcba")
        assert names(stores.deliveries.listed(db, state=None, limit=2)) == ["f", "e"]
        assert names(stores.deliveries.listed(db, state=None, endpoint="whk")) == ["d", "b"]
        assert names(stores.deliveries.listed(db, state="failed", endpoint="whk")) == []
    put("g", endpoint="other", created_at=9)
    with shop.store.read() as db:
        assert names(stores.deliveries.listed(db, state=None, endpoint="whk")) == ["d", "b"]
        assert names(stores.deliveries.listed(db, state=None, endpoint="other")) == ["g"]


def test_a_list_has_fifty_rows_and_what_is_due_a_hundred_unless_told_otherwise(
    shop: Shop, put: Callable[..., Delivery]
) -> None:
    token = shop.open(method="").token
    for number in range(102):
        put(f"{number:03d}", order_token=token, event=f"test.{number}")
    with shop.store.read() as db:
        assert len(stores.deliveries.listed(db, state=None)) == 50
        assert len(stores.deliveries.due(db, START)) == 100


def test_an_order_s_own_callbacks_leave_out_what_goes_to_endpoints(shop: Shop, put: Callable[..., Delivery]) -> None:
    token = shop.open("N1", method="").token
    put("b", order_token=token, created_at=2)
    put("c", order_token=token, created_at=1, endpoint="whk")
    put("a", order_token=token, created_at=2, event="order.closed")
    put("d")
    with shop.store.read() as db:
        assert names(stores.deliveries.of_order(db, token)) == ["a", "b"]


def test_due_are_the_callbacks_whose_second_has_come_oldest_first(shop: Shop, put: Callable[..., Delivery]) -> None:
    put("c", due_at=START - 1)
    put("b", due_at=START)
    put("a", due_at=START)
    put("later", due_at=START + 1)
    put("failed", due_at=1, state=FAILED)
    put("event", due_at=1, endpoint="whk")
    with shop.store.read() as db:
        due = stores.deliveries.due
        assert names(due(db, START)) == ["c", "a", "b"]
        assert names(due(db, START, limit=1)) == ["c"]
        assert names(due(db, START, after=(START - 1, "c"))) == ["a", "b"]
        assert names(due(db, START, after=(START, "a"))) == ["b"]
        assert names(due(db, START, after=(START, "b"))) == []
        assert names(due(db, START + 1, after=(START, "b"))) == ["later"]


def test_due_events_come_by_endpoint_the_oldest_of_each_first(shop: Shop, put: Callable[..., Delivery]) -> None:
    with shop.store.transaction() as db:
        for one in (
            endpoint("a"), endpoint("b"), endpoint("fails", failing_since=1), endpoint("idle"), endpoint("later"),
            endpoint("paused", paused_at=1, pause="hand"),
        ):  # fmt: skip
            stores.endpoints.add(db, one)
    put("a3", endpoint="a", due_at=START)
    put("a2", endpoint="a", due_at=START)
    put("a1", endpoint="a", due_at=START - 1)
    put("a4", endpoint="a", due_at=START + 1)
    put("a5", endpoint="a", state=FAILED)
    for name in ("b", "fails", "paused"):
        put(f"{name}1", endpoint=name)
    put("later1", endpoint="later", due_at=START + 1)
    put("idle1", endpoint="idle", state=FAILED)
    with shop.store.read() as db:
        events = stores.deliveries.due_events
        assert [names(found) for found in events(db, START, failing=False)] == [["a1", "a2", "a3"], ["b1"]]
        assert [names(found) for found in events(db, START, failing=False, each=2)] == [["a1", "a2"], ["b1"]]
        assert [names(found) for found in events(db, START, failing=True)] == [["fails1"]]


def test_of_each_endpoint_fifty_are_due_at_once_unless_told_otherwise(shop: Shop, put: Callable[..., Delivery]) -> None:
    with shop.store.transaction() as db:
        stores.endpoints.add(db, endpoint("a"))
    token = shop.open(method="").token
    for number in range(52):
        put(f"{number:02d}", order_token=token, subject=f"{number}", endpoint="a")
    with shop.store.read() as db:
        assert [len(found) for found in stores.deliveries.due_events(db, START, failing=False)] == [50]


def test_the_next_time_is_the_earliest_of_what_waits(shop: Shop, put: Callable[..., Delivery]) -> None:
    put("a", due_at=START + 2)
    put("b", due_at=START + 1)
    put("c", due_at=START, state=DELIVERED)
    with shop.store.read() as db:
        assert stores.deliveries.next_due_at(db) == START + 1


def test_what_is_open_of_an_endpoint_waits_or_is_held(shop: Shop, put: Callable[..., Delivery]) -> None:
    put("a", endpoint="whk")
    put("b", endpoint="whk", state=HELD)
    put("c", endpoint="whk", state=FAILED)
    put("d", endpoint="other")
    with shop.store.read() as db:
        assert [stores.deliveries.open_of(db, name) for name in ("whk", "other", "none")] == [2, 1, 0]


# Moves


def test_only_the_one_who_saw_a_delivery_as_it_is_claims_it(shop: Shop, put: Callable[..., Delivery]) -> None:
    seen = put("a", attempts=3)
    other = put("b", attempts=3)
    with shop.store.transaction() as db:
        for stale in (replace(seen, due_at=START - 1), replace(seen, attempts=2), replace(seen, id="c")):
            assert stores.deliveries.claim(db, stale, START + 30) is None
        assert stores.deliveries.claim(db, seen, START + 30) == replace(seen, attempts=4, due_at=START + 30)
        stores.deliveries.fail(db, replace(other, attempts=3), START)
        assert stores.deliveries.claim(db, other, START + 30) is None
    assert stored(shop, "b").attempts == 3


@pytest.mark.parametrize("state", [WAITING, FAILED, HELD, DROPPED])
def test_an_acknowledgement_counts_whatever_had_become_of_the_message(
    shop: Shop, put: Callable[..., Delivery], state: DeliveryState
) -> None:
    put("a", state=state)
    put("b", state=state)
    with shop.store.transaction() as db:
        stores.deliveries.acknowledge(db, "a", START + 1)
        stores.deliveries.acknowledge(db, "a", START + 2)
    assert (stored(shop, "a").state, stored(shop, "a").done_at) == (DELIVERED, START + 1)
    assert (stored(shop, "b").state, stored(shop, "b").done_at) == (state, None)


def test_a_message_to_nobody_is_not_acknowledged(shop: Shop, put: Callable[..., Delivery]) -> None:
    put("a", state=NONE)
    with shop.store.transaction() as db:
        stores.deliveries.acknowledge(db, "a", START)
    assert stored(shop, "a").state is NONE


def test_only_the_last_worker_fails_or_postpones_what_waits(shop: Shop, put: Callable[..., Delivery]) -> None:
    mine = put("a", attempts=2)
    put("b", attempts=2)
    held = put("held", attempts=2, state=HELD)
    with shop.store.transaction() as db:
        for late in (replace(mine, attempts=1), replace(mine, attempts=3), held):
            stores.deliveries.fail(db, late, START)
            stores.deliveries.postpone(db, late, START + 5)
        assert stores.deliveries.get(db, "a") == mine
        stores.deliveries.postpone(db, mine, START + 5)
        assert stores.deliveries.get(db, "a") == replace(mine, due_at=START + 5)
        stores.deliveries.fail(db, mine, START + 6)
    assert stored(shop, "a") == replace(mine, state=FAILED, due_at=START + 5, done_at=START + 6)
    assert stored(shop, "held") == held
    assert (stored(shop, "b").state, stored(shop, "b").due_at) == (WAITING, START)


def test_given_up_is_what_an_order_s_own_address_still_waits_for(shop: Shop, put: Callable[..., Delivery]) -> None:
    token = shop.open("N1", method="").token
    put("own", order_token=token)
    put("closed", order_token=token, event="order.closed")
    put("hook", order_token=token, endpoint="whk")
    put("done", order_token=token, dialect="epay", state=DELIVERED)
    put("other")
    with shop.store.transaction() as db:
        assert names(stores.deliveries.give_up(db, token, "order.paid", START + 1)) == ["own"]
    assert stored(shop, "own").done_at == START + 1
    assert states(shop, "own", "closed", "hook", "done", "other") == [
        "failed", "waiting", "waiting", "delivered", "waiting",
    ]  # fmt: skip


def test_what_is_sent_again_begins_its_schedule_anew(shop: Shop, put: Callable[..., Delivery]) -> None:
    old = put("a", state=FAILED, attempts=7, done_at=START)
    put("b", state=FAILED, done_at=START)
    with shop.store.transaction() as db:
        again = stores.deliveries.resend(db, "a", "https://new.example", START + 9)
        assert again == replace(
            old, state=WAITING, due_at=START + 9, done_at=None, url="https://new.example", tried_before=7
        )
        assert stores.deliveries.resend(db, "nothing", "", START) is None
    assert states(shop, "a", "b") == ["waiting", "failed"]


def test_a_pause_holds_what_waits_for_its_endpoint_and_resuming_lets_it_go(
    shop: Shop, put: Callable[..., Delivery]
) -> None:
    put("a", endpoint="whk", attempts=3)
    put("b", endpoint="whk", state=FAILED)
    put("c", endpoint="other")
    put("d", endpoint="other", state=HELD)
    with shop.store.transaction() as db:
        stores.deliveries.hold(db, "whk")
        assert [stores.deliveries.get(db, name) is not None for name in "ab"] == [True, True]
    assert states(shop, "a", "b", "c", "d") == ["held", "failed", "waiting", "held"]
    with shop.store.transaction() as db:
        assert stores.deliveries.release(db, "whk", START + 9) == 1
    assert states(shop, "a", "b", "c", "d") == ["waiting", "failed", "waiting", "held"]
    assert (stored(shop, "a").due_at, stored(shop, "a").tried_before) == (START + 9, 3)


def test_what_is_open_of_an_endpoint_is_dropped_or_sent_to_its_new_address(
    shop: Shop, put: Callable[..., Delivery]
) -> None:
    put("a", endpoint="whk")
    put("b", endpoint="whk", state=HELD)
    put("c", endpoint="whk", state=FAILED)
    put("d", endpoint="other")
    with shop.store.transaction() as db:
        stores.deliveries.redirect(db, "whk", "https://new.example")
    assert [stored(shop, name).url for name in "abcd"] == ["https://new.example"] * 2 + ["https://shop.example/n"] * 2
    with shop.store.transaction() as db:
        assert stores.deliveries.drop(db, "whk", START + 9) == 2
        assert stores.deliveries.drop(db, "whk", START + 10) == 0
    assert states(shop, "a", "b", "c", "d") == ["dropped", "dropped", "failed", "waiting"]
    assert stored(shop, "a").done_at == stored(shop, "b").done_at == START + 9


def test_each_try_is_kept_once_in_its_order(shop: Shop, put: Callable[..., Delivery]) -> None:
    put("a")
    put("b")
    tries = [Try("a", number, START + number, 500, 7, "no", "") for number in (2, 1)]
    with shop.store.transaction() as db:
        for one in (*tries, Try("b", 1, START, 200, 1, "", ""), replace(tries[0], answer="again")):
            stores.deliveries.add_try(db, one)
        assert stores.deliveries.tries(db, "a") == tries[::-1]


# Tries that are forgotten


def tried(shop: Shop, *tries: tuple[int, str, int]) -> None:
    with shop.store.transaction() as db:
        for at, delivery, number in tries:
            stores.deliveries.add_try(db, Try(delivery, number, at, 500, 7, "", ""))


def test_the_tries_of_a_time_come_in_portions_each_after_the_one_before(
    shop: Shop, put: Callable[..., Delivery]
) -> None:
    put("a")
    put("b")
    tried(shop, (1, "a", 1), (2, "b", 1), (2, "a", 2), (2, "a", 3), (9, "a", 4))
    with shop.store.read() as db:
        after = stores.deliveries.try_after
        assert after(db, (0, "", 0), 9, 3) == (2, "a", 3)
        assert after(db, (2, "a", 2), 9, 1) == (2, "a", 3)
        assert after(db, (2, "a", 3), 9, 5) == (2, "b", 1)
        assert after(db, (2, "b", 1), 9, 5) is None
        assert after(db, (2, "b", 1), 10, 5) == (9, "a", 4)


@pytest.mark.parametrize("state", list(DeliveryState))
def test_forgotten_are_tries_at_messages_that_ended_well_before(
    shop: Shop, put: Callable[..., Delivery], state: DeliveryState
) -> None:
    for name, done_at in (("a", 9), ("b", 10), ("c", None)):
        put(name, state=state, done_at=done_at)
    tried(shop, (1, "a", 1), (2, "a", 2), (2, "b", 1), (2, "c", 1), (3, "a", 3), (3, "a", 4))
    ends = state in (DELIVERED, DROPPED)
    with shop.store.transaction() as db:
        assert stores.deliveries.forget_tries(db, (1, "a", 1), (3, "a", 3), 10) == (2 if ends else 0)
        left = {name: [one.number for one in stores.deliveries.tries(db, name)] for name in "abc"}
    assert left == {"a": [1, 4] if ends else [1, 2, 3, 4], "b": [1], "c": [1]}

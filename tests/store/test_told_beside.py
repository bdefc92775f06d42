"""What merchants are told by two servers at once: booking a try at an endpoint, a pause, and the next message."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import cast
from unittest.mock import Mock

import pytest

from checkout import protocols
from checkout import store as stores
from checkout.model.deliveries import Delivery, DeliveryState, Endpoint
from checkout.model.orders import Order
from checkout.outbox import announcements, deliveries, letters
from checkout.outbox.dispatcher import Dispatcher
from checkout.outbox.lanes import Lanes, lane_of
from checkout.outbox.owing import Way
from tests.shop import Shop
from tests.store.conftest import Pair
from tests.store.test_locks_beside import ON_A, ON_B
from tests.world import START, answer

Tell = Callable[[], Delivery | None]


@pytest.fixture
def endpoint(pair: Pair) -> Endpoint:
    made = Endpoint(
        id="whk_1", merchant=1001, url="https://a.example/h", events="", description="",
        secret="whsec_" + "c2VjcmV0" * 5,
        previous_secret="", previous_secret_until=0, failing_since=None, paused_at=None, pause="", created_at=START,
    )  # fmt: skip
    with pair.one.store.transaction() as db:
        stores.endpoints.add(db, made)
    return made


def test_a_try_at_an_endpoint_is_booked_beside_orders(pair: Pair, endpoint: Endpoint) -> None:
    tell = telling(pair.two, event(pair.two, endpoint))
    _, _, is_beside = pair.run(lambda: pair.one.open("N1", without=ON_A), tell)
    assert is_beside
    assert states(pair) == [DeliveryState.DELIVERED]


def test_tries_at_one_endpoint_take_turns_and_the_last_one_says_how_it_stands(pair: Pair, endpoint: Endpoint) -> None:
    fails, succeeds = telling(pair.one, event(pair.one, endpoint), 500), telling(pair.two, event(pair.two, endpoint))
    _, _, is_beside = pair.run(fails, succeeds)
    assert not is_beside
    with pair.one.store.read() as db:
        found = stores.endpoints.get(db, endpoint.id)
    assert found is not None
    assert found.failing_since is None


def test_an_endpoint_that_is_gone_is_paused_after_who_had_a_message_for_it(pair: Pair, endpoint: Endpoint) -> None:
    """Or that message would wait for a paused endpoint, and resuming would not find it."""
    waiting = pair.one.open("N1", without=ON_A)
    gone = telling(pair.two, event(pair.two, endpoint), 410)
    outcome, _, is_beside = pair.run(lambda: pair.one.push(990, "phone-a"), gone)
    assert not is_beside
    assert outcome.order.token == waiting.token
    assert states(pair) == [DeliveryState.HELD] * 2


def test_whoever_books_a_callback_claims_the_next_one_of_its_host_beside_orders(pair: Pair) -> None:
    first, following = (owed(pair, number) for number in ("N1", "N2"))
    dispatcher = dispatcher_of(pair.two)
    claimed = deliveries.claim(pair.two.store, first, pair.two.now)
    assert claimed is not None
    dispatcher._passed[lane_of(first)] = deque([following])
    _, taken, is_beside = pair.run(
        lambda: pair.one.open("N9", without=ON_B), lambda: told(pair.two, dispatcher, claimed)
    )
    assert is_beside
    assert (taken.id, taken.attempts) == (following.id, 1)


def test_the_next_one_that_another_server_has_claimed_is_passed_over(pair: Pair) -> None:
    first, second, third = (owed(pair, number) for number in ("N1", "N2", "N3"))
    dispatcher = dispatcher_of(pair.two)
    claimed = deliveries.claim(pair.two.store, first, pair.two.now)
    assert claimed is not None
    dispatcher._passed[lane_of(first)] = deque([second, third])
    theirs, taken, is_beside = pair.run(
        lambda: deliveries.claim(pair.one.store, second, pair.one.now), lambda: told(pair.two, dispatcher, claimed)
    )
    assert not is_beside
    assert (theirs.id, theirs.attempts) == (second.id, 1)
    assert (taken.id, taken.attempts) == (third.id, 1)


def event(shop: Shop, endpoint: Endpoint) -> Delivery:
    """A message for the endpoint that was claimed."""
    with shop.store.transaction() as db:
        waiting = announcements.test(db, endpoint, new_id=shop.new_id, now=shop.now)
    claimed = deliveries.claim(shop.store, waiting, shop.now)
    assert claimed is not None
    return claimed


def owed(pair: Pair, number: str) -> Delivery:
    """The callback of an order that was paid."""
    order: Order = pair.one.open(number, price=int(number[1:]) * 1000, without=ON_A)
    pair.one.push(order.really_price, "phone-a")
    (found,) = pair.one.deliveries(order)
    return found


def telling(shop: Shop, claimed: Delivery, status: int = 200) -> Tell:
    return lambda: told(shop, dispatcher_of(shop), claimed, status)


def told(shop: Shop, dispatcher: Dispatcher, claimed: Delivery, status: int = 200) -> Delivery | None:
    """Books what a merchant has answered; gives the message that goes out then."""
    with shop.store.read() as db:
        letter = letters.written(db, protocols.dialects(), claimed, shop.now)
    assert letter is not None
    dispatcher.replied([(Way(letter, lane_of(claimed)), answer(status))])
    carried = cast(Mock, dispatcher._courier).carry.call_args_list
    return carried[0].args[0].letter.delivery if carried else None


def dispatcher_of(shop: Shop) -> Dispatcher:
    return Dispatcher(
        shop.store, protocols.dialects(), Mock(), lambda: shop.now, Lanes(), submit=Mock(), wake=Mock(),
        is_over=lambda: False,
    )  # fmt: skip


def states(pair: Pair) -> list[DeliveryState]:
    """Of all messages for endpoints."""
    with pair.one.store.read() as db:
        return [one.state for one in stores.deliveries.listed(db, state=None, endpoint="whk_1")]

"""Two at once, over real HTTP: one of them was first, the other is told so, and money moves once."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from checkout.locks import ALL, NotLocked
from checkout.model.orders import State
from tests.clients.api import Shop
from tests.clients.wire import Reply
from tests.protocols.api.conftest import key_for
from tests.servers import on_loopback
from tests.world import World

AT_ONCE = 6
PRICE = {"amount": 990, "currency": "CNY"}


@pytest.fixture
def shop(world: World) -> Iterator[Shop]:
    with on_loopback(world.app) as base_url:

        def wire(method: str, target: str, headers: Any, body: bytes) -> Reply:
            connection = HTTPConnection(urlsplit(base_url).netloc, timeout=30)
            connection.request(method, target, body or None, dict(headers))
            answer = connection.getresponse()
            said = {name.lower(): value for name, value in answer.getheaders()}
            reply = Reply(answer.status, said, answer.read())
            connection.close()
            return reply

        yield Shop(wire, key_for(world))


def together(ask: Callable[[int], Reply]) -> list[Reply]:
    """The answers to requests that begin at the same moment."""
    answers: list[Reply] = []
    gate = threading.Barrier(AT_ONCE)

    def one(number: int) -> None:
        gate.wait()
        answers.append(ask(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def statuses(answers: list[Reply]) -> Counter[int]:
    return Counter(one.status for one in answers)


def test_one_key_is_one_order_and_one_answer(shop: Shop) -> None:
    asked = {"number": "N1", "price": PRICE}
    answers = together(lambda _: shop.send("POST", "/orders", asked, once="k"))
    assert statuses(answers) == {201: AT_ONCE}
    assert len({one.body for one in answers}) == 1
    assert len(shop.all()) == 1
    assert sum("idempotency-replayed" not in one.headers for one in answers) == 1


def test_one_key_with_different_bodies_is_the_first_one_s(shop: Shop) -> None:
    answers = together(
        lambda at: shop.send("POST", "/orders", {"number": f"N{at}", "price": PRICE}, once="k"),
    )
    assert statuses(answers) == {201: 1, 409: AT_ONCE - 1}
    assert len(shop.all()) == 1


def test_one_number_without_a_key_is_one_order(shop: Shop) -> None:
    answers = together(lambda _: shop.send("POST", "/orders", {"number": "N1", "price": PRICE}))
    assert statuses(answers) == {201: 1, 200: AT_ONCE - 1}
    assert len({json.loads(one.body)["order"] for one in answers}) == 1


def test_no_more_is_given_back_than_came(shop: Shop, world: World) -> None:
    order = shop.create("N1")["order"]
    world.push("9.90")
    asked = {"reason": "returned", "by_hand": True, "amount": {"amount": 300, "currency": "CNY"}}
    answers = together(lambda at: shop.send("POST", f"/orders/{order}/refunds", asked, once=f"k{at}"))
    assert statuses(answers) == {201: 3, 400: AT_ONCE - 3}
    assert shop.get(order)["refunded"]["amount"] == 900


def test_an_order_that_is_paid_while_it_is_closed_is_paid(shop: Shop, world: World) -> None:
    order = shop.create("N1")["order"]

    def ask(at: int) -> Reply:
        if at:
            return shop.send("POST", f"/orders/{order}/close")
        world.push("9.90")
        return shop.send("GET", f"/orders/{order}")

    assert set(statuses(together(ask))) <= {200, 409}
    assert shop.get(order)["state"] == State.PAID
    assert [one["judgement"] for one in shop.payments()] in (["matched"], ["late"])


def test_one_payment_pays_one_of_the_orders_it_is_linked_to(shop: Shop, world: World) -> None:
    orders = [shop.create(f"N{at}", 1000 + at)["order"] for at in range(AT_ONCE)]
    world.push("47.11")
    (payment,) = shop.payments()
    asked = [{"order": order, "reason": "said so"} for order in orders]
    answers = together(lambda at: shop.send("POST", f"/payments/{payment['payment']}/link", asked[at]))
    assert statuses(answers) == {200: 1, 409: AT_ONCE - 1}
    assert [one["state"] for one in shop.all()].count("paid") == 1


def test_whoever_finds_the_order_only_when_it_is_done_again_did_not_make_it(
    shop: Shop, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What began beside others may be undone, and find afterwards that another was first."""
    asked = {"number": "N1", "price": PRICE}
    first: list[Reply] = []
    kind, begins = type(world.store), iter([True])
    real = kind.locked

    def locked(store: Any, keys: Any, work: Any) -> Any:
        if next(begins, False):
            with suppress(NotLocked), store.transaction() as db:
                work(db, ALL)
                raise NotLocked
            first.append(shop.send("POST", "/orders", asked))
        return real(store, keys, work)

    monkeypatch.setattr(kind, "locked", locked)
    second = shop.send("POST", "/orders", asked)
    assert (first[0].status, second.status) == (201, 200)
    assert len(shop.all()) == 1

"""Orders of official accounts on two servers at once: notices, questions, and what the gateway gives to show."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from checkout import gateways, inquiries, presence
from checkout import store as stores
from checkout.channel import Paid, Prompt, PromptKind, Scene, Start
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement
from checkout.store.gateways import Watch
from tests.gateways import Till
from tests.shop import Shop
from tests.store.conftest import Pair
from tests.store.test_locks_beside import ON_A

GATE = Till("gate")


@pytest.fixture
def order(pair: Pair) -> Order:
    """It waits, begun at its gateway."""
    pair.one.add_account(id="gate", method="alipay", channel="gate", code="")
    made = pair.one.open("N1", method="alipay")
    gateways.begin(pair.one.store, made, GATE, Scene.QR, pair.one.now)
    return made


def told(shop: Shop, order: Order, reference: str = "T1") -> bool:
    paid = Paid(order.token, reference, 990, shop.now)
    return gateways.book(shop.store, GATE, paid, "{}", new_id=shop.new_id, now=shop.now)


def test_the_same_notice_at_both_is_booked_once(pair: Pair, order: Order) -> None:
    first, second, is_beside = pair.run(lambda: told(pair.one, order), lambda: told(pair.two, order))
    assert (first, second, is_beside) == (True, True, False)
    assert pair.one.order(order).state is State.PAID
    assert len(pair.one.payments()) == len(pair.one.deliveries(order)) == 1


def test_of_two_payments_of_one_order_the_second_is_shown_to_a_person(pair: Pair, order: Order) -> None:
    _, _, is_beside = pair.run(lambda: told(pair.one, order), lambda: told(pair.two, order, "T2"))
    assert not is_beside
    judged = {one.reference: one.judgement for one in pair.one.payments()}
    assert judged == {"T1": Judgement.MATCHED, "T2": Judgement.SUSPECTED}
    assert len(pair.one.deliveries(order)) == 1


def test_a_notice_waits_for_who_closes_its_order_and_pays_it_late(pair: Pair, order: Order) -> None:
    closed, booked, is_beside = pair.run(lambda: pair.one.close(order), lambda: told(pair.two, order))
    assert (closed.state, booked, is_beside) == (State.CLOSED, True, False)
    paid = pair.one.order(order)
    assert (paid.state, paid.late) == (State.PAID, True)


def test_an_order_that_moved_to_another_account_meanwhile_is_booked_alone(
    pair: Pair, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The buyer chose another method after it was looked up what booking touches."""
    real, calls = gateways._keys_of, count()
    monkeypatch.setattr(gateways, "_keys_of", lambda *known: ["nothing"] if next(calls) == 0 else real(*known))
    assert told(pair.one, order)
    assert pair.one.order(order).state is State.PAID
    assert next(calls) == 3


def test_shops_open_orders_beside_a_notice_and_a_question(pair: Pair, order: Order) -> None:
    _, opened, is_beside = pair.run(lambda: told(pair.one, order), lambda: pair.two.open("N2", without=ON_A))
    assert is_beside
    assert opened.account == "a"


def test_of_two_workers_one_asks_the_gateway(pair: Pair, order: Order) -> None:
    watch = watch_of(pair, order)
    assert watch is not None
    first, second, is_beside = pair.run(
        lambda: inquiries.claim(pair.one.store, watch, pair.one.now),
        lambda: inquiries.claim(pair.two.store, watch, pair.two.now),
    )
    assert (first, second, is_beside) == (True, False, False)


def test_a_question_that_ends_after_the_money_was_booked_brings_nothing_back(pair: Pair, order: Order) -> None:
    """The gateway said "not paid yet", and then its notice was faster."""
    watch = watch_of(pair, order)
    assert watch is not None
    clock, unpaid = (lambda: pair.two.now), Till("gate")
    _, _, is_beside = pair.run(
        lambda: told(pair.one, order),
        lambda: inquiries.check(pair.two.store, {"gate": unpaid}, watch, new_id=pair.two.new_id, clock=clock),
    )
    assert not is_beside
    assert unpaid.calls == ["query"]
    assert watch_of(pair, order) is None


def test_two_pages_that_ask_for_the_code_at_once_show_the_same(pair: Pair, order: Order) -> None:
    prompts = iter(["first", "second"])

    def ask(shop: Shop) -> Any:
        name = next(prompts)
        till = Till("gate", prompt=lambda _: Prompt(PromptKind.QR, name))
        start = Start(order, Scene.QR, "Book", "", "", "", "", shop.now)
        return gateways._first(shop.store, start, till, till.start(start)).text

    first, second, is_beside = pair.run(lambda: ask(pair.one), lambda: ask(pair.two))
    assert not is_beside
    assert first == second == "first"


def test_a_phone_gives_a_sign_of_life_beside_everybody_but_its_own_money(pair: Pair) -> None:
    with pair.one.store.read() as db:
        phone = stores.devices.get(db, "phone-b")
    assert phone is not None
    for doing, goes_beside in (
        (lambda: pair.one.open("N1", without=ON_A), True),
        (lambda: pair.one.push(123, "phone-a"), True),
        (lambda: pair.one.push(123, "phone-b"), False),
    ):
        pair.again()
        _, failed, is_beside = pair.run(doing, lambda: presence.beat(pair.two.store, phone, pair.two.now + 7))
        assert failed is None
        assert is_beside is goes_beside
    with pair.one.store.read() as db:
        heard = stores.devices.get(db, "phone-b")
    assert heard is not None
    assert (heard.beat_at, heard.push_at) == (pair.two.now + 7, pair.one.now)


def watch_of(pair: Pair, order: Order) -> Watch | None:
    with pair.one.store.read() as db:
        return stores.gateways.watch_of(db, order.token)

"""What a phone tells twice, and what it tells late: neither pays an order that was not meant."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkout import payments
from checkout import store as stores
from checkout.interfaces import Store
from checkout.model.orders import State
from checkout.model.payments import Judgement
from checkout.payments import CLOCK_SLACK_S, Outcome, Report
from tests.shop import Shop

OTHERS = 3600  # by then the amount of a paid order may stand for another one


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


def report(shop: Shop, reference: str, event: str = "") -> Report:
    with shop.store.read() as db:
        phone = stores.devices.get(db, "phone")
    assert phone is not None
    return Report(phone, "wechat", 990, reference, "{}", shop.now, event=event)


def receive(shop: Shop, told: Report) -> Outcome:
    return payments.receive(shop.store, told, new_id=shop.new_id, now=shop.now)


def test_a_notification_told_again_in_another_message_pays_nothing(shop: Shop) -> None:
    first, event = shop.open("N1"), "phone:abc:"
    assert receive(shop, report(shop, "phone:abc:1", event)).order is not None
    shop.go(OTHERS)
    second = shop.open("N2")
    assert second.really_price == first.really_price
    again = receive(shop, report(shop, "phone:abc:2", event))
    assert (again.order, again.repeated) == (None, False)
    assert shop.payment(again).judgement is Judgement.SUSPECTED
    assert "told of the same notification" in shop.payment(again).note
    assert shop.order(second).state is State.PENDING


@pytest.mark.parametrize("other", ["phone:abc", "phone:abcd:1", "phone:ab:1", "phone:abc;", "phone:abb:9", "p:abc:1"])
def test_a_reference_that_only_looks_alike_is_another_notification(shop: Shop, other: str) -> None:
    receive(shop, report(shop, other, "phone:xyz:"))
    shop.go(OTHERS)
    shop.open("N1")
    assert receive(shop, report(shop, "phone:abc:1", "phone:abc:")).order is not None


def test_the_same_reference_again_changes_nothing(shop: Shop) -> None:
    shop.open("N1")
    told = report(shop, "phone:abc:1", "phone:abc:")
    assert receive(shop, told).order is not None
    assert receive(shop, told).repeated
    assert len(shop.payments()) == 1


@pytest.mark.parametrize(("early", "pays"), [(0, True), (CLOCK_SLACK_S, True), (CLOCK_SLACK_S + 1, False)])
def test_money_from_before_an_order_does_not_pay_it(shop: Shop, early: int, pays: bool) -> None:
    order = shop.open("N1")
    outcome = receive(shop, replace(report(shop, "phone:1"), came_at=shop.now - early))
    assert (outcome.order is not None) is pays
    if not pays:
        found = shop.payment(outcome)
        assert (found.judgement, found.order_token) == (Judgement.UNMATCHED, "")
        assert "before the order" in found.note
        assert shop.order(order).state is State.PENDING


def test_late_money_finds_the_order_that_was_open_when_it_came(shop: Shop) -> None:
    order = shop.open("N1")
    shop.go(400)
    outcome = receive(shop, replace(report(shop, "phone:1"), came_at=shop.now - 395))
    assert outcome.order is not None
    assert outcome.order.token == order.token


@pytest.mark.parametrize(("later", "pays"), [(119, False), (120, False), (121, True)])
def test_a_message_without_identity_is_suspected_for_as_long_as_it_asks(shop: Shop, later: int, pays: bool) -> None:
    receive(shop, report(shop, "phone:1"))
    shop.go(10)
    shop.open("N1")
    shop.go(later - 10)
    outcome = receive(shop, replace(report(shop, "phone:2"), repeat_s=120))
    assert (outcome.order is not None) is pays


@pytest.fixture
def two(shop: Shop) -> Shop:
    """Two phones watch the account."""
    shop.add_device("second", ["wx-main"])
    return shop


def pays(shop: Shop, *phones: str) -> None:
    """An order of 9.90 whose money these phones tell of, one after the other; then its amount is free again."""
    order = shop.open(f"N{shop.now}")
    assert order.really_price == 990
    for phone in phones:
        shop.go(4)
        shop.push(990, phone)
    assert shop.order(order).state is State.PAID
    shop.go(400)


def test_phones_that_took_turns_in_telling_first_do_not_pay_with_what_one_tells_late(two: Shop) -> None:
    pays(two, "phone", "second")
    pays(two, "second")  # the other one sleeps
    waiting = two.open("N3")
    late = two.push(990, "phone")
    assert late.order is None
    assert two.payment(late).judgement is Judgement.SUSPECTED
    assert two.order(waiting).state is State.PENDING


def test_what_a_phone_says_twice_counts_once_against_what_it_owes(two: Shop) -> None:
    pays(two, "phone")  # the other one sleeps
    two.open("N2")
    for phone in ("phone", "second", "second"):
        two.go(1)
        two.push(990, phone)
    two.go(400)
    waiting = two.open("N3")
    assert two.push(990, "second").order is None
    assert two.order(waiting).state is State.PENDING


def test_a_phone_that_tells_everything_pays_whatever_the_other_one_missed(two: Shop) -> None:
    for _ in range(3):
        pays(two, "phone")


def test_a_phone_that_has_told_of_all_that_was_booked_pays(two: Shop) -> None:
    pays(two, "phone", "second")
    pays(two, "second", "phone")
    pays(two, "second")

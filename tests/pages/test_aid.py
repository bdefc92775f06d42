"""When paying does not go as it should: another method, "I have paid", a new code, giving up."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from werkzeug.test import TestResponse

from checkout import store as stores
from checkout.model.orders import Order, State
from checkout.model.payments import Claim
from tests.pages.shop import opened, rev_in, stage_in
from tests.pages.test_buy import add, change, orders, send
from tests.world import World


def taken(world: World) -> Order:
    """An order of a buyer, its code on the screen."""
    add(world)
    send(world)
    (order,) = orders(world)
    page(world, order)
    return world.order(order.token)


def page(world: World, order: Order, query: str = "?lang=en") -> str:
    answer = world.client.get(f"/pay/{order.token}{query}")
    assert answer.status_code == 200
    return answer.text


def act(world: World, order: Order, name: str, **values: str) -> TestResponse:
    return world.client.post(f"/pay/{order.token}/{name}?lang=en", data=values)


def claims(world: World) -> list[Claim]:
    with world.store.read() as db:
        return stores.receipts.claims_waiting(db)


def test_the_buyer_switches_and_money_by_either_method_counts(world: World) -> None:
    order = taken(world)
    assert 'value="alipay"' in world.client.get(f"/pay/{order.token}/help").text
    assert act(world, order, "method", method="alipay").location == f"/pay/{order.token}?lang=en"
    assert 'class="pending alipay"' in page(world, order)
    world.push("9.90", kind="1")
    assert "WeChat Pay" in page(world, order)
    assert stage_in(page(world, order)) == "paid"


def test_a_merchant_that_named_the_method_offers_no_other(world: World) -> None:
    order = opened(world)
    assert 'value="alipay"' not in world.client.get(f"/pay/{order.token}/help").text
    act(world, order, "method", method="alipay")
    assert world.order(order.token).method == "wechat"


def test_whoever_has_paid_is_looked_for_each_second_and_then_asked(world: World) -> None:
    order = taken(world)
    place = act(world, order, "check").location
    assert place == f"/pay/{order.token}?asked={world.clock()}&lang=en#help"
    text = world.client.get(place).text
    assert "every 1s" in text
    assert "Looking for your payment" in text
    query = f"?lang=en&asked={world.clock()}"
    poll = f"/pay/{order.token}/poll{query}&rev={rev_in(text)}"
    world.clock.go(19)
    assert world.client.get(poll).status_code == 204
    world.clock.go(1)
    changed = world.client.get(poll)
    assert 'name="last_digits"' in changed.text
    again = f"/pay/{order.token}/poll{query}&rev={rev_in(changed.text)}"
    assert world.client.get(again).status_code == 204  # what the buyer types stays
    assert world.order(order.token).state is State.PENDING


def test_a_claim_reaches_the_owner_once_and_pays_nothing(world: World) -> None:
    order = taken(world)
    for _ in range(2):
        answer = act(world, order, "claim", amount="9.90", paid_around="22:10", last_digits="1234")
        assert (answer.status_code, answer.location) == (303, f"/pay/{order.token}?lang=en")
    (claim,) = claims(world)
    assert (claim.amount, claim.paid_around, claim.last_digits) == (990, "22:10", "1234")
    assert "Your message has reached the shop" in page(world, order)
    assert "data-review" in page(world, order)
    assert world.order(order.token).state is State.PENDING


@pytest.mark.parametrize(
    "values", [{}, {"amount": "x"}, {"amount": "1", "last_digits": "a"}, {"amount": "1", "note": "x" * 300}]
)
def test_a_claim_that_cannot_be_read_is_400(world: World, values: dict[str, str]) -> None:
    assert act(world, taken(world), "claim", **values).status_code == 400
    assert claims(world) == []


@pytest.mark.parametrize(("seconds", "status"), [(7 * 86_400, 303), (7 * 86_400 + 1, 409)])
def test_a_claim_is_taken_for_a_week(world: World, seconds: int, status: int) -> None:
    order = taken(world)
    world.clock.go(seconds)
    assert act(world, order, "claim", amount="9.90").status_code == status
    assert len(claims(world)) == (status == 303)


def test_about_an_order_that_is_paid_or_whose_code_nobody_saw_there_is_no_claim(world: World) -> None:
    paid = taken(world)
    world.push("9.90")
    with world.store.transaction() as db:
        unseen = replace(paid, token="0" * 32, number="N9", method="", account="", channel="", really_price=None)
        stores.orders.add(db, unseen)
    for order in (paid, unseen):
        assert act(world, order, "claim", amount="9.90").status_code == 409
    assert claims(world) == []


def test_an_expired_order_gets_a_new_code_and_both_pages_know(world: World) -> None:
    order = taken(world)
    world.clock.go(300)
    assert "Get a new code" in page(world, order)
    place = act(world, order, "renew").location
    assert place == act(world, order, "renew").location
    assert len(orders(world)) == 2
    assert place.split("?")[0] in page(world, order)
    world.push("9.90")
    assert stage_in(world.client.get(place).text) == "paid"
    assert stage_in(page(world, order)) == "paid"


def test_at_another_price_the_buyer_starts_at_the_product(world: World) -> None:
    order = taken(world)
    world.clock.go(300)
    change(world, price=1990)
    assert act(world, order, "renew").location == "/buy/ebook?lang=en"
    assert len(orders(world)) == 1


def test_a_renewal_keeps_to_the_stock(world: World) -> None:
    order = taken(world)
    world.clock.go(300)
    change(world, stock=0)
    assert act(world, order, "renew").status_code == 409
    assert len(orders(world)) == 1


def test_a_merchants_expired_order_is_renewed_with_its_number(world: World) -> None:
    order = opened(world)
    world.clock.go(300)
    token = act(world, order, "renew").location.split("/")[-1].split("?")[0]
    assert (world.order(token).number, world.order(token).attempt) == ("N1", 2)


def test_a_buyer_gives_up_only_what_a_buyer_opened(world: World) -> None:
    order = taken(world)
    assert act(world, order, "cancel").status_code == 303
    assert world.order(order.token).state is State.CLOSED
    assert act(world, order, "cancel").status_code == 303
    merchants = opened(world, "N2")
    assert act(world, merchants, "cancel").status_code == 409
    assert world.order(merchants.token).state is State.PENDING


@pytest.mark.parametrize("name", ["check", "claim", "renew", "cancel"])
def test_nothing_of_this_is_done_by_a_get_or_to_an_unknown_order(world: World, name: str) -> None:
    order = taken(world)
    assert world.client.get(f"/pay/{order.token}/{name}").status_code == 405
    for token in ("0" * 32, "x", "%00"):
        assert world.client.post(f"/pay/{token}/{name}", data={"amount": "1"}).status_code == 404
    assert len(orders(world)) == 1


@pytest.mark.parametrize("asked", ["x", "-1", "9" * 20, "1.5", "٣"])
def test_nonsense_about_when_it_was_asked_is_ignored(world: World, asked: str) -> None:
    assert "Looking for" not in page(world, taken(world), f"?lang=en&asked={asked}")

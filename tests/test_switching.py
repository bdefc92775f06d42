"""One order, two methods, several attempts: whatever the buyer pays finds its order, and pays it once."""

from __future__ import annotations

import pytest

from checkout import claims, ids, orders, selling, switching
from checkout import store as stores
from checkout.errors import Code, Refusal
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement
from checkout.products import Caps
from tests.test_selling import buy, product_of
from tests.world import World


def switch(world: World, order: Order, method: str) -> Order:
    return switching.choose_method(world.store, order.token, method, world.parts.rules, world.clock())


def show(world: World, order: Order) -> Order:
    return orders.show(world.store, order, world.parts.rules.limits, world.clock())


def renew(world: World, order: Order) -> Order | None:
    return selling.renew(world.store, order, world.parts.rules, Caps(), world.clock())


def shown(world: World) -> Order:
    return show(world, buy(world, product_of(world)))


def test_a_switched_order_is_paid_by_the_new_method(world: World) -> None:
    order = show(world, switch(world, shown(world), "alipay"))
    assert (order.method, order.account, order.really_price) == ("alipay", "ali-main", 990)
    world.push("9.90", kind="2")
    paid = world.order(order.token)
    assert (paid.state, paid.method, paid.account) == (State.PAID, "alipay", "ali-main")


def test_money_by_the_method_before_pays_it_too_and_is_shown_as_it_came(world: World) -> None:
    order = show(world, switch(world, shown(world), "alipay"))
    world.push("9.90", kind="1")
    paid = world.order(order.token)
    assert (paid.state, paid.method, paid.account, paid.really_price) == (State.PAID, "wechat", "wx-main", 990)
    (payment,) = world.payments()
    assert (payment.judgement, payment.account) == (Judgement.MATCHED, "wx-main")


def test_the_second_of_two_payments_waits_for_the_owner(world: World) -> None:
    order = show(world, switch(world, shown(world), "alipay"))
    world.push("9.90", kind="2")
    world.push("9.90", kind="1", t=world.clock() * 1000 + 5)
    assert world.order(order.token).method == "alipay"
    assert sorted(payment.judgement for payment in world.payments()) == [Judgement.MATCHED, Judgement.SUSPECTED]


def test_switching_to_and_fro_holds_two_amounts_and_no_more(world: World) -> None:
    order = shown(world)
    for method in ("alipay", "wechat", "alipay", "wechat"):
        order = show(world, switch(world, order, method))
    assert (order.method, order.really_price) == ("wechat", 990)
    with world.store.read() as db:
        assert stores.slots.of_order(db, order.token, world.clock()) == [("ali-main", 990), ("wx-main", 990)]


def test_the_amount_before_is_kept_from_others_until_late_money_is_over(world: World) -> None:
    order = show(world, switch(world, shown(world), "alipay"))
    world.clock.go(301)
    assert world.create("N1")["data"]["reallyPrice"] == "9.91"
    world.push("9.90", kind="1")
    paid = world.order(order.token)
    assert (paid.state, paid.late, paid.method) == (State.PAID, True, "wechat")


def test_a_merchant_that_named_the_method_gets_it(world: World) -> None:
    token = world.create()["data"]["orderId"]
    with pytest.raises(Refusal) as caught:
        switch(world, world.order(token), "alipay")
    assert caught.value.code is Code.NOT_ALLOWED


def test_an_ended_order_cannot_be_switched(world: World) -> None:
    order = shown(world)
    world.clock.go(300)
    with pytest.raises(Refusal):
        switch(world, order, "alipay")


def test_an_expired_order_is_renewed_once(world: World) -> None:
    order = shown(world)
    world.clock.go(300)
    first, second = renew(world, order), renew(world, order)
    assert first is not None
    assert second is not None
    assert (first.token, first.number, first.attempt) == (second.token, order.number, 2)
    assert first.token != order.token
    assert first.really_price == 991  # late money to the first attempt still finds it


def test_an_order_that_waits_is_its_own_renewal(world: World) -> None:
    order = shown(world)
    found = renew(world, order)
    assert found is not None
    assert found.token == order.token


def test_late_money_pays_the_first_attempt_and_the_second_leads_there(world: World) -> None:
    order = shown(world)
    world.clock.go(300)
    second = renew(world, order)
    assert second is not None
    world.push("9.90")
    assert world.order(order.token).state is State.PAID
    assert world.order(second.token).state is State.CLOSED
    found = renew(world, second)
    assert found is not None
    assert found.token == order.token


def test_at_another_price_the_buyer_starts_again(world: World) -> None:
    from checkout import catalogue
    from checkout.catalogue import Draft
    from checkout.merchants import Reach

    order = shown(world)
    catalogue.change(world.store, "ebook", Draft(price=1990), Reach(), actor="t", new_id=ids.new_id, now=world.clock())
    world.clock.go(300)
    assert renew(world, order) is None


def test_a_merchants_order_is_renewed_where_it_allows_the_number_again(world: World) -> None:
    token = world.create()["data"]["orderId"]
    world.clock.go(300)
    again = renew(world, world.order(token))
    assert again is not None
    assert (again.dialect, again.attempt) == ("vmq", 2)
    world.clock.go(300)
    world.change_merchant(reuse=False)
    with pytest.raises(Refusal):
        renew(world, again)


def refused_renewal(world: World, order: Order) -> Code:
    before = attempts(world, order)
    with pytest.raises(Refusal) as caught:
        renew(world, order)
    assert attempts(world, order) == before
    return caught.value.code


def attempts(world: World, order: Order) -> list[str]:
    with world.store.read() as db:
        return [one.token for one in stores.orders.other_attempts(db, order)]


def test_what_its_shop_has_closed_is_not_renewed(world: World) -> None:
    order = world.order(world.create()["data"]["orderId"])
    orders.close(world.store, order.token, world.parts.rules.limits, world.clock())
    assert refused_renewal(world, order) is Code.NOT_ALLOWED


def test_what_is_renewed_is_what_the_shop_asked_for_last(world: World) -> None:
    first = world.order(world.create("N1", "5.00")["data"]["orderId"])
    world.clock.go(300)
    world.create("N1", "9.00")
    world.clock.go(300)
    again = renew(world, first)
    assert again is not None
    assert (again.attempt, again.price) == (3, 900)


def test_a_purchase_that_its_buyer_gave_up_is_renewed(world: World) -> None:
    order = shown(world)
    orders.close(world.store, order.token, world.parts.rules.limits, world.clock())
    again = renew(world, order)
    assert again is not None
    assert again.attempt == 2


def test_nothing_is_renewed_once_its_merchant_takes_no_orders(world: World) -> None:
    bought, asked = shown(world), world.order(world.create("N2", "5.00")["data"]["orderId"])
    world.clock.go(300)
    world.change_merchant(disabled_at=world.clock())
    assert refused_renewal(world, bought) is Code.NOT_ALLOWED
    assert refused_renewal(world, asked) is Code.NOT_ALLOWED


def test_nobody_keeps_the_price_of_a_shop_for_longer_than_a_day(world: World) -> None:
    order = world.order(world.create()["data"]["orderId"])
    world.clock.go(86_399)
    again = renew(world, order)
    assert again is not None
    world.clock.go(300)
    assert refused_renewal(world, again) is Code.NOT_ALLOWED  # each one would be good for another day


def claim(world: World, order: Order, **values: str) -> str:
    given = {"amount": "9.90", "paid_around": "12:30", "last_digits": "1234", "note": "paid", **values}
    return claims.file(world.store, order, new_id=ids.new_id, now=world.clock(), **given).id


def test_a_claim_waits_for_the_owner_and_pays_nothing(world: World) -> None:
    order = shown(world)
    claim_id = claim(world, order)
    assert world.order(order.token).state is State.PENDING
    with pytest.raises(Refusal) as caught:
        claim(world, order)
    assert caught.value.code is Code.CONFLICT
    claims.answer(world.store, claim_id, reason="seen", actor="t", new_id=ids.new_id, now=world.clock())
    with world.store.read() as db:
        assert stores.receipts.claims_waiting(db) == []
        assert [entry.action for entry in stores.audit.latest(db)][:1] == ["claim.answer"]
    with pytest.raises(Refusal):
        claims.answer(world.store, claim_id, reason="x", actor="t", new_id=ids.new_id, now=world.clock())


def test_a_claim_is_settled_when_the_money_is_found(world: World) -> None:
    order = shown(world)
    claim(world, order)
    world.push("9.90")
    with world.store.read() as db:
        assert stores.receipts.claims_waiting(db) == []
    with pytest.raises(Refusal):
        claim(world, world.order(order.token))


@pytest.mark.parametrize(
    "wrong", [{"amount": "x"}, {"amount": "0"}, {"last_digits": "12a"}, {"last_digits": "1234567"}, {"note": "x" * 201}]
)
def test_a_claim_that_cannot_be_read_is_refused(world: World, wrong: dict[str, str]) -> None:
    with pytest.raises(Refusal):
        claim(world, shown(world), **wrong)
    with world.store.read() as db:
        assert stores.receipts.claims_waiting(db) == []

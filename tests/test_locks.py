"""What the frequent transactions say they touch, and that it is enough for what they do: without a word too few they
run beside others on PostgreSQL. Here a SQLite file is asked as PostgreSQL would be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from checkout import inquiries, orders, presence, sharing, switching
from checkout import store as stores
from checkout.errors import Refusal
from checkout.interfaces import Rows, Store
from checkout.locks import ALL, Held, NotLocked
from checkout.model.accounts import Method
from checkout.model.orders import State
from checkout.outbox import deliveries
from checkout.store.sqlite import SqliteStore
from tests.shop import Shop
from tests.world import product

Asked = list[list[str] | None]


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


@pytest.fixture
def asked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The lock keys of each transaction; it holds no more than them."""
    seen: Asked = []

    def locked(
        store: SqliteStore, keys: Callable[[Rows], Iterable[str] | None], work: Callable[[Rows, Held], Any]
    ) -> Any:
        with store.read() as db:
            taken = keys(db)
        seen.append(None if taken is None else sorted(set(taken)))
        with store.transaction() as db:
            return work(db, ALL if taken is None else Held(frozenset(taken)))

    monkeypatch.setattr(SqliteStore, "locked", locked)
    return seen


def test_who_has_locked_everything_may_touch_everything() -> None:
    assert ALL.has("account a")
    ALL.require(["account a"])
    ALL.require_all()


def test_who_holds_some_keys_may_touch_no_more() -> None:
    held = Held(frozenset({"account a", "account b"}))
    assert held.has("account a")
    assert not held.has("account c")
    held.require(["account b", "account a"])
    with pytest.raises(NotLocked):
        held.require(["account a", "account c"])
    with pytest.raises(NotLocked):
        held.require_all()


@pytest.fixture
def took(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What the transactions from now on may touch, whatever they say."""

    def take(*keys: str) -> None:
        def locked(store: SqliteStore, _: object, work: Callable[[Rows, Held], Any]) -> Any:
            with store.transaction() as db:
                return work(db, Held(frozenset(keys)))

        monkeypatch.setattr(SqliteStore, "locked", locked)

    return take


Took = Callable[..., None]


def test_a_callback_that_is_claimed_touches_itself_alone(shop: Shop, asked: Asked) -> None:
    order = shop.open("N1")
    shop.push(order.really_price)
    (owed,) = shop.deliveries(order)
    del asked[:]
    claimed = deliveries.claim(shop.store, owed, shop.now)
    assert claimed is not None
    assert claimed.attempts == 1
    assert asked == [[f"delivery {owed.id}"]]


def test_counting_how_often_somebody_asks_touches_that_count_alone(shop: Shop, asked: Asked) -> None:
    draw = sharing.drawing(shop.store, "secret")
    for who in ("1.2.3.4", "1.2.3.5", "1.2.3.4"):
        draw(who, 1, shop.now)
    with shop.store.read() as db:
        names = {name for (name,) in db.all("SELECT name FROM buckets")}
    assert len(names) == 2
    assert {f"bucket {name}" for name in names} == {key for keys in asked for key in keys or ()}
    assert asked[0] == asked[2] != asked[1]


def test_an_order_touches_its_number_and_the_amounts_of_an_account(shop: Shop, asked: Asked) -> None:
    assert shop.open("N1").state is State.PENDING
    assert asked == [["account wx-main", "number 1001 N1"]]


def test_the_accounts_on_one_phone_are_touched_together(shop: Shop, asked: Asked) -> None:
    shop.add_account(id="wx-other", code="wxp://other")
    with shop.store.transaction() as db:
        stores.devices.watch(db, "phone", "wx-other")
    shop.open("N1")
    assert asked == [["account wx-main", "account wx-other", "number 1001 N1"]]


def test_an_account_that_is_passed_over_is_not_touched(shop: Shop, asked: Asked) -> None:
    shop.add_account(id="wx-other", code="wxp://other")
    order = shop.open("N1", without=("wx-main",))
    assert order.account == "wx-other"
    assert asked == [["account wx-other", "number 1001 N1"]]


def test_an_order_whose_buyer_will_choose_touches_its_number_alone(shop: Shop, asked: Asked) -> None:
    shop.open("N1", method="")
    assert asked == [["number 1001 N1"]]


def test_an_order_that_no_account_takes_touches_its_number_alone_and_is_refused(shop: Shop, asked: Asked) -> None:
    with pytest.raises(Refusal):
        shop.open("N1", without=("wx-main",))
    assert asked == [["number 1001 N1"]]


def test_what_is_sold_here_touches_what_is_left_of_it_and_what_buyers_hold(shop: Shop, asked: Asked) -> None:
    with shop.store.transaction() as db:
        stores.products.add(db, product())
    shop.open("N1", product="ebook", client="somebody")
    assert asked == [["account wx-main", "buyers wechat", "number 1001 N1", "product ebook"]]


def test_a_method_that_is_chosen_touches_the_account_before_it_and_its_own(shop: Shop, asked: Asked) -> None:
    shop.add_account(id="ali-main", method=Method.ALIPAY, code="https://qr.alipay.com/fkx")
    order = shop.open("N1", dialect="api")
    del asked[:]
    switching.choose_method(shop.store, order.token, "alipay", shop.rules, shop.now)
    assert asked == [["account ali-main", "account wx-main", "number 1001 N1"]]


def test_a_question_to_a_gateway_touches_the_order_s_number(shop: Shop, asked: Asked) -> None:
    order = shop.open("N1")
    with shop.store.transaction() as db:
        stores.gateways.watch(db, order.token, "gate", shop.now)
        watch = stores.gateways.watch_of(db, order.token)
    assert watch is not None
    del asked[:]
    assert inquiries.claim(shop.store, watch, shop.now)
    assert asked == [["number 1001 N1"]]


def test_an_order_that_is_not_there_has_no_words(shop: Shop, asked: Asked) -> None:
    with pytest.raises(Refusal, match="no such order"):
        switching.choose_method(shop.store, "0" * 32, "alipay", shop.rules, shop.now)
    assert asked == [None]
    with shop.store.read() as db:
        assert orders.number_keys(db, "0" * 32) is None


def test_a_sign_of_life_touches_its_phone_alone(shop: Shop, asked: Asked) -> None:
    with shop.store.read() as db:
        phone = stores.devices.get(db, "phone")
    assert phone is not None
    presence.beat(shop.store, phone, shop.now + 5)
    assert asked == [["device phone"]]
    with shop.store.read() as db:
        heard = stores.devices.get(db, "phone")
    assert heard is not None
    assert heard.beat_at == shop.now + 5


def test_money_touches_its_phone_the_accounts_and_the_number_that_it_may_pay(shop: Shop, asked: Asked) -> None:
    order = shop.open("N1")
    del asked[:]
    assert shop.push(order.really_price).order == shop.order(order)
    assert asked == [["account wx-main", "device phone", "number 1001 N1"]]


@pytest.mark.parametrize("amount", [None, 12345])
def test_money_that_stands_for_no_order_touches_its_phone_and_accounts(
    shop: Shop, asked: Asked, amount: int | None
) -> None:
    shop.open("N1")
    del asked[:]
    assert shop.push(amount).order is None
    assert asked == [["account wx-main", "device phone"]]


def test_money_for_what_is_sold_here_touches_what_is_left_of_it(shop: Shop, asked: Asked) -> None:
    with shop.store.transaction() as db:
        stores.products.add(db, product())
    order = shop.open("N1", product="ebook")
    del asked[:]
    assert shop.push(order.really_price).order == shop.order(order)
    assert asked == [["account wx-main", "device phone", "number 1001 N1", "product ebook"]]


# What was taken is too little by the time the transaction runs: it is undone, and done again alone


MONEY = ("account wx-main", "device phone", "number 1001 N1")
ORDER = ("account wx-main", "number 1001 N1")


def test_an_order_takes_no_amount_of_an_account_that_it_has_not_taken(shop: Shop, took: Took) -> None:
    """Another account was chosen by lot before, and was switched off meanwhile."""
    took("number 1001 N1")
    with pytest.raises(NotLocked):
        shop.open("N1")
    assert shop.slots() == {}
    took(*ORDER)
    assert shop.open("N1").really_price == 990


def test_an_order_takes_no_amount_beside_an_account_that_it_has_not_taken(shop: Shop, took: Took) -> None:
    """The phone was given one more account meanwhile: an order there may have the same amount."""
    shop.add_account(id="wx-other", code="wxp://other")
    with shop.store.transaction() as db:
        stores.devices.watch(db, "phone", "wx-other")
    took(*ORDER)
    with pytest.raises(NotLocked):
        shop.open("N1", without=("wx-other",))
    assert shop.slots() == {}


def test_the_cap_of_an_account_that_was_not_taken_is_not_judged(shop: Shop, took: Took) -> None:
    """Money for it may be booked in this moment, or sent back."""
    shop.change_account(daily_cap=1)
    took("number 1001 N1")
    with pytest.raises(NotLocked):
        shop.open("N1")


def test_an_account_that_was_taken_is_chosen_before_the_others(shop: Shop, took: Took) -> None:
    for name in ("a", "b", "c", "d"):
        shop.add_account(id=name, code=f"wxp://{name}")
        shop.add_device(f"phone-{name}", [name])
    took("account c", "number 1001 N1")
    assert shop.open("N1").account == "c"


def test_orders_whose_time_is_over_are_written_down_only_alone(shop: Shop, took: Took) -> None:
    before = shop.open("N0")
    shop.go(300)
    took(*ORDER)
    with pytest.raises(NotLocked):
        shop.open("N1")
    assert shop.order(before).state is State.PENDING


def test_a_code_that_leaves_the_house_holds_no_amount_of_an_account_that_was_not_taken(shop: Shop, took: Took) -> None:
    """The order has moved to another account meanwhile."""
    order = shop.open("N1", shown=False)
    took("number 1001 N1", "account wx-other")
    with pytest.raises(NotLocked):
        orders.show(shop.store, order, shop.rules.limits, shop.now)
    assert shop.order(order).shown_at is None
    took(*ORDER)
    assert orders.show(shop.store, order, shop.rules.limits, shop.now).shown_at == shop.now


@pytest.mark.parametrize("missing", ["account wx-main", "number 1001 N1"])
def test_money_pays_no_order_that_it_has_not_taken(shop: Shop, took: Took, missing: str) -> None:
    order = shop.open("N1")
    took(*(word for word in MONEY if word != missing))
    with pytest.raises(NotLocked):
        shop.push(order.really_price)
    assert (shop.order(order), shop.payments()) == (order, [])


def test_money_is_compared_with_no_account_that_it_has_not_taken(shop: Shop, took: Took) -> None:
    """The phone was given one more account meanwhile: an order there may have the same amount."""
    shop.open("N1")
    shop.add_account(id="wx-other", code="wxp://other")
    with shop.store.transaction() as db:
        stores.devices.watch(db, "phone", "wx-other")
    took(*MONEY)
    with pytest.raises(NotLocked):
        shop.push(12345)
    assert shop.payments() == []


def test_money_pays_no_account_s_order_from_before_a_switch_without_its_account_of_now(shop: Shop, took: Took) -> None:
    shop.add_account(id="ali-main", method=Method.ALIPAY, code="https://qr.alipay.com/fkx")
    order = shop.open("N1", dialect="api")
    switching.choose_method(shop.store, order.token, "alipay", shop.rules, shop.now)
    took(*MONEY)
    with pytest.raises(NotLocked):
        shop.push(order.really_price)
    took(*MONEY, "account ali-main")
    paid = shop.push(order.really_price).order
    assert paid is not None
    assert paid.token == order.token


def test_money_pays_nothing_that_is_sold_here_and_was_not_taken(shop: Shop, took: Took) -> None:
    """Its keys may be handed to another buyer in this moment."""
    with shop.store.transaction() as db:
        stores.products.add(db, product())
    order = shop.open("N1", product="ebook")
    took(*MONEY)
    with pytest.raises(NotLocked):
        shop.push(order.really_price)
    assert (shop.order(order), shop.payments()) == (order, [])
    took(*MONEY, "product ebook")
    assert shop.push(order.really_price).order == shop.order(order)


@pytest.mark.parametrize("missing", ["account wx-main", "account ali-main", "number 1001 N1"])
def test_a_method_is_not_chosen_without_both_accounts(shop: Shop, took: Took, missing: str) -> None:
    shop.add_account(id="ali-main", method=Method.ALIPAY, code="https://qr.alipay.com/fkx")
    order = shop.open("N1", dialect="api")
    took(*({"account wx-main", "account ali-main", "number 1001 N1"} - {missing}))
    with pytest.raises(NotLocked):
        switching.choose_method(shop.store, order.token, "alipay", shop.rules, shop.now)
    assert shop.order(order) == order


def test_a_method_takes_no_amount_beside_an_account_that_was_not_taken(shop: Shop, took: Took) -> None:
    order = shop.open("N1", method="", dialect="api")
    shop.add_account(id="wx-other", code="wxp://other")
    with shop.store.transaction() as db:
        stores.devices.watch(db, "phone", "wx-other")
    shop.change_account(id="wx-other", code="wxp://other", disabled_at=shop.now)
    took(*ORDER, "account ")
    with pytest.raises(NotLocked):
        switching.choose_method(shop.store, order.token, "wechat", shop.rules, shop.now)
    assert shop.slots() == {}
    took(*ORDER, "account ", "account wx-other")
    assert switching.choose_method(shop.store, order.token, "wechat", shop.rules, shop.now).account == "wx-main"

"""An order is what was asked for, field by field; what was not asked for is empty."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import asdict, replace

from checkout import opening, orders, switching
from checkout import store as stores
from checkout.amounts import Limits
from checkout.errors import Code, Refusal
from checkout.interfaces import Store
from checkout.model.accounts import Method
from checkout.model.orders import Order, State
from checkout.opening import Ask
from checkout.orders import Rules
from tests.hooks import Listener
from tests.shop import Shop
from tests.world import START, FakeClock, Outside, account, merchant

WAITS: dict[str, Any] = {
    "merchant": 1001, "dialect": "api", "number": "N1", "attempt": 1, "state": State.PENDING, "late": False,
    "method": "", "account": "", "channel": "", "price": 990, "really_price": None, "title": "", "content": "",
    "param": "", "buyer": "", "price_text": "9.9", "notify_url": "", "return_url": "", "extra": "{}", "product": "",
    "quantity": 1, "rev": 0, "created_at": START, "expires_at": START + 300, "shown_at": None, "paid_at": None,
    "closed_at": None, "client": "",
}  # fmt: skip


@pytest.fixture
def shop(store: Store) -> Shop:
    made = Shop(store).fill()
    made.add_account(id="ali-main", method=Method.ALIPAY)
    return made


def asked(**changes: Any) -> Ask:
    return Ask(
        **{"merchant": merchant(), "dialect": "api", "number": "N1", "price": 990, "price_text": "9.9", **changes}
    )


def opened(shop: Shop, **changes: Any) -> Order:
    return opening.open_order(shop.store, asked(**changes), shop.rules, shop.now)


def fields(order: Order) -> dict[str, Any]:
    return {name: value for name, value in asdict(order).items() if name not in ("token", "asked")}


def choose(shop: Shop, order: Order, method: str) -> Order:
    return switching.choose_method(shop.store, order.token, method, shop.rules, shop.now)


def test_an_order_of_which_nothing_more_was_asked_is_empty_and_waits_for_the_buyer_s_choice(shop: Shop) -> None:
    order = opened(shop)
    assert fields(order) == WAITS
    assert (order.asked, len(order.token)) == (asked().digest(), 32)
    assert shop.order(order) == order
    assert shop.slots() == {}


def test_an_order_keeps_each_word_of_what_was_asked(shop: Shop) -> None:
    words: dict[str, Any] = {
        "title": "Tea", "content": "green", "param": "p", "buyer": "b", "notify_url": "https://a.example/n",
        "return_url": "https://a.example/r", "extra": '{"a": 1}', "product": "tea", "quantity": 3, "client": "c",
    }  # fmt: skip
    order = opened(shop, method="wechat", ttl=60, **words)
    chosen = {"method": "wechat", "account": "wx-main", "channel": "personal", "really_price": 990}
    assert fields(order) == {**WAITS, **words, **chosen, "expires_at": START + 60}
    assert shop.slots()["wx-main", 990] == (order.token, START + 60, START + 60)


def test_an_order_whose_answer_carries_the_code_was_shown_and_its_amount_rests_afterwards(shop: Shop) -> None:
    order = opened(shop, method="wechat", shown=True)
    assert order.shown_at == START
    assert shop.slots()["wx-main", 990] == (order.token, START + 900, START + 8100)


@pytest.mark.parametrize(
    "change",
    [
        {"dialect": "vmq"}, {"method": "wechat"}, {"price": 991}, {"param": "x"}, {"buyer": "x"}, {"quantity": 2},
        {"notify_url": "x"}, {"return_url": "x"}, {"product": "x"}, {"detail": "x"},
    ],
)  # fmt: skip
def test_whatever_a_merchant_may_ask_differently_makes_another_digest(change: dict[str, Any]) -> None:
    assert asked(**change).digest() != asked().digest()
    assert asked(title="x", content="x", extra="x", ttl=9, client="x", shown=True).digest() == asked().digest()


def test_the_digest_of_an_order_stays_what_it_was() -> None:
    """It is in the databases of every shop: another one would refuse the retries of orders that wait."""
    assert asked().digest() == "79b1362193a785053107b68a8142f4859a7c5dc5667872f86339f420c77fc53b"
    assert asked(detail="d").digest() == "71477128852fdf7475976a2a8c89cfe1303bd268b412cd461603740191a1706f"


def test_what_its_buyer_asks_for_again_is_the_same_to_the_shop_whose_retry_finds_it(shop: Shop) -> None:
    first = opened(shop, method="wechat")
    shop.go(300)
    again = opened(shop, method="wechat", client="c", return_url="https://a.example/r", asked=first.asked)
    assert (again.attempt, again.asked) == (2, first.asked)
    assert opened(shop, method="wechat") == again


def test_unless_told_otherwise_orders_wait_five_minutes_and_the_disk_keeps_fifty_megabytes() -> None:
    assert Rules() == Rules(Limits(300, 600, 7200), 180, 52_428_800)


def test_a_retry_is_the_same_order_until_it_is_over_and_a_new_attempt_from_then_on(shop: Shop) -> None:
    first = opened(shop, method="wechat")
    shop.go(299)
    assert opened(shop, method="wechat") == first
    shop.go(1)
    second = opened(shop, method="wechat")
    assert (second.attempt, second.token != first.token) == (2, True)
    assert shop.order(first).state is State.EXPIRED


def test_an_account_that_does_not_serve_what_is_asked_is_passed_over(shop: Shop) -> None:
    with pytest.raises(Refusal) as caught:
        opened(shop, method="wechat", without=frozenset({"wx-main"}))
    assert caught.value.code is Code.NO_ACCOUNT


# Choosing


def test_choosing_gives_the_order_its_account_and_amount_and_shows_nothing_yet(shop: Shop) -> None:
    order = opened(shop)
    chosen = choose(shop, order, "alipay")
    assert (
        chosen
        == replace(order, method="alipay", account="ali-main", channel="personal", really_price=990, rev=1)
        == shop.order(order)
    )
    assert shop.slots()["ali-main", 990] == (order.token, START + 300, START + 300)
    assert choose(shop, order, "alipay") == chosen


@pytest.mark.parametrize(("dialect", "is_free"), [("embed", True), ("api", True), ("vmq", False)])
def test_another_method_is_chosen_only_where_the_choice_is_the_buyer_s(shop: Shop, dialect: str, is_free: bool) -> None:
    order = opened(shop, method="wechat", dialect=dialect)
    if is_free:
        assert choose(shop, order, "alipay").method == "alipay"
        return
    with pytest.raises(Refusal) as caught:
        choose(shop, order, "alipay")
    assert caught.value.code is Code.NOT_ALLOWED
    assert shop.order(order) == order


@pytest.mark.parametrize("end", ["closed", "over"])
def test_nothing_is_chosen_for_an_order_that_has_ended(shop: Shop, end: str) -> None:
    order = opened(shop)
    if end == "closed":
        shop.close(order)
    else:
        shop.go(300)
    before = shop.order(order)
    with pytest.raises(Refusal) as caught:
        choose(shop, order, "wechat")
    assert caught.value.code is Code.NOT_ALLOWED
    assert (shop.order(order), shop.slots()) == (before, {})
    with pytest.raises(Refusal) as caught:
        choose(shop, replace(order, token="0" * 32), "wechat")
    assert caught.value.code is Code.NOT_FOUND


def test_whoever_comes_back_to_a_method_has_the_amount_of_before(shop: Shop) -> None:
    opened(shop, number="N0", method="wechat")
    order = opened(shop, method="wechat")
    assert order.really_price == 991
    choose(shop, order, "alipay")
    back = choose(shop, order, "wechat")
    assert (back.account, back.channel, back.really_price) == ("wx-main", "personal", 991)
    assert sorted(shop.slots()) == [("ali-main", 990), ("wx-main", 990), ("wx-main", 991)]


def test_whoever_comes_back_from_a_gateway_pays_the_phone_s_account_again(shop: Shop) -> None:
    shop.change_account(id="ali-main", method=Method.ALIPAY, channel="alipay", code="")
    order = opened(shop, method="wechat")
    assert choose(shop, order, "alipay").channel == "alipay"
    back = choose(shop, order, "wechat")
    assert (back.account, back.channel) == ("wx-main", "personal")


def test_an_account_that_was_switched_off_meanwhile_is_not_come_back_to(shop: Shop) -> None:
    order = opened(shop, method="wechat")
    choose(shop, order, "alipay")
    shop.change_account(disabled_at=START)
    shop.add_account(id="wx-new")
    assert choose(shop, order, "wechat").account == "wx-new"


# Showing and closing


def test_a_code_that_leaves_the_house_is_noted_once(shop: Shop) -> None:
    order = opened(shop, method="wechat")
    shop.go(5)
    shown = orders.show(shop.store, order, shop.rules.limits, shop.now)
    assert shown == replace(order, shown_at=START + 5) == shop.order(order)
    assert shop.slots()["wx-main", 990] == (order.token, START + 900, START + 8100)
    shop.go(5)
    for seen in (order, shown):
        assert orders.show(shop.store, seen, shop.rules.limits, shop.now) == shown


def test_closing_is_told_and_its_gateway_asked_to_close_too(store: Store, clock: FakeClock, outside: Outside) -> None:
    listener = Listener(store, clock, outside)
    endpoint = listener.add("order.closed")
    order, other = listener.shop.open(shown=False), listener.shop.open("N2")
    with store.transaction() as db:
        for one in (order, other):
            stores.gateways.watch(db, one.token, "alipay", START + 10**6)
    listener.shop.go(3)
    closed = listener.shop.close(order)
    assert (closed.state, closed.closed_at) == (State.CLOSED, START + 3)
    [told] = listener.owed(endpoint)
    assert (told.event, told.order_token, told.created_at) == ("order.closed", order.token, START + 3)
    with store.read() as db:
        watched = [stores.gateways.watch_of(db, one.token) for one in (order, other)]
    assert [one.due_at for one in watched if one] == [START + 3, START + 10**6]


def test_a_shown_amount_rests_from_the_closing_on_and_the_one_before_as_planned(shop: Shop) -> None:
    order = orders.show(shop.store, opened(shop, method="wechat"), shop.rules.limits, START)
    choose(shop, order, "alipay")
    orders.show(shop.store, shop.order(order), shop.rules.limits, START)
    shop.go(10)
    shop.close(order)
    assert shop.slots() == {
        ("wx-main", 990): (order.token, START + 900, START + 8100),
        ("ali-main", 990): (order.token, START + 610, START + 7810),
    }


def test_expiring_is_told_once_and_goes_in_portions_of_at_most_five_hundred(
    store: Store, clock: FakeClock, outside: Outside
) -> None:
    listener = Listener(store, clock, outside)
    endpoint = listener.add("order.expired")
    for number in range(52):
        opened(listener.shop, number=f"N{number}")
    listener.shop.go(300)
    assert orders.expire_due(store, listener.shop.now, limit=51) == 51
    assert orders.expire_due(store, listener.shop.now) == 1
    assert orders.expire_due(store, listener.shop.now) == 0
    with store.read() as db:
        assert stores.orders.counts(db) == {"expired": 52}
        told = stores.deliveries.listed(db, state=None, endpoint=endpoint.id, limit=99)
    assert (len(told), {one.created_at for one in told}) == (52, {START + 300})


def test_whoever_takes_an_amount_has_those_that_are_over_written_down_first(shop: Shop) -> None:
    """A clock that steps back must not make them wait again."""
    first = opened(shop, method="wechat")
    shop.go(300)
    opened(shop, number="N2", method="wechat")
    with shop.store.read() as db:
        row = db.one("SELECT state FROM orders WHERE token = :token", token=first.token)
    assert row is not None
    assert row[0] == "expired"


def test_the_code_is_the_account_s_or_one_that_says_the_amount(shop: Shop) -> None:
    order = opened(shop, method="wechat")
    with shop.store.read() as db:
        assert orders.code_of(db, order) == (account().code, True)

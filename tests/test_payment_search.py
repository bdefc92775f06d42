"""Payments are found by what a bill or a buyer tells, by what was made of them, page by page."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from checkout import payment_search
from checkout import store as stores
from checkout.interfaces import Store
from checkout.model.payments import Payment
from checkout.payment_search import Search
from tests.shop import Shop
from tests.world import START


@pytest.fixture
def shop(store: Store) -> Shop:
    shop = Shop(store).fill()
    shop.add_account(id="ali-main", method="alipay")
    shop.add_device("other", ["ali-main"])
    return shop


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """Five payments, the newest last: paid, late, by hand, without an order, set aside."""
    shop.open("paid", 990)
    shop.go(10)
    shop.push(990)
    shop.open("late", 1990)
    shop.go(400)
    shop.push(1990)
    shop.go(10)
    shop.confirm(shop.open("hand", 2990), 2990)
    shop.go(10)
    shop.push(777, "other")
    shop.go(10)
    shop.push(888)
    ignored = shop.payments()[0]
    with shop.store.transaction() as db:
        stores.payments.set_aside(db, ignored.id, "my own transfer", shop.now)
    return shop


def amounts(shop: Shop, **wanted: Any) -> list[int | None]:
    with shop.store.read() as db:
        return [one.amount for one in payment_search.find(db, Search(**wanted)).payments]


def paged(shop: Shop, wanted: Search) -> list[Payment]:
    found: list[Payment] = []
    while True:
        with shop.store.read() as db:
            page = payment_search.find(db, wanted)
        found += page.payments
        if page.then is None:
            return found
        wanted = replace(wanted, before=page.then)


def test_all_stand_newest_first(busy: Shop) -> None:
    assert amounts(busy) == [888, 777, 2990, 1990, 990]


def test_payments_are_found_by_what_was_made_of_them(busy: Shop) -> None:
    for state, found in {
        "matched": [990], "late": [1990], "linked": [2990], "review": [777], "ignored": [888],
    }.items():  # fmt: skip
        assert amounts(busy, state=state) == found, state


def test_payments_are_found_by_what_a_bill_or_a_buyer_tells(busy: Shop) -> None:
    payment = busy.payments()[-1]
    for text, found in {
        "9.90": [990], "¥9.9": [990], "7.77": [777], "55.55": [], payment.id: [990], payment.reference: [990],
        payment.order_token: [990], "late": [1990], "own transfer": [888], "nothing": [], "%": [], "own_transfer": [],
        "'; DROP TABLE payments; --": [], "!": [],
    }.items():  # fmt: skip
        assert amounts(busy, text=text) == found, text


def test_words_of_the_message_are_found(shop: Shop) -> None:
    shop.push(990)
    with shop.store.transaction() as db:
        db.run("UPDATE payments SET raw = :raw", raw='{"text": "微信支付收款9.90元 100%"}')
    assert amounts(shop, text="微信支付") == [990]
    assert amounts(shop, text="100%") == [990]
    assert amounts(shop, text="微信%收款") == []


def test_payments_are_found_by_account_and_phone(busy: Shop) -> None:
    assert amounts(busy, account="wx-main") == [2990, 1990, 990]
    assert amounts(busy, account="ali-main") == []
    assert amounts(busy, device="other") == [777]
    assert amounts(busy, device="phone", state="matched") == [990]
    assert amounts(busy, text="9.90", account="ali-main") == []
    assert amounts(busy, text="9.90", device="phone", state="matched") == [990]


def test_payments_are_found_by_time(busy: Shop) -> None:
    assert amounts(busy, since=START + 420) == [888, 777, 2990]
    assert amounts(busy, until=START + 420) == [1990, 990]
    assert amounts(busy, since=START + 400, until=START + 430, state="review") == []
    assert amounts(busy, until=START + 11, text="9.90") == [990]
    assert amounts(busy, since=START + 11, text="9.90") == []


@pytest.mark.parametrize(
    "wanted",
    [Search(), Search(state="review"), Search(text="7.77"), Search(device="phone"), Search(text="phone:wechat"),
     Search(text="7.77", state="review", device="phone")],
)  # fmt: skip
def test_pages_show_each_payment_once_also_those_of_one_second(
    shop: Shop, wanted: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payment_search, "_LOOKED_AT", 4)
    for number in range(11):
        shop.go(number % 3 // 2)
        shop.push(777)
    with shop.store.transaction() as db:
        db.run("UPDATE payments SET raw = 'phone:wechat'")
    found = paged(shop, replace(wanted, limit=3))
    assert len(found) == len({one.id for one in found}) == 11


def test_a_search_that_finds_nothing_near_says_where_to_go_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payment_search, "_LOOKED_AT", 4)
    shop.push(990, "other")
    for _ in range(9):
        shop.go(10)
        shop.push(777)
    with shop.store.read() as db:
        page = payment_search.find(db, Search(device="other"))
    assert page.payments == []
    assert page.then is not None
    assert [one.amount for one in paged(shop, Search(device="other"))] == [990]


def test_every_channel_is_known_however_many_payments_it_has(shop: Shop) -> None:
    with shop.store.read() as db:
        assert stores.payment_lists.channels(db) == []
    for channel in ("personal", "wechat", "alipay", "alipay", "hand"):
        shop.push(777)
        with shop.store.transaction() as db:
            db.run("UPDATE payments SET channel = :channel WHERE id = :id", channel=channel, id=shop.payments()[0].id)
        shop.go(1)
    with shop.store.read() as db:
        assert stores.payment_lists.channels(db) == ["alipay", "hand", "personal", "wechat"]

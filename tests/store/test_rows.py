"""Every noun comes back from the database as it went in; lists come in pages that miss and repeat nothing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkout import store as stores
from checkout.errors import Conflict
from checkout.interfaces import Store
from checkout.model.accounts import Account, FixedCode, Method
from checkout.model.merchants import Mode
from checkout.model.orders import Order
from checkout.model.payments import Judgement
from checkout.store.orders import Filter
from tests.shop import Shop
from tests.world import START, account, device, merchant


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


def test_a_merchant_comes_back_as_it_was_stored_and_changed(store: Store) -> None:
    full = merchant(
        mode=Mode.COMPAT, guard_param=True, reuse=False, allow_hosts=("a.example", "b.example"), previous_key="k" * 32,
        previous_key_until=START + 5, name="书店 'x'; --",
    )  # fmt: skip
    with store.transaction() as db:
        assert stores.merchants.default(db) is None
        assert stores.merchants.next_id(db) == 1001
        stores.merchants.add(db, full)
        stores.merchants.add(db, merchant(id=stores.merchants.next_id(db)))
        assert stores.merchants.get(db, 1001) == stores.merchants.default(db) == full
        assert [one.id for one in stores.merchants.all_of(db)] == [1001, 1002]
        changed = merchant(name="new", disabled_at=START + 1)
        stores.merchants.update(db, changed)
        assert stores.merchants.get(db, 1001) == changed
        assert stores.merchants.get(db, 1002) == merchant(id=1002)
        assert stores.merchants.get(db, 7) is None
    with pytest.raises(Conflict), store.transaction() as db:
        stores.merchants.add(db, full)


def test_an_old_key_is_valid_until_its_time_is_over() -> None:
    rotated = merchant(key="n" * 32, previous_key="o" * 32, previous_key_until=START)
    assert rotated.keys(START - 1) == ("n" * 32, "o" * 32)
    assert rotated.keys(START) == ("n" * 32,)
    phone = device(key="n" * 64, previous_key="o" * 64, previous_key_until=START)
    assert phone.keys(START - 1) == ("n" * 64, "o" * 64)
    assert phone.keys(START) == ("n" * 64,)


def test_an_account_comes_back_as_it_was_stored_and_changed(shop: Shop) -> None:
    with shop.store.transaction() as db:
        changed = account(
            method=Method.ALIPAY, code="https://qr.alipay.com/x", offset="nearest", max_offset=7, offline="block",
            weight=9, daily_cap=100, disabled_at=START,
        )  # fmt: skip
        stores.accounts.update(db, changed)
        stores.accounts.add(db, account(id="b", created_at=START - 1))
        assert stores.accounts.get(db, "wx-main") == changed
        assert [one.id for one in stores.accounts.all_of(db)] == ["b", "wx-main"]
        assert stores.accounts.get(db, "c") is None
        found: list[Account] = [one.account for one in stores.accounts.open_for(db, "wechat")]
        assert found == [account(id="b", created_at=START - 1)]


def test_fixed_codes_are_set_replaced_listed_and_removed(shop: Shop) -> None:
    with shop.store.transaction() as db:
        for price, code in ((990, "old"), (100, "one"), (990, "new")):
            stores.accounts.set_code(db, FixedCode("wx-main", price, code, START))
        assert [(code.price, code.code) for code in stores.accounts.codes(db, "wx-main")] == [
            (100, "one"),
            (990, "new"),
        ]
        assert stores.accounts.code_for(db, "wx-main", 990) == ("new", False)
        assert stores.accounts.code_for(db, "wx-main", 991) == ("wxp://f2f0wechat", True)
        assert stores.accounts.code_for(db, "nothing", 990) is None
        known = [stores.accounts.handed_out(db, code) for code in ("new", "wxp://f2f0wechat", "old", "")]
        assert known == [True, True, False, False]
        assert stores.accounts.remove_code(db, "wx-main", 990)
        assert not stores.accounts.remove_code(db, "wx-main", 990)


def test_a_device_is_found_by_its_token_until_it_is_revoked(shop: Shop) -> None:
    with shop.store.transaction() as db:
        found = stores.devices.by_token(db, "token of phone")
        assert found == stores.devices.get(db, "phone")
        assert found is not None
        assert stores.devices.working(db, "vmq") == stores.devices.all_of(db) == [found]
        assert stores.devices.working(db, "generic") == []
        rotated = replace(found, key="new key", previous_key=found.key, previous_key_until=START + 60)
        stores.devices.set_key(db, rotated)
        assert stores.devices.get(db, "phone") == rotated
        stores.devices.revoke(db, "phone", START)
        assert stores.devices.by_token(db, "token of phone") is None
        assert stores.devices.working(db, "vmq") == []


def test_accounts_that_no_working_phone_watches_are_known(shop: Shop) -> None:
    shop.add_account(id="wx-new", created_at=START + 1)
    shop.add_account(id="wx-off", disabled_at=START)
    shop.add_account(id="official", channel="wechat_v3")
    with shop.store.transaction() as db:
        assert stores.devices.unwatched_accounts(db) == ["wx-new"]
        stores.devices.watch(db, "phone", "wx-new")
        stores.devices.watch(db, "phone", "wx-new")
        assert stores.devices.unwatched_accounts(db) == []
        assert stores.devices.accounts_of(db, "phone") == ["wx-main", "wx-new"]
        stores.devices.revoke(db, "phone", START)
        assert stores.devices.unwatched_accounts(db) == ["wx-main", "wx-new"]


def test_a_device_with_a_taken_key_or_an_unknown_account_is_a_conflict(shop: Shop) -> None:
    for name, accounts, key in (("a", ["wx-main"], "key of phone"), ("b", ["nothing"], "other")):
        with pytest.raises(Conflict):
            shop.add_device(name, accounts, key=key)
    with shop.store.read() as db:
        assert [one.id for one in stores.devices.all_of(db)] == ["phone"]


def test_a_payment_of_an_order_is_found_with_it(shop: Shop) -> None:
    order = shop.open()
    first, second = shop.push(990), shop.push(990)
    with shop.store.read() as db:
        found = stores.payments.of_order(db, order.token)
    assert [payment.id for payment in found] == [first.payment.id, second.payment.id]
    assert [payment.judgement for payment in found] == [Judgement.MATCHED, Judgement.SUSPECTED]


def test_pages_of_orders_hold_each_once_newest_first(shop: Shop) -> None:
    for number in range(9):
        shop.open(f"N{number}")
        shop.go(number % 2)
    found: list[Order] = []
    before = None
    while True:
        with shop.store.read() as db:
            page = stores.orders.listed(db, Filter(before=before, limit=2))
        if not page:
            break
        found += page
        before = (page[-1].created_at, page[-1].token)
    assert len({order.token for order in found}) == 9
    assert [(order.created_at, order.token) for order in found] == sorted(
        ((order.created_at, order.token) for order in found), reverse=True
    )


def test_orders_are_filtered_by_state_merchant_number_and_token(shop: Shop) -> None:
    first, second = shop.open("N1"), shop.open("N2")
    shop.push(990)
    cases = {
        Filter(): {first.token, second.token},
        Filter(state="paid"): {first.token},
        Filter(merchant=1001): {first.token, second.token},
        Filter(merchant=1002): set(),
        Filter(text="N2"): {second.token},
        Filter(text=first.token): {first.token},
        Filter(text="N"): set(),
    }
    with shop.store.read() as db:
        for wanted, tokens in cases.items():
            assert {order.token for order in stores.orders.listed(db, wanted)} == tokens
        assert stores.orders.counts(db) == {"paid": 1, "pending": 1}


def test_an_attempt_of_a_number_exists_once(shop: Shop) -> None:
    order = shop.open()
    with pytest.raises(Conflict), shop.store.transaction() as db:
        stores.orders.add(db, replace(order, token="0" * 32))


@pytest.mark.parametrize(
    "change", [{"price": 0}, {"really_price": 0}, {"account": ""}, {"paid_at": START}, {"method": "cash"}]
)
def test_an_order_that_cannot_be_is_a_conflict(shop: Shop, change: dict[str, object]) -> None:
    order = shop.open()
    with pytest.raises(Conflict), shop.store.transaction() as db:
        stores.orders.add(db, replace(order, token="0" * 32, number="N2", **change))


def test_a_value_that_is_no_column_s_is_refused_before_the_database_sees_it(shop: Shop) -> None:
    with pytest.raises(AssertionError), shop.store.transaction() as db:
        stores.accounts.add(db, account(id="b", weight=1.5))


def test_a_database_that_takes_what_is_written_is_well(store: Store) -> None:
    store.expect_writes()

"""The statements about payments, one by one: which rows each of them sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from checkout import store as stores
from checkout.errors import Conflict
from checkout.interfaces import Store
from checkout.model.accounts import Method
from checkout.model.payments import Judgement, Payment
from tests.shop import Shop
from tests.world import START, merchant

SUSPECTED, UNMATCHED, UNREADABLE = Judgement.SUSPECTED, Judgement.UNMATCHED, Judgement.UNREADABLE
MATCHED, LATE, LINKED, IGNORED = Judgement.MATCHED, Judgement.LATE, Judgement.LINKED, Judgement.IGNORED


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


@pytest.fixture
def put(shop: Shop) -> Callable[..., Payment]:
    """Writes a payment as it is told."""

    def write(name: str, **changes: Any) -> Payment:
        fields: dict[str, Any] = {
            "id": name, "channel": "personal", "reference": name, "device": "phone", "method": "wechat", "amount": 990,
            "judgement": UNMATCHED, "order_token": "", "account": "", "raw": "{}", "note": "", "happened_at": START,
            "received_at": START, "judged_at": None, **changes,
        }  # fmt: skip
        payment = Payment(**fields)
        with shop.store.transaction() as db:
            assert stores.payments.add(db, payment)
        return payment

    return write


def names(found: list[Payment]) -> list[str]:
    return [one.id for one in found]


def stored(shop: Shop, name: str) -> Payment:
    with shop.store.read() as db:
        found = stores.payments.get(db, name)
    assert found is not None
    return found


def test_a_reference_is_stored_once_in_each_channel(shop: Shop, put: Callable[..., Payment]) -> None:
    first = put("a", reference="R")
    put("b", reference="R", channel="alipay")
    with shop.store.transaction() as db:
        assert not stores.payments.add(db, replace(first, id="c", amount=5))
        assert stores.payments.get(db, "c") is None
        assert stores.payments.count(db) == 2
    assert stored(shop, "a") == first


def test_payments_of_an_order_come_in_the_order_in_which_they_came(shop: Shop, put: Callable[..., Payment]) -> None:
    for name, at, token in (("c", 1, "T"), ("b", 2, "T"), ("a", 2, "T"), ("d", 1, "U"), ("e", 1, "")):
        put(name, received_at=at, order_token=token)
    put("settling", received_at=2, order_token="T", judgement=MATCHED)
    with shop.store.read() as db:
        assert names(stores.payments.of_order(db, "T")) == ["c", "a", "b", "settling"]


def test_a_judgement_names_the_order_its_merchant_and_the_reason(shop: Shop, put: Callable[..., Payment]) -> None:
    with shop.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002))
    order = shop.open()
    before, other = put("a"), put("b")
    words: dict[str, Any] = {"order": order, "account": "wx-main", "note": "seen", "now": START + 5}
    with shop.store.transaction() as db:
        stores.payments.judge(db, before, LINKED, **words)
    assert stored(shop, "a") == replace(
        before, judgement=LINKED, order_token=order.token, account="wx-main", note="seen", judged_at=START + 5,
        merchant=1001,
    )  # fmt: skip
    assert stored(shop, "b") == other
    with pytest.raises(Conflict), shop.store.transaction() as db:
        stores.payments.judge(db, other, MATCHED, **words)
    with shop.store.transaction() as db:
        stores.payments.judge(db, other, SUSPECTED, order=None, account="", note="", now=START)
    assert (stored(shop, "b").merchant, stored(shop, "b").order_token) == (0, "")


def test_a_payment_may_be_stored_with_its_judgement(shop: Shop, put: Callable[..., Payment]) -> None:
    order, before = shop.open(), put("a")
    fresh = replace(before, id="b", reference="another", raw="said", amount=5)
    words: dict[str, Any] = {"order": order, "account": "wx-main", "note": "", "now": START + 5}
    with shop.store.transaction() as db:
        stores.payments.judge(db, fresh, MATCHED, **words)
    assert stored(shop, "b") == replace(
        fresh, judgement=MATCHED, order_token=order.token, merchant=1001, account="wx-main", judged_at=START + 5
    )
    assert stored(shop, "a") == before


def test_no_judgement_stores_a_reference_twice(shop: Shop, put: Callable[..., Payment]) -> None:
    before = put("a")
    again, elsewhere = replace(before, id="b"), replace(before, id="c", channel="alipay")
    words: dict[str, Any] = {"order": None, "account": "", "note": "", "now": START}
    with shop.store.read() as db:
        assert stores.payments.is_known(db, again)
        assert not stores.payments.is_known(db, elsewhere)
        assert not stores.payments.is_known(db, replace(before, reference="another"))
    with pytest.raises(Conflict), shop.store.transaction() as db:
        stores.payments.judge(db, again, SUSPECTED, **words)
    assert stored(shop, "a") == before


@pytest.mark.parametrize("judgement", list(Judgement))
def test_only_what_waits_for_a_person_is_set_aside(
    shop: Shop, put: Callable[..., Payment], judgement: Judgement
) -> None:
    before, other = put("a", judgement=judgement, order_token="T"), put("b")
    with shop.store.transaction() as db:
        changed = stores.payments.set_aside(db, "a", "mine", START + 5)
    waits = judgement in (SUSPECTED, UNMATCHED, UNREADABLE)
    assert changed is waits
    after = replace(before, judgement=IGNORED, note="mine", judged_at=START + 5)
    assert stored(shop, "a") == (after if waits else before)
    assert stored(shop, "b") == other


@pytest.mark.parametrize(
    ("change", "is_equal"),
    [
        ({}, True),
        ({"received_at": START - 3}, True),
        ({"received_at": START - 4}, False),
        ({"device": "other"}, False),
        ({"method": "alipay"}, False),
        ({"amount": 991}, False),
    ],
)
def test_an_equal_payment_is_one_of_the_same_device_method_amount_and_time(
    shop: Shop, put: Callable[..., Payment], change: dict[str, Any], is_equal: bool
) -> None:
    mine = put("mine")
    with shop.store.read() as db:
        assert not stores.payments.equal_since(db, mine, START - 3)
    put("before", **change)
    with shop.store.read() as db:
        assert stores.payments.equal_since(db, mine, START - 3) is is_equal


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"reference": "sms:7:0"}, True),
        ({"reference": "sms:7:"}, True),
        ({"reference": "sms:7:zzz"}, True),
        ({"reference": "sms:70:0"}, False),
        ({"reference": "sms:6:0"}, False),
        ({"reference": "sms:7;"}, False),
        ({"reference": "sms:7:0", "channel": "other"}, False),
    ],
)
def test_a_notification_was_told_before_when_a_reference_of_the_channel_begins_with_it(
    shop: Shop, put: Callable[..., Payment], change: dict[str, Any], told: bool
) -> None:
    mine = put("mine", reference="sms:7:1")
    with shop.store.read() as db:
        assert not stores.payments.told_before(db, mine, "sms:7:")
    put("before", **change)
    with shop.store.read() as db:
        assert stores.payments.told_before(db, mine, "sms:7:") is told


def test_a_page_begins_right_behind_the_last_row_of_the_one_before(shop: Shop, put: Callable[..., Payment]) -> None:
    for name, at, judgement in (("a", 1, SUSPECTED), ("b", 2, UNMATCHED), ("c", 2, UNREADABLE), ("d", 2, IGNORED)):
        put(name, received_at=at, judgement=judgement)
    put("e", received_at=3, judgement=LATE, order_token="T")
    with shop.store.read() as db:
        listed = stores.payments.listed
        assert names(listed(db, review=False)) == list("edcba")
        assert names(listed(db, review=True)) == ["c", "b", "a"]
        assert names(listed(db, review=False, before=(2, "c"))) == ["b", "a"]
        assert names(listed(db, review=False, limit=2)) == ["e", "d"]


def test_payments_of_some_merchants_are_mixed_by_time(shop: Shop, put: Callable[..., Payment]) -> None:
    for name, at, owner, judgement in (
        ("a", 1, 0, UNMATCHED), ("b", 2, 1001, MATCHED), ("c", 2, 0, UNMATCHED), ("d", 2, 1001, SUSPECTED),
        ("e", 3, 1002, MATCHED), ("f", 4, 1001, IGNORED),
    ):  # fmt: skip
        put(name, received_at=at, merchant=owner, judgement=judgement, order_token=name)
    with shop.store.read() as db:
        of = stores.payments.of_merchants
        judgements = (MATCHED, UNMATCHED, SUSPECTED)
        assert names(of(db, (0, 1001), judgements)) == ["d", "c", "b", "a"]
        assert names(of(db, (0, 1001), judgements, limit=2)) == ["d", "c"]
        assert names(of(db, (0, 1001), judgements, before=(2, "c"))) == ["b", "a"]
        assert names(of(db, (1001,), (MATCHED,))) == ["b"]
        assert names(of(db, (1002, 1001), (MATCHED,))) == ["e", "b"]


def test_a_list_has_fifty_rows_unless_it_is_told_otherwise(shop: Shop, put: Callable[..., Payment]) -> None:
    for number in range(52):
        put(f"{number:02d}")
    with shop.store.read() as db:
        assert len(stores.payments.listed(db, review=False)) == 50
        assert len(stores.payments.of_merchants(db, (0,), (UNMATCHED,))) == 50


# What another phone told before


def echoes(shop: Shop, payment: Payment, since: int = START - 100, repeat_s: int = 3) -> bool:
    with shop.store.read() as db:
        return stores.payments.echoes(db, payment, since, repeat_s)


def booked(**changes: Any) -> dict[str, Any]:
    return {"judgement": MATCHED, "account": "wx-main", "order_token": "T", "device": "second", **changes}


@pytest.mark.parametrize(
    ("change", "is_echo"),
    [
        ({}, True),
        ({"judgement": LATE}, True),
        ({"received_at": START - 100}, True),
        ({"received_at": START - 101}, False),
        ({"judgement": UNMATCHED}, False),
        ({"judgement": LINKED}, False),
        ({"account": "other"}, False),
        ({"device": "phone"}, False),
        ({"device": "elsewhere"}, False),
        ({"device": "revoked"}, False),
        ({"method": "alipay"}, False),
        ({"amount": 991}, False),
    ],
)
def test_an_echo_is_of_money_that_another_phone_of_the_account_booked_since(
    shop: Shop, put: Callable[..., Payment], change: dict[str, Any], is_echo: bool
) -> None:
    shop.add_account(id="other", method=Method.ALIPAY)
    for name, watched in (("second", ["wx-main", "other"]), ("elsewhere", ["other"]), ("revoked", ["wx-main"])):
        shop.add_device(name, watched)
    with shop.store.transaction() as db:
        stores.devices.revoke(db, "revoked", START)
    put("told", **booked(**change))
    assert echoes(shop, put("mine", account="wx-main")) is is_echo


@pytest.mark.parametrize(
    ("change", "is_echo"),
    [
        ({}, False),
        ({"received_at": START - 11}, True),
        ({"received_at": START - 10}, False),
        ({"device": "second"}, True),
        ({"method": "alipay"}, True),
        ({"amount": 991}, True),
    ],
)
def test_what_the_phone_told_itself_from_then_on_is_set_against_it(
    shop: Shop, put: Callable[..., Payment], change: dict[str, Any], is_echo: bool
) -> None:
    shop.add_device("second", ["wx-main"])
    put("told", **booked(received_at=START - 10))
    put("own", **{"received_at": START - 9, **change})
    assert echoes(shop, put("mine", account="wx-main")) is is_echo


@pytest.mark.parametrize(("apart", "is_echo"), [(3, True), (4, False)])
def test_what_a_phone_said_twice_within_the_time_of_a_repeat_it_told_once(
    shop: Shop, put: Callable[..., Payment], apart: int, is_echo: bool
) -> None:
    shop.add_device("second", ["wx-main"])
    for number in (1, 2):
        put(f"told{number}", **booked(received_at=START - 50, order_token=f"T{number}"))
    put("own1", received_at=START - 20)
    put("own2", received_at=START - 20 + apart)
    assert echoes(shop, put("mine", account="wx-main")) is is_echo


@pytest.mark.parametrize("change", [{"method": "alipay"}, {"amount": 991}, {"device": "second"}])
def test_what_was_said_of_other_money_shortly_before_makes_no_repeat_of_it(
    shop: Shop, put: Callable[..., Payment], change: dict[str, Any]
) -> None:
    shop.add_device("second", ["wx-main"])
    put("told", **booked(received_at=START - 50))
    put("said", received_at=START - 21, **change)
    put("own", received_at=START - 20)
    assert not echoes(shop, put("mine", account="wx-main"))


def test_a_phone_may_say_the_same_twice_in_one_second(shop: Shop, put: Callable[..., Payment]) -> None:
    shop.add_device("second", ["wx-main"])
    put("told", **booked(received_at=START - 50))
    put("own1", received_at=START - 20)
    put("own2", received_at=START - 20)
    assert not echoes(shop, put("mine", account="wx-main"))


def test_of_each_merchant_s_list_the_newest_come_first(shop: Shop, put: Callable[..., Payment]) -> None:
    for name, at in (("a", 1), ("c", 2), ("b", 2), ("d", 2)):
        put(name, received_at=at)
    with shop.store.read() as db:
        assert names(stores.payments.of_merchants(db, (0,), (UNMATCHED,), limit=2)) == ["d", "c"]
        assert names(stores.payments.of_merchants(db, (0,), (UNMATCHED,), limit=1)) == ["d"]


def test_what_a_device_told_at_a_time_is_its_latest_payment_of_that_second(
    shop: Shop, put: Callable[..., Payment]
) -> None:
    for name, at, device in (("a", 5, "phone"), ("c", 5, "phone"), ("b", 5, "phone"), ("d", 5, "x"), ("e", 6, "phone")):
        put(name, received_at=at, device=device)
    with shop.store.read() as db:
        found = [stores.payments.of_device_at(db, "phone", at) for at in (5, 6, 7)]
        assert [one.id if one else None for one in found] == ["c", "e", None]

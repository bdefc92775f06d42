"""The statements about slots, one by one: which rows each sees or changes, to the second."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkout import store as stores
from checkout.interfaces import Rows, Store
from checkout.model.accounts import Method, Rest
from checkout.store.pressure import most_held
from tests.shop import Shop

NOW = 1000
Row = tuple[str, int, str, int, int]


@pytest.fixture
def shop(store: Store) -> Shop:
    made = Shop(store).fill()
    made.add_account(id="b", method=Method.ALIPAY)
    return made


def put(shop: Shop, *rows: Row) -> None:
    with shop.store.transaction() as db:
        for account, amount, token, free_at, rested_at in rows:
            db.run(
                "INSERT INTO slots (account, amount, order_token, free_at, rested_at) VALUES (:a, :n, :t, :f, :r)",
                a=account, n=amount, t=token, f=free_at, r=rested_at,
            )  # fmt: skip


def rows(db: Rows) -> list[Row]:
    found = db.all("SELECT account, amount, order_token, free_at, rested_at FROM slots ORDER BY account, amount")
    return [(str(row[0]), int(row[1]), str(row[2]), int(row[3]), int(row[4])) for row in found]


def test_resting_are_the_amounts_of_a_span_that_are_not_rested_yet(shop: Shop) -> None:
    put(
        shop,
        ("wx-main", 989, "t", NOW + 1, NOW + 9), ("wx-main", 990, "t", NOW - 5, NOW + 1),
        ("wx-main", 991, "t", NOW - 5, NOW), ("wx-main", 992, "t", NOW + 7, NOW + 7),
        ("wx-main", 993, "t", NOW + 1, NOW + 9), ("b", 991, "t", NOW + 3, NOW + 3),
    )  # fmt: skip
    with shop.store.read() as db:
        resting = stores.slots.resting
        assert resting(db, ["wx-main"], 990, 992, NOW) == {990: NOW - 5, 992: NOW + 7}
        assert resting(db, ["b"], 990, 992, NOW) == {991: NOW + 3}
        assert resting(db, ["wx-main", "b"], 990, 992, NOW) == {990: NOW - 5, 991: NOW + 3, 992: NOW + 7}
        assert resting(db, [], 990, 992, NOW) == {}


def test_resting_amounts_are_counted_once_on_however_many_accounts(shop: Shop) -> None:
    put(
        shop,
        ("wx-main", 989, "t", NOW + 1, NOW + 9), ("wx-main", 990, "t", NOW - 5, NOW + 1),
        ("wx-main", 991, "t", NOW - 5, NOW), ("wx-main", 992, "t", NOW + 7, NOW + 7),
        ("wx-main", 993, "t", NOW + 1, NOW + 9), ("b", 991, "t", NOW + 3, NOW + 3),
        ("b", 992, "t", NOW + 3, NOW + 3),
    )  # fmt: skip
    with shop.store.read() as db:
        counted = [
            stores.slots.count_resting(db, accounts, 990, 992, NOW)
            for accounts in (["wx-main"], ["b"], ["wx-main", "b"], ["b", "wx-main"])
        ]
    assert counted == [2, 2, 3, 3]


def test_of_an_amount_on_two_accounts_the_one_that_is_held_longer_counts(shop: Shop) -> None:
    put(
        shop,
        ("wx-main", 990, "t", NOW + 1, NOW + 9), ("wx-main", 991, "t", NOW + 8, NOW + 9),
        ("b", 990, "t", NOW + 5, NOW + 9), ("b", 991, "t", NOW + 2, NOW + 9),
    )  # fmt: skip
    with shop.store.read() as db:
        for accounts in (["wx-main", "b"], ["b", "wx-main"]):
            assert stores.slots.resting(db, accounts, 990, 991, NOW) == {990: NOW + 5, 991: NOW + 8}


def test_an_amount_is_taken_when_nobody_holds_it_any_more(shop: Shop) -> None:
    put(shop, ("wx-main", 990, "old", NOW, NOW + 50), ("wx-main", 991, "old", NOW + 1, NOW + 50))
    rest = Rest(NOW + 300, NOW + 900)
    with shop.store.transaction() as db:
        taken = [stores.slots.take(db, "wx-main", amount, "new", rest, NOW) for amount in (990, 991, 992)]
        assert taken == [True, False, True]
        assert rows(db) == [
            ("wx-main", 990, "new", NOW + 300, NOW + 900), ("wx-main", 991, "old", NOW + 1, NOW + 50),
            ("wx-main", 992, "new", NOW + 300, NOW + 900),
        ]  # fmt: skip


def test_a_rest_is_set_for_one_amount_of_one_account_of_its_order(shop: Shop) -> None:
    before: list[Row] = [
        ("b", 990, "mine", 1, 1), ("wx-main", 990, "mine", 1, 1), ("wx-main", 991, "mine", 1, 1),
        ("wx-main", 992, "other", 1, 1),
    ]  # fmt: skip
    put(shop, *before)
    with shop.store.transaction() as db:
        stores.slots.set_rest(db, "mine", "wx-main", 992, Rest(5, 6))
        assert rows(db) == before
        stores.slots.set_rest(db, "mine", "wx-main", 990, Rest(5, 6))
        assert rows(db) == [before[0], ("wx-main", 990, "mine", 5, 6), *before[2:]]


def test_what_an_order_holds_is_prolonged_and_never_shortened(shop: Shop) -> None:
    put(
        shop,
        ("b", 990, "mine", NOW + 9, NOW + 20), ("wx-main", 990, "mine", NOW + 1, NOW + 3),
        ("wx-main", 991, "mine", NOW, NOW + 3), ("wx-main", 992, "other", NOW + 1, NOW + 3),
    )  # fmt: skip
    with shop.store.transaction() as db:
        stores.slots.prolong(db, "mine", Rest(NOW + 5, NOW + 10), NOW)
        assert rows(db) == [
            ("b", 990, "mine", NOW + 9, NOW + 20), ("wx-main", 990, "mine", NOW + 5, NOW + 10),
            ("wx-main", 991, "mine", NOW, NOW + 3), ("wx-main", 992, "other", NOW + 1, NOW + 3),
        ]  # fmt: skip


def test_released_is_what_an_order_holds_and_nobody_saw(shop: Shop) -> None:
    expires_at = NOW + 10
    put(
        shop,
        ("b", 990, "mine", NOW + 10, expires_at + 1), ("wx-main", 990, "mine", NOW + 10, expires_at),
        ("wx-main", 991, "mine", NOW, NOW + 5), ("wx-main", 992, "other", NOW + 10, expires_at),
        ("wx-main", 993, "mine", NOW + 1, NOW + 1),
    )  # fmt: skip
    with shop.store.transaction() as db:
        stores.slots.release(db, "mine", expires_at, NOW)
        assert rows(db) == [
            ("b", 990, "mine", NOW + 10, expires_at + 1), ("wx-main", 990, "mine", NOW, NOW),
            ("wx-main", 991, "mine", NOW, NOW + 5), ("wx-main", 992, "other", NOW + 10, expires_at),
            ("wx-main", 993, "mine", NOW, NOW),
        ]  # fmt: skip


def test_an_order_holds_and_an_amount_stands_for_what_is_not_free_yet(shop: Shop) -> None:
    put(
        shop,
        ("wx-main", 991, "mine", NOW + 1, NOW + 1), ("wx-main", 990, "mine", NOW + 1, NOW + 1),
        ("wx-main", 992, "mine", NOW, NOW + 9), ("wx-main", 993, "other", NOW + 1, NOW + 1),
        ("b", 990, "mine", NOW + 1, NOW + 1), ("b", 992, "mine", NOW + 1, NOW + 1),
    )  # fmt: skip
    with shop.store.read() as db:
        assert stores.slots.of_order(db, "mine", NOW) == [("b", 990), ("b", 992), ("wx-main", 990), ("wx-main", 991)]
        holders = stores.slots.holders
        assert holders(db, ["wx-main", "b"], 990, NOW) == [("wx-main", "mine"), ("b", "mine")]
        assert holders(db, ["wx-main", "b"], 992, NOW) == [("b", "mine")]
        assert holders(db, ["wx-main"], 993, NOW) == [("wx-main", "other")]
        assert holders(db, ["b"], 993, NOW) == []
        assert holders(db, [], 990, NOW) == []


def test_slots_are_walked_through_in_their_order_a_few_at_a_time(shop: Shop) -> None:
    put(shop, *[(account, amount, "t", NOW, NOW) for account, amount in (("wx-main", 7), ("b", 9), ("b", 3))])
    with shop.store.read() as db:
        last_of = stores.slots.last_of
        assert last_of(db, stores.slots.FIRST, 1) == ("b", 3)
        assert last_of(db, stores.slots.FIRST, 2) == ("b", 9)
        assert last_of(db, ("b", 3), 9) == ("wx-main", 7)
        assert last_of(db, ("b", 4), 1) == ("b", 9)
        assert last_of(db, ("wx-main", 7), 9) is None


def test_the_first_place_comes_before_every_account() -> None:
    assert stores.slots.FIRST < ("0", 0)


def test_forgotten_are_the_slots_between_two_places_that_were_free_and_rested_before(shop: Shop) -> None:
    put(
        shop,
        ("b", 3, "the place before", NOW - 1, NOW - 1), ("b", 4, "just now", NOW, NOW - 1),
        ("b", 5, "just rested", NOW - 1, NOW), ("b", 6, "long ago", NOW - 1, NOW - 1),
        ("wx-main", 1, "the last place", NOW - 9, NOW - 1), ("wx-main", 2, "behind it", NOW - 1, NOW - 1),
    )  # fmt: skip
    kept = [("b", 3), ("b", 4), ("b", 5), ("wx-main", 2)]
    after, upto = ("b", 3), ("wx-main", 1)
    with shop.store.transaction() as db:
        assert not stores.slots.any_rested(db, after, ("b", 5), NOW)
        assert stores.slots.any_rested(db, after, upto, NOW)
        assert stores.slots.forget(db, after, upto, NOW) == 2
        assert [row[:2] for row in rows(db)] == kept
        assert not stores.slots.any_rested(db, after, upto, NOW)
        assert stores.slots.forget(db, after, upto, NOW) == 0


def test_the_densest_neighbours_are_counted_to_the_last_one(shop: Shop) -> None:
    put(shop, *[("wx-main", amount, "t", NOW + 1, NOW + 1) for amount in (1, 5, 10, 11, 31)])
    with shop.store.read() as db:
        assert [most_held(db, ["wx-main"], width, NOW) for width in (1, 2, 6, 10, 11, 31)] == [1, 2, 2, 3, 4, 5]


def test_nothing_is_held_where_nothing_is_open_any_more(shop: Shop) -> None:
    put(shop, ("wx-main", 10, "t", NOW, NOW + 9), ("b", 11, "t", NOW + 1, NOW + 1))
    with shop.store.read() as db:
        assert most_held(db, ["wx-main"], 10, NOW) == 0
        assert most_held(db, ["wx-main", "b"], 10, NOW) == 1


Held = tuple[str, int, bool]


@given(
    st.lists(st.tuples(st.sampled_from(["wx-main", "b"]), st.integers(1, 40), st.booleans()), max_size=30),
    st.integers(1, 20), st.sampled_from([["wx-main"], ["b"], ["wx-main", "b"]]),
)  # fmt: skip
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_densest_neighbours_are_those_that_a_look_at_every_window_finds(
    shop: Shop, held: list[Held], width: int, accounts: list[str]
) -> None:
    kept = {(account, amount): is_open for account, amount, is_open in held}
    with shop.store.transaction() as db:
        db.run("DELETE FROM slots WHERE amount > 0")
    put(shop, *[(*key, "t", NOW + is_open, NOW + 9) for key, is_open in kept.items()])
    amounts = {amount for (account, amount), is_open in kept.items() if is_open and account in accounts}
    most = max((len([a for a in amounts if low <= a < low + width]) for low in range(1, 41)), default=0)
    with shop.store.read() as db:
        assert most_held(db, accounts, width, NOW) == most

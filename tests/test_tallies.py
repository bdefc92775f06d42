"""The sums of days equal a direct count over everything, at every moment, whatever the clock did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from checkout import orders, sales, tallies
from checkout import store as stores
from checkout.beijing import DAY_S
from checkout.interfaces import Rows, Store
from checkout.model.orders import Order, State
from checkout.store import open_store
from checkout.tallies import BOUNDS, SETTLE_S, Tally
from tests.shop import Shop

MIDNIGHT = 1_789_920_000  # Monday, 2026-09-21 00:00:00 in Beijing


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


def told(shop: Shop, days: int = 3) -> Tally:
    with shop.store.read() as db:
        return tallies.of_days(db, days, shop.now)


def sum_up(shop: Shop) -> int:
    """All that can be summed up now; gives how many days."""
    total = 0
    while found := tallies.sum_up(shop.store, shop.now):
        total += found
    return total


def counts(shop: Shop, day: int = 0) -> dict[str, int]:
    """Of the day that begins `day` days after MIDNIGHT."""
    found = told(shop, (shop.now - MIDNIGHT) // DAY_S + 1).days[MIDNIGHT + day * DAY_S]
    return {name: number for name, number in found.items() if number}


def directly(shop: Shop, days: int) -> tuple[dict[int, dict[str, int]], dict[int, int], dict[int, int]]:
    """The same from the rows themselves, one by one and without a bit of the code under test."""
    with shop.store.read() as db:
        rows = db.all("SELECT created_at, paid_at, state, late, shown_at, expires_at FROM orders")
        money = db.all("SELECT received_at, judgement, channel FROM payments")
    first = (shop.now + 28_800) // DAY_S - days + 1
    found: dict[int, Counter[str]] = {first + n: Counter() for n in range(days)}
    hours, waits = Counter[int](), Counter[int]()
    for created_at, paid_at, state, late, shown_at, expires_at in rows:
        if (day := found.get((created_at + 28_800) // DAY_S)) is not None:
            day["opened"] += 1
            day["expired" if state == "pending" and expires_at <= shop.now else state] += 1
            day["shown"] += shown_at is not None or state == "paid"
            day["late"] += late
        if paid_at is not None and (paid_at + 28_800) // DAY_S in found:
            hour = (paid_at + 28_800) // 3600
            hours[(hour // 24 + 3) % 7 * 24 + hour % 24] += 1
            waits[min(bound for bound in BOUNDS if bound >= paid_at - created_at)] += 1
    names = {"matched": "in_time", "late": "came_late"}
    for received_at, judgement, channel in money:
        if (day := found.get((received_at + 28_800) // DAY_S)) is not None:
            day["by_hand" if channel == "hand" else names.get(judgement, "reviewed")] += 1
    plain = {number * DAY_S - 28_800: {k: v for k, v in one.items() if v} for number, one in found.items()}
    return plain, dict(hours), dict(waits)


def agrees(shop: Shop, days: int) -> bool:
    tally = told(shop, days)
    plain = {day: {name: number for name, number in one.items() if number} for day, one in tally.days.items()}
    hours = {part: number for part, number in tally.hours.items() if number}
    assert tally.missing == 0
    return (plain, hours, tally.waits) == directly(shop, days)


def test_a_day_says_what_became_of_its_orders_before_and_after_it_is_summed_up(shop: Shop) -> None:
    shop.now = MIDNIGHT + 100
    shop.open("paid", 990)
    shop.open("left", 1000)
    shop.open("unseen", 1010, shown=False)
    shop.close(shop.open("closed", 1020))
    shop.go(40)
    shop.push(990)
    shop.push(77)
    shop.confirm(shop.open("by hand", 1030), 1030)
    shop.now = MIDNIGHT + DAY_S + SETTLE_S
    orders.expire_due(shop.store, shop.now)
    expected = {
        "opened": 5, "shown": 4, "paid": 2, "expired": 2, "closed": 1, "in_time": 1, "reviewed": 1, "by_hand": 1,
    }  # fmt: skip
    assert counts(shop) == expected
    assert sum_up(shop) == 1
    assert counts(shop) == expected
    assert told(shop).hours == {0: 2}, "Monday, from midnight to one"
    assert told(shop).waits == {0: 1, 42: 1}, "40 seconds, known to within a tenth"


def test_a_day_waits_for_its_last_order(shop: Shop) -> None:
    shop.now = MIDNIGHT + DAY_S - 10
    shop.open("N1", 990)
    shop.now = MIDNIGHT + DAY_S + SETTLE_S + 1
    assert sum_up(shop) == 0
    orders.expire_due(shop.store, shop.now)
    assert sum_up(shop) == 1
    assert counts(shop) == {"opened": 1, "shown": 1, "expired": 1}


def test_late_money_changes_the_day_on_which_its_order_was_opened(shop: Shop) -> None:
    shop.now = MIDNIGHT + 100
    order = shop.open("N1", 990)
    shop.now = MIDNIGHT + 2 * DAY_S
    orders.expire_due(shop.store, shop.now)
    assert sum_up(shop) >= 1
    shop.confirm(order, 990)
    assert counts(shop)["paid"] == 1
    assert sum_up(shop) >= 1
    assert counts(shop)["paid"] == 1
    assert counts(shop, 2) == {"by_hand": 1}


def test_sums_of_a_day_that_changed_while_it_was_counted_are_not_kept(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.now = MIDNIGHT + 100
    order = shop.open("N1", 990)
    shop.now = MIDNIGHT + DAY_S + SETTLE_S
    orders.expire_due(shop.store, shop.now)
    counted = stores.tallies.orders

    def slowly(db: Rows, since: int, until: int, now: int) -> dict[str, int]:
        found = counted(db, since, until, now)
        shop.confirm(order, 990)
        return found

    monkeypatch.setattr(stores.tallies, "orders", slowly)
    assert tallies.sum_up(shop.store, shop.now) == 0
    monkeypatch.undo()
    assert sum_up(shop) == 1
    assert counts(shop)["paid"] == 1


def test_of_two_that_sum_up_the_same_day_both_keep_the_same(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.now = MIDNIGHT + 100
    shop.push(990)
    shop.now = MIDNIGHT + DAY_S + SETTLE_S
    with the_other_first(shop, monkeypatch):
        tallies.sum_up(shop.store, shop.now)
    assert counts(shop) == {"reviewed": 1}
    assert sum_up(shop) == 0


@contextmanager
def the_other_first(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another process sums the day up between our counting and our keeping."""
    counted = stores.tallies.waits

    def slowly(db: Rows, since: int, until: int) -> list[tuple[int, int, int]]:
        monkeypatch.undo()
        assert tallies.sum_up(shop.store, shop.now) == 1
        return counted(db, since, until)

    monkeypatch.setattr(stores.tallies, "waits", slowly)
    yield


def test_days_that_were_summed_up_by_a_clock_ahead_are_counted_again(shop: Shop) -> None:
    shop.now = MIDNIGHT + 10
    shop.push(990)
    shop.now = MIDNIGHT + 3 * DAY_S + SETTLE_S
    assert sum_up(shop) == 3
    for day in range(3):
        shop.now = MIDNIGHT + day * DAY_S + 700
        shop.push(77)
        assert counts(shop, day)["reviewed"] == (2 if day == 0 else 1)
        sum_up(shop)
    shop.now = MIDNIGHT + 9 * DAY_S
    assert sum_up(shop) == 6, "the last one is not old enough: a transaction may be under way"
    assert [counts(shop, day).get("reviewed", 0) for day in range(4)] == [2, 1, 1, 0]


def test_an_old_database_is_summed_up_from_the_newest_day_on_and_says_how_much_is_missing(shop: Shop) -> None:
    for day in range(60):
        shop.now = MIDNIGHT + day * DAY_S + 10
        shop.push(990)
    shop.now = MIDNIGHT + 60 * DAY_S + SETTLE_S
    assert told(shop, 90).missing == 58
    assert told(shop, 90).days[MIDNIGHT + 59 * DAY_S]["reviewed"] == 1, "the newest are counted at once"
    assert tallies.sum_up(shop.store, shop.now) == 40
    assert told(shop, 41).missing == 0
    assert told(shop, 90).missing == 18
    assert tallies.sum_up(shop.store, shop.now) == 20
    assert agrees(shop, 90)


def test_nothing_is_summed_up_before_anything_happened(shop: Shop) -> None:
    assert sum_up(shop) == 0
    assert told(shop).missing == 0


def test_waits_are_known_to_within_a_tenth() -> None:
    assert {10, 60, 300, 3600, DAY_S} <= set(BOUNDS)
    assert BOUNDS[:5] == (0, 1, 2, 3, 4)
    assert all(low < high <= max(low + 1, low * 11 // 10) for low, high in pairwise(BOUNDS))


def test_money_before_its_order_and_money_after_a_year_have_a_place_too(shop: Shop) -> None:
    shop.now = MIDNIGHT + 100
    first, second = shop.open("N1", 990), shop.open("N2", 1990)
    shop.go(-50)
    shop.confirm(first, 990)
    assert told(shop).waits == {0: 1}
    shop.go(500 * DAY_S)
    shop.confirm(second, 1990)
    assert told(shop).waits == {BOUNDS[-1]: 1}


def test_the_worst_moment_of_the_day_is_kept(shop: Shop) -> None:
    shop.change_account(max_offset=9)
    shop.now = MIDNIGHT + 100
    for number in range(4):
        shop.open(f"N{number}", 990)
    shop.open("other", 5000)
    tallies.watch_amounts(shop.store, shop.now)
    shop.now = MIDNIGHT + 50_000
    tallies.watch_amounts(shop.store, shop.now)
    with shop.store.read() as db:
        assert [(one.held, one.offered) for one in stores.pressure.since(db, 0)] == [(4, 10)]
    for number in range(6):
        shop.open(f"M{number}", 990)
    tallies.watch_amounts(shop.store, shop.now)
    with shop.store.read() as db:
        assert [(one.day, one.account, one.held, one.offered) for one in stores.pressure.since(db, 0)] == [
            (MIDNIGHT, "wx-main", 6, 10)
        ]


def test_accounts_of_one_phone_share_their_amounts(shop: Shop) -> None:
    shop.add_account(id="wx-two", max_offset=9)
    shop.add_device("both", ["wx-main", "wx-two"])
    shop.now = MIDNIGHT
    for number in range(3):
        shop.open(f"N{number}", 990)
    tallies.watch_amounts(shop.store, shop.now)
    with shop.store.read() as db:
        assert {(one.account, one.held) for one in stores.pressure.since(db, 0)} == {("wx-main", 3), ("wx-two", 3)}


@dataclass(frozen=True)
class Step:
    """`go` seconds pass, then something happens to the order number `which` of those that are there."""

    go: int
    what: str
    which: int


STEPS = st.lists(
    st.builds(
        Step,
        go=st.sampled_from((1, 30, 400, 4000, 40_000, DAY_S, 3 * DAY_S, -30, -2 * DAY_S)),
        what=st.sampled_from(("open", "open", "pay", "close", "stray", "confirm", "chore", "chore", "restart")),
        which=st.integers(0, 9),
    ),
    min_size=8,
    max_size=30,
)


@given(STEPS)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_whatever_happens_the_sums_equal_a_direct_count(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    path = str(tmp_path_factory.mktemp("days") / "checkout.db")
    shop = Shop(open_store(path), now=MIDNIGHT + 50_000).fill()
    opened: list[Order] = []
    for number, step in enumerate(steps):
        shop.go(step.go)
        tick(shop)  # the worker looks at least once after the clock was set
        one = opened[step.which % len(opened)] if opened else None
        if step.what == "open":
            opened.append(shop.open(f"N{number}", 990 + step.which * 200))
        elif step.what == "stray":
            shop.push(77)
        elif step.what == "restart":
            shop.store.close()
            shop.store = open_store(path)
        elif one is not None:
            happen(shop, step.what, shop.order(one))
        tick(shop)
        days = (shop.now - MIDNIGHT) // DAY_S + 8
        assert agrees(shop, max(3, min(days, 40)))
    shop.store.close()


def tick(shop: Shop) -> None:
    orders.expire_due(shop.store, shop.now)
    sum_up(shop)
    sales.sum_up(shop.store, shop.now)


def happen(shop: Shop, what: str, order: Order) -> None:
    if what == "pay":
        shop.push(order.really_price)
    elif what == "confirm" and order.state != "paid" and order.really_price:
        shop.confirm(order, order.really_price)
    elif what == "close" and order.state_at(shop.now) == "pending":
        shop.close(order)


def test_days_into_which_old_orders_are_imported_are_summed_up_anew(shop: Shop) -> None:
    shop.now = MIDNIGHT + 10
    order = shop.open("N1", 990)
    shop.now = MIDNIGHT + 3 * DAY_S + SETTLE_S
    tick(shop)
    past = replace(order, token="f" * 32, number="old", created_at=MIDNIGHT - DAY_S + 5)
    past = replace(past, state=State.PAID, paid_at=MIDNIGHT + 7, expires_at=MIDNIGHT)
    with shop.store.transaction() as db:
        stores.orders.add(db, past)
        tallies.imported(db, past)
    for _ in range(2):
        assert agrees(shop, 6)
        with shop.store.read() as db:
            assert [day.amount for day in sales.by_day(db, 4, shop.now)] == [990, 0, 0, 0]
        tick(shop)

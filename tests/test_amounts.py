from __future__ import annotations

from collections.abc import Callable
from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.amounts import (
    HOLD_AFTER_PAID_S,
    LONGEST_HOLD_AFTER_PAID_S,
    Limits,
    candidates,
    choose,
    nearest,
    rest_of_paid,
    rest_of_shown,
    rest_of_unshown,
    span,
)
from checkout.model.accounts import Rest

PRICES = st.integers(1, 10**9)
WIDTHS = st.integers(0, 300)
OFFSETS = st.sampled_from(["up", "down", "nearest"])
LIMITS = Limits(order_ttl=300, grace=600, rest=7200)


def test_nobody_is_waited_for_when_the_code_was_not_shown() -> None:
    assert rest_of_unshown(1000) == Rest(free_at=1000, rested_at=1000)


def test_an_amount_that_was_shown_is_held_for_the_grace_and_rests_afterwards() -> None:
    assert rest_of_shown(1000, LIMITS) == Rest(free_at=1600, rested_at=8800)
    assert rest_of_shown(1000, Limits(grace=0, rest=0)) == Rest(free_at=1000, rested_at=1000)


def test_unless_told_otherwise_orders_wait_five_minutes_late_money_ten_more_and_amounts_rest_two_hours() -> None:
    assert Limits() == LIMITS


@pytest.mark.parametrize(
    ("paid_at", "expires_at", "free_at"),
    [
        (1000, 1300, 1300),  # the order's own time
        (1000, 1120, 1120),
        (1000, 1119, 1120),  # two minutes at least
        (1000, 900, 1120),  # paid late
        (1000, 1600, 1600),
        (1000, 1601, 1600),  # ten minutes at most
        (1000, 87_400, 1600),
    ],
)
def test_a_paid_amount_is_held_for_two_minutes_and_for_the_order_s_own_time(
    paid_at: int, expires_at: int, free_at: int
) -> None:
    assert rest_of_paid(paid_at, expires_at) == Rest(free_at, free_at)
    assert HOLD_AFTER_PAID_S <= free_at - paid_at <= LONGEST_HOLD_AFTER_PAID_S


@pytest.mark.parametrize(
    ("price", "offset", "width", "wanted"),
    [
        (990, "up", 3, [990, 991, 992, 993]),
        (990, "down", 3, [990, 989, 988, 987]),
        (990, "nearest", 2, [990, 991, 989, 992, 988]),
        (990, "up", 0, [990]),
        (990, "down", 0, [990]),
        (990, "nearest", 0, [990]),
        (2, "down", 5, [2, 1]),
        (1, "down", 1, [1]),
        (2, "nearest", 3, [2, 3, 1, 4, 5]),
        (101, "down", 100, list(range(101, 0, -1))),
    ],
)
def test_amounts_are_tried_from_the_price_away(price: int, offset: str, width: int, wanted: list[int]) -> None:
    assert list(candidates(price, offset, width)) == wanted


@given(PRICES, OFFSETS, WIDTHS)
def test_candidates_lie_in_their_span_begin_with_the_price_and_come_once(price: int, offset: str, width: int) -> None:
    found = list(candidates(price, offset, width))
    low, high = span(price, offset, width)
    assert found[0] == price
    assert sorted(found) == list(range(low, high + 1))
    assert low >= 1
    distances = [abs(amount - price) for amount in found]
    assert distances == sorted(distances)
    assert distances[-1] <= width


@given(st.integers(1, 50), st.dictionaries(st.integers(1, 80), st.integers(0, 200)), st.integers(0, 200))
def test_a_held_amount_is_never_chosen_and_the_first_rested_one_always_is(
    price: int, resting: dict[int, int], now: int
) -> None:
    wanted = list(candidates(price, "up", 20))
    chosen = choose(wanted, resting, now)
    rested = [amount for amount in wanted if amount not in resting]
    free = [amount for amount in wanted if resting.get(amount, now) <= now]
    if rested:
        assert chosen == rested[0]
    elif free:
        assert chosen is not None
        assert resting[chosen] == min(resting[amount] for amount in free)
    else:
        assert chosen is None


def test_when_nothing_has_rested_the_one_that_was_free_longest_goes_and_the_nearer_of_two() -> None:
    assert choose([10, 11, 12, 13], {10: 90, 11: 50, 12: 50, 13: 101}, now=100) == 11


def test_an_amount_is_free_from_its_very_second_on() -> None:
    assert choose([10], {10: 100}, now=99) is None
    assert choose([10], {10: 100}, now=100) == 10


def test_no_more_amounts_are_looked_at_than_needed() -> None:
    assert choose(count(990), {990: 10}, now=0) == 991
    assert list(islice(candidates(990, "nearest", 10**9), 3)) == [990, 991, 989]


@given(st.integers(1, 60), OFFSETS, st.integers(0, 25), st.sets(st.integers(1, 90)), st.booleans())
def test_the_nearest_rested_amount_is_the_first_of_the_candidates_that_is(
    price: int, offset: str, width: int, resting: set[int], is_crowded: bool
) -> None:
    if is_crowded:  # as amounts are given out: without gaps
        resting |= set(islice(candidates(price, offset, width), len(resting) // 2))
    wanted = (amount for amount in candidates(price, offset, width) if amount not in resting)
    assert nearest(price, offset, width, counting(resting)) == next(wanted, None)


@pytest.mark.parametrize(("offset", "step"), [("up", 1), ("down", -1)])
@pytest.mark.parametrize(("waiting", "asked"), [(0, 1), (1, 2), (300, 2)])
def test_the_database_is_asked_once_or_twice_where_amounts_are_given_out_in_turn(
    waiting: int, asked: int, offset: str, step: int
) -> None:
    asked_for: list[tuple[int, int]] = []
    held = counting(set(range(990, 990 + waiting * step, step)), asked_for)
    assert nearest(990, offset, 600, held) == 990 + waiting * step
    assert len(asked_for) == asked


@pytest.mark.parametrize("price", [1, 2, 990])
@pytest.mark.parametrize("offset", ["up", "down", "nearest"])
@pytest.mark.parametrize("width", [0, 1, 20])
def test_the_database_is_asked_for_candidates_only(price: int, offset: str, width: int) -> None:
    low, high = span(price, offset, width)
    for resting in (set[int](), {price}, set(range(1, 1100))):
        asked_for: list[tuple[int, int]] = []
        nearest(price, offset, width, counting(resting, asked_for))
        assert asked_for
        assert all(low <= first <= last <= high for first, last in asked_for)


def counting(resting: set[int], asked_for: list[tuple[int, int]] | None = None) -> Callable[[int, int], int]:
    def count(low: int, high: int) -> int:
        if asked_for is not None:
            asked_for.append((low, high))
        return sum(low <= amount <= high for amount in resting)

    return count

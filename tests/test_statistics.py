"""Statistics against the plain sums over all orders."""

from __future__ import annotations

import random

import pytest

from checkout import sales, statistics, tallies
from checkout.beijing import midnight
from checkout.statistics import DAYS, STEPS, Business, Period
from tests.world import World

DAY_S = 86_400


def month(world: World) -> list[tuple[int, int]]:
    """Pays orders over forty days or so, some late; gives (time, fen) of each."""
    dice, paid = random.Random(3), []
    for number in range(40):
        world.clock.go(dice.randrange(2 * DAY_S))
        price = dice.randrange(100, 9900)
        amount = world.create(f"N{number}", f"{price // 100}.{price % 100:02d}")["data"]["reallyPrice"]
        world.clock.go(dice.choice((5, 60, 4000)))
        world.push(str(amount))
    for payment in world.payments():
        if payment.order_token:
            order = world.order(payment.order_token)
            assert order.paid_at is not None
            assert order.really_price is not None
            paid.append((order.paid_at, order.really_price))
    return paid


def told(world: World, days: int = 30, step: str = "day") -> Business:
    with world.store.read() as db:
        return statistics.of(db, Period(days, step), world.clock())


def test_every_period_equals_a_full_scan_before_and_after_days_are_summed_up(world: World) -> None:
    paid = month(world)
    now = world.clock()
    for _ in range(2):
        for days in DAYS:
            since = midnight(now) - (days - 1) * DAY_S
            for step in STEPS:
                found = told(world, days, step)
                assert found.all.takings.amount == sum(amount for at, amount in paid if at >= since)
                assert found.all.takings.orders == sum(at >= since for at, _ in paid)
                if not found.missing:
                    assert sum(found.waits.values()) == sum(map(sum, found.hours)) == found.all.takings.orders
        while sales.sum_up(world.store, now) or tallies.sum_up(world.store, now):
            pass
    assert told(world, 365).missing == 0
    assert told(world, 365).all.counts["opened"] == 40


def test_hours_are_beijings_and_weeks_begin_on_monday(world: World) -> None:
    world.clock.now = 1_767_542_400  # Monday, 5 January 2026, 00:00 in Beijing
    world.beat()
    amount = world.create("N1", "9.90")["data"]["reallyPrice"]
    world.push(str(amount))
    found = told(world, step="week")
    assert found.hours[0][0] == 1
    assert sum(map(sum, found.hours)) == 1
    assert found.steps[-1].start == world.clock()
    assert [found.all.counts[name] for name in ("opened", "shown", "paid", "late", "in_time")] == [1, 1, 1, 0, 1]


def test_a_share_of_waits_is_what_so_many_do_not_exceed() -> None:
    assert statistics.within({}, 50) is None
    assert statistics.within({10: 1}, 95) == 10
    assert statistics.within({60: 1, 10: 1}, 50) == 10
    assert statistics.within({10: 94, 60: 5, 300: 1}, 95) == 60
    assert statistics.within({10: 94, 60: 1, 300: 5}, 96) == 300


def test_waits_by_round_bounds_lose_none() -> None:
    found = statistics.by_marks({0: 1, 5: 1, 6: 2, 45: 3, DAY_S: 4, tallies.BOUNDS[-1]: 5})
    assert (found[5], found[10], found[45], found[DAY_S], found[0]) == (2, 2, 3, 4, 5)
    assert sum(found.values()) == 16


@pytest.mark.parametrize(("step", "steps"), [("day", 90), ("week", 14), ("month", 4)])
def test_the_worst_moment_of_a_step_stands_for_it(world: World, step: str, steps: int) -> None:
    for day, number in ((0, 1), (1, 3), (70, 2)):
        world.clock.now = 1_790_000_000 + day * DAY_S
        for order in range(number):
            world.create(f"N{day}-{order}", "9.90")
        tallies.watch_amounts(world.store, world.clock())
    found = told(world, 90, step)
    assert len(found.steps) in (steps, steps - 1)
    held = [one.held for one in found.pressure if one.account == "wx-main"]
    assert held == ([1, 3, 2] if step == "day" else [3, 2])
    assert {one.day for one in found.pressure} <= {one.start for one in found.steps}

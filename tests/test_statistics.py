"""Statistics against the plain sums over all orders."""

from __future__ import annotations

import random

from checkout import sales, statistics
from checkout.statistics import PERIODS
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


def test_the_takings_of_every_period_equal_a_full_scan_before_and_after_days_are_summed_up(world: World) -> None:
    paid = month(world)
    now = world.clock()
    for _ in range(2):
        for period in PERIODS.values():
            since = sales.midnight(now) - (period.days - 1) * DAY_S
            with world.store.read() as db:
                steps = statistics.takings(db, period, now)
            assert sum(step.amount for step in steps) == sum(amount for at, amount in paid if at >= since)
            assert sum(step.orders for step in steps) == sum(at >= since for at, _ in paid)
        while sales.sum_up(world.store, now):
            pass


def test_hours_are_beijings_and_weeks_begin_on_monday(world: World) -> None:
    world.clock.now = 1_767_542_400  # Monday, 5 January 2026, 00:00 in Beijing
    world.beat()
    amount = world.create("N1", "9.90")["data"]["reallyPrice"]
    world.push(str(amount))
    with world.store.read() as db:
        roads = statistics.roads(db, PERIODS["month"], world.clock())
    assert roads.hours[0][0] == 1
    assert sum(map(sum, roads.hours)) == 1
    assert (roads.opened, roads.paid, roads.late) == (1, 1, 0)

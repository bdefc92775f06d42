"""How business goes: takings, what became of orders and payments, how soon buyers pay, how full the amounts are; by
day, week or month. Days and hours are Beijing's.

All of it comes from the sums of finished days (`sales`, `tallies`) and a count of the unfinished ones, so it is exact
and answers at once however much was sold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from itertools import groupby

from msgspec import Struct

from checkout import sales, store, tallies
from checkout.beijing import BEIJING, BEIJING_S, DAY_S
from checkout.interfaces import Rows
from checkout.sales import Day
from checkout.store.pressure import Pressure

DAYS = (7, 30, 90, 365)
STEPS = ("day", "week", "month")


class Period(Struct, frozen=True):
    """The last `days` days, summed up by `step`: day | week | month."""

    days: int
    step: str


class Step(Struct, frozen=True):
    """A day, week or month: its takings; orders by what became of those opened in it (opened, shown, paid, late,
    expired, closed); payments that came in it (in_time, came_late, reviewed, by_hand)."""

    takings: Day
    counts: Counter[str]

    @property
    def start(self) -> int:
        return self.takings.start

    @property
    def came(self) -> int:
        """The payments that phones and gateways reported."""
        return sum(self.counts[name] for name in ("in_time", "came_late", "reviewed"))


class Business(Struct, frozen=True):
    """`steps`: the oldest first, the first and the last may be parts of a week or month; `hours`: paid orders by
    weekday (Monday first) and hour; `waits`: paid orders by seconds until the money came, rounded up by a tenth at the
    most; `missing`: the oldest so many days are not counted yet."""

    steps: list[Step]
    hours: tuple[tuple[int, ...], ...]
    waits: dict[int, int]
    pressure: list[Pressure]
    missing: int

    @property
    def all(self) -> Step:
        return _joined(self.steps)


def of(db: Rows, period: Period, now: int) -> Business:
    days = sales.by_day(db, period.days, now)
    tally = tallies.of_days(db, period.days, now)
    single = [Step(day, tally.days[day.start]) for day in days]
    steps = [_joined(list(group)) for _, group in groupby(single, key=lambda one: _step(one.start, period.step))]
    hours = tuple(tuple(tally.hours.get(day * 24 + hour, 0) for hour in range(24)) for day in range(7))
    return Business(steps, hours, tally.waits, _pressure(db, steps), tally.missing)


def within(waits: Mapping[int, int], percent: int) -> int | None:
    """The seconds that so many of a hundred do not exceed; None when nobody paid."""
    left = -(-sum(waits.values()) * percent // 100)
    for bound in sorted(waits):
        left -= waits[bound]
        if left <= 0:
            return bound
    return None


def by_marks(waits: Mapping[int, int]) -> dict[int, int]:
    """The same by the round bounds of `tallies.MARKS`, those without any too; 0 stands for longer than the last."""
    found = dict.fromkeys((*tallies.MARKS, 0), 0)
    for bound, number in waits.items():
        found[next((mark for mark in tallies.MARKS if bound <= mark), 0)] += number
    return found


def _pressure(db: Rows, steps: list[Step]) -> list[Pressure]:
    """The worst moment of each step and account, as of the step's first day."""
    worst: dict[tuple[int, str], Pressure] = {}
    starts = [step.start for step in steps]
    for one in store.pressure.since(db, starts[0]):
        start = max(start for start in starts if start <= one.day)
        known = worst.get((start, one.account))
        if known is None or one.held * known.offered > known.held * one.offered:
            worst[start, one.account] = Pressure(start, one.account, one.held, one.offered)
    return [worst[key] for key in sorted(worst)]


def _step(start: int, step: str) -> int | str:
    day = (start + BEIJING_S) // DAY_S
    return day if step == "day" else (day + 3) // 7 if step == "week" else _month(start)


def _month(start: int) -> str:
    return datetime.fromtimestamp(start, BEIJING).strftime("%Y-%m")


def _joined(steps: list[Step]) -> Step:
    methods: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for step in steps:
        methods.update(step.takings.methods)
        counts.update(step.counts)
    orders, amount = sum(step.takings.orders for step in steps), sum(step.takings.amount for step in steps)
    return Step(Day(steps[0].start, orders, amount, dict(methods)), counts)

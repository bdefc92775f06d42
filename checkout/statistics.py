"""How business goes: takings by day, week or month, and what becomes of orders. Days and hours are Beijing's.

Takings come from the sums of days that are over (`sales`), so they are complete. All else is read from the newest ten
thousand orders of the period, which answers at once however much was sold, and is close enough for a share or a median.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from checkout import sales, store
from checkout.interfaces import Rows
from checkout.sales import DAY_S, Day
from checkout.store.statistics import Fate

SAMPLE = 10_000
_BEIJING_S = 8 * 3600
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Period:
    """The last `days` days, summed up by `step`: day | week | month."""

    name: str
    days: int
    step: str


PERIODS = {
    "month": Period("month", 30, "day"),
    "quarter": Period("quarter", 91, "week"),
    "year": Period("year", 365, "month"),
}


@dataclass(frozen=True, slots=True)
class Roads:
    """What became of `opened` orders. Seconds are None where nobody paid; `hours` counts payments by weekday (Monday
    first) and hour; `offset` is the mean distance of what was asked from the price, in fen times 100."""

    opened: int
    shown: int
    paid: int
    late: int
    half_paid_after: int | None
    most_paid_after: int | None  # 95 of 100
    offset: int
    hours: tuple[tuple[int, ...], ...]
    is_sample: bool


def takings(db: Rows, period: Period, now: int) -> list[Day]:
    """By step of the period, the oldest first; the first and the last step may be parts of a week or month."""
    days = sales.by_day(db, period.days, now)
    return [_joined(list(group)) for _, group in groupby(days, key=lambda day: _step(day.start, period.step))]


def roads(db: Rows, period: Period, now: int) -> Roads:
    since = sales.midnight(now) - (period.days - 1) * DAY_S
    fates = store.statistics.newest(db, since, SAMPLE)
    # A clock that was put back meanwhile makes no payment come before its order.
    waits = sorted(max(0, one.paid_at - one.created_at) for one in fates if one.paid_at is not None)
    offsets = [abs(one.really_price - one.price) for one in fates if one.really_price is not None]
    return Roads(
        opened=len(fates), shown=sum(one.shown_at is not None or one.paid_at is not None for one in fates),
        paid=len(waits), late=sum(one.is_late for one in fates), half_paid_after=_share(waits, 50),
        most_paid_after=_share(waits, 95), offset=sum(offsets) * 100 // max(1, len(offsets)), hours=_hours(fates),
        is_sample=len(fates) == SAMPLE,
    )  # fmt: skip


def _share(sorted_: Sequence[int], percent: int) -> int | None:
    """The value that so many of a hundred do not exceed."""
    return sorted_[-(-len(sorted_) * percent // 100) - 1] if sorted_ else None


def _hours(fates: list[Fate]) -> tuple[tuple[int, ...], ...]:
    counts = [[0] * 24 for _ in range(7)]
    for one in fates:
        if one.paid_at is not None:
            hours = (one.paid_at + _BEIJING_S) // _HOUR_S
            counts[(hours // 24 + 3) % 7][hours % 24] += 1  # 1 January 1970 was a Thursday
    return tuple(map(tuple, counts))


def _step(start: int, step: str) -> int | str:
    day = (start + _BEIJING_S) // DAY_S
    return day if step == "day" else (day + 3) // 7 if step == "week" else _month(start)


def _month(start: int) -> str:
    return datetime.fromtimestamp(start + _BEIJING_S, UTC).strftime("%Y-%m")


def _joined(days: list[Day]) -> Day:
    methods: dict[str, int] = {}
    for day in days:
        for method, amount in day.methods.items():
            methods[method] = methods.get(method, 0) + amount
    return Day(days[0].start, sum(day.orders for day in days), sum(day.amount for day in days), methods)

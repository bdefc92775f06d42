"""The plots of the statistics: each with the table that says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from checkout import statistics
from checkout.admin.bars import Bars, bars, thinned
from checkout.admin.tables import Column, Table, duration, localised, percent, share
from checkout.interfaces import Value
from checkout.pages.language import N_, beijing, money
from checkout.presence import WINDOWS, Presence
from checkout.statistics import Business, Period, Step

_SHADES = 5
_FROM = Column("from", N_("From"), "day")
WEEKDAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))


class Cell(Struct, frozen=True):
    """`shade` from 0 (nothing) to 5 (the most)."""

    count: int
    shade: int


class Plot(Struct, frozen=True):
    """`legend`: what the lighter and the darker part of a bar stand for, nothing where it is all one;
    `is_newest_first`: how its table is read on the page."""

    title: str
    table: Table
    drawn: Bars | None = None
    legend: tuple[str, str] | tuple[()] = field(default=())
    help: str = ""
    is_newest_first: bool = True


def of(business: Business, period: Period) -> list[Plot]:
    """In the order of the page; texts are marked with `N_`."""
    return [make(business, period) for make in _PLOTS]


def heat(business: Business) -> list[list[Cell]]:
    most = max(max(day) for day in business.hours)
    return [[Cell(count, -(-count * _SHADES // most) if most else 0) for count in day] for day in business.hours]


def _takings(business: Business, period: Period) -> Plot:
    columns = (
        _FROM, Column("orders", N_("Paid orders")), Column("wechat_yuan", N_("WeChat"), "money"),
        Column("alipay_yuan", N_("Alipay"), "money"), Column("yuan", N_("Takings"), "money"),
    )  # fmt: skip
    rows = [
        (one.start, one.takings.orders, *(one.takings.methods.get(name, 0) for name in ("wechat", "alipay")),
         one.takings.amount) for one in business.steps
    ]  # fmt: skip
    drawn = _by_step(business.steps, period, lambda one: one.takings.amount, lambda one: money(one.takings.amount))
    return Plot(N_("Takings"), Table("takings", columns, tuple(rows)), drawn)


def _orders(business: Business, period: Period) -> Plot:
    names = ("opened", "shown", "paid", "late", "expired", "closed")
    labels = (
        N_("Orders opened"), N_("Code shown"), N_("Paid"), N_("Paid late"), N_("Expired"), N_("Closed"),
    )  # fmt: skip
    columns = (
        _FROM, *(Column(*pair) for pair in zip(names, labels, strict=True)),
        Column("paid_percent", N_("Share paid"), "share"),
    )  # fmt: skip
    rows = [
        (one.start, *(one.counts[name] for name in names), share(one.counts["paid"], one.counts["opened"]))
        for one in business.steps
    ]
    drawn = _by_step(
        business.steps, period, lambda one: one.counts["opened"],
        lambda one: f"{one.counts['paid']:,} / {one.counts['opened']:,}",
        part=lambda one: one.counts["paid"], least=1, unit=lambda value: f"{value:,}",
    )  # fmt: skip
    return Plot(
        N_("What became of orders"), Table("orders", columns, tuple(rows)), drawn, (N_("opened"), N_("paid")),
        N_("By the day on which an order was opened, whenever it was paid."),
    )  # fmt: skip


def _waits(business: Business, period: Period) -> Plot:
    columns = (
        Column("paid_within", N_("Paid within"), "time"), Column("orders", N_("Paid orders")),
        Column("together_percent", N_("Together with the faster ones"), "share"),
    )  # fmt: skip
    marks, total, sofar = statistics.by_marks(business.waits), sum(business.waits.values()), 0
    rows: list[tuple[Value, ...]] = []
    for mark, number in marks.items():
        sofar += number
        rows.append((duration(mark) if mark else f"> {duration(max(marks))}", number, share(sofar, total)))
    names = [localised(str(row[0])) for row in rows]
    titles = [f"{name}: {number:,}" for name, number in zip(names, marks.values(), strict=True)]
    drawn = bars(list(marks.values()), titles, thinned(names), least=1, unit=lambda value: f"{value:,}")
    return Plot(
        N_("How soon buyers pay"), Table("waits", columns, tuple(rows)), drawn,
        help=N_("From the opening of the order to the money; known to within a tenth."), is_newest_first=False,
    )  # fmt: skip


def _hours(business: Business, period: Period) -> Plot:
    columns = (Column("weekday", "", "text"), *(Column(str(hour), str(hour)) for hour in range(24)))
    english = [day.lower() for day in WEEKDAYS]
    rows: list[tuple[Value, ...]] = [(name, *day) for name, day in zip(english, business.hours, strict=True)]
    return Plot(N_("When buyers pay"), Table("hours", columns, tuple(rows)))


def _amounts(business: Business, period: Period) -> Plot:
    columns = (
        _FROM, Column("account", N_("Account"), "text"), Column("in_use", N_("In use at once")),
        Column("offered", N_("Offered for one price")), Column("percent", N_("Share"), "share"),
    )  # fmt: skip
    rows = [(one.day, one.account, one.held, one.offered, share(one.held, one.offered)) for one in business.pressure]
    worst: dict[int, int] = {}
    for one in business.pressure:
        worst[one.day] = max(worst.get(one.day, 0), one.held * 1000 // one.offered)
    drawn = _by_step(
        business.steps, period, lambda one: worst.get(one.start, 0), lambda one: percent(worst.get(one.start, 0)),
        least=1000, unit=percent,
    )  # fmt: skip
    return Plot(
        N_("Amount usage"), Table("amounts", columns, tuple(rows)), drawn,
        help=N_(
            "How many of the amounts for one price were in use when the fewest were left, on the fullest account;"
            " looked at every minute. Where none is left, buyers are sent away: allow a larger offset, or add an"
            " account."
        ),
    )  # fmt: skip


def _payments(business: Business, period: Period) -> Plot:
    columns = (
        _FROM, Column("came", N_("Payments")), Column("in_time", N_("In time")), Column("late", N_("Late")),
        Column("reviewed", N_("To review")), Column("by_hand", N_("Confirmed by hand")),
        Column("late_percent", N_("Share late"), "share"), Column("reviewed_percent", N_("Share to review"), "share"),
    )  # fmt: skip
    names = ("in_time", "came_late", "reviewed", "by_hand")
    rows = [
        (one.start, one.came, *(one.counts[name] for name in names), share(one.counts["came_late"], one.came),
         share(one.counts["reviewed"], one.came)) for one in business.steps
    ]  # fmt: skip

    def trouble(one: Step) -> int:
        return share(one.counts["came_late"] + one.counts["reviewed"], one.came) or 0

    drawn = _by_step(
        business.steps, period, trouble, lambda one: percent(trouble(one)),
        part=lambda one: share(one.counts["reviewed"], one.came) or 0, least=10, unit=percent,
    )  # fmt: skip
    return Plot(
        N_("Late money, and money that fits no order"), Table("payments", columns, tuple(rows)), drawn,
        (N_("late"), N_("to review")),
        N_("Of what phones and gateways reported, by the day on which it came, as it was judged then."),
    )  # fmt: skip


def phones(presences: Mapping[str, Presence]) -> Plot:
    """`presences` by name. Kept for thirty days, whatever the time of the page."""
    columns = (
        Column("phone", N_("Phone"), "text"), Column("day_percent", N_("24 hours"), "share"),
        Column("week_percent", N_("7 days"), "share"), Column("month_percent", N_("30 days"), "share"),
        Column("absences", N_("Absences in 30 days")),
    )  # fmt: skip
    rows = [
        (name, *(one.uptime(seconds) for seconds in WINDOWS.values()), len(one.absences))
        for name, one in presences.items()
    ]
    month = [one.uptime(max(WINDOWS.values())) for one in presences.values()]
    titles = [
        f"{name}: {'–' if value is None else percent(value)}" for name, value in zip(presences, month, strict=True)
    ]
    drawn = bars([value or 0 for value in month], titles, thinned(list(presences)), least=1000, unit=percent)
    return Plot(
        N_("Uptime of phones"), Table("phones", columns, tuple(rows)), drawn,
        help=N_("How much of the last 30 days each phone was heard of, from when it was heard of first."),
        is_newest_first=False,
    )  # fmt: skip


_PLOTS: tuple[Callable[[Business, Period], Plot], ...] = (_takings, _orders, _waits, _hours, _amounts, _payments)
TABLES = ("takings", "orders", "waits", "hours", "amounts", "payments", "phones")


def _by_step(
    steps: list[Step], period: Period, value: Callable[[Step], int], said: Callable[[Step], str], *,
    part: Callable[[Step], int] | None = None, least: int = 100, unit: Callable[[int], str] = money,
) -> Bars:  # fmt: skip
    dates = [beijing(one.start)[:7] if period.step == "month" else beijing(one.start)[5:10] for one in steps]
    titles = [f"{date}: {said(one)}" for date, one in zip(dates, steps, strict=True)]
    parts = [part(one) for one in steps] if part else None
    return bars([value(one) for one in steps], titles, thinned(dates), parts=parts, least=least, unit=unit)

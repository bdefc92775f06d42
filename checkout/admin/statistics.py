"""Statistics: each plot with the table that says the same, and the takings as a spreadsheet."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response

from checkout import statistics
from checkout.admin import layout, lists
from checkout.admin.bars import Bars, bars
from checkout.admin.nav import Page
from checkout.money import yuan
from checkout.pages.language import N_, beijing, money
from checkout.sales import Day
from checkout.statistics import PERIODS, Period
from checkout.web import parts

PAGE = Page("statistics", N_("Statistics"), "M4 20V4M4 20h16M8 16v-5M12 16V7M16 16v-3", 60)
_SHADES = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """`shade` from 0 (nothing) to 5 (the most)."""

    count: int
    shade: int


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/statistics", "statistics", view)
    blueprint.add_url_rule("/statistics.csv", "statistics_csv", csv)


def view() -> Response:
    period, now = _asked(), parts().clock()
    with parts().store.read() as db:
        steps, roads = statistics.takings(db, period, now), statistics.roads(db, period, now)
    return layout.page(
        "admin/statistics.html", PAGE, period=period.name, periods=list(PERIODS), steps=steps, roads=roads,
        plot=_plot(steps, period), heat=_heat(roads.hours), csv=layout.path("statistics.csv", period=period.name),
    )  # fmt: skip


def csv() -> Response:
    """The takings; numbers and dates only, so nothing in it is a formula."""
    period = _asked()
    with parts().store.read() as db:
        steps = statistics.takings(db, period, parts().clock())
    lines = ["from,orders,yuan,wechat,alipay"]
    for one in steps:
        methods = (yuan(one.methods.get(name, 0)) for name in ("wechat", "alipay"))
        lines.append(",".join([beijing(one.start)[:10], str(one.orders), yuan(one.amount), *methods]))
    answer = Response("\ufeff" + "\r\n".join(lines) + "\r\n", mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="takings-{period.name}.csv"'
    return layout.sealed(answer)


def _asked() -> Period:
    return PERIODS.get(lists.asked("period")["period"], PERIODS["month"])


def _plot(steps: list[Day], period: Period) -> Bars:
    dates = [beijing(one.start)[:7] if period.step == "month" else beijing(one.start)[5:10] for one in steps]
    titles = [f"{date}: {money(one.amount)}" for date, one in zip(dates, steps, strict=True)]
    every = max(1, len(dates) // 5)
    labels = [date if (len(dates) - 1 - at) % every == 0 and at else "" for at, date in enumerate(dates)]
    return bars([one.amount for one in steps], titles, labels)


def _heat(hours: tuple[tuple[int, ...], ...]) -> list[list[Cell]]:
    most = max(max(day) for day in hours)
    return [[Cell(count, -(-count * _SHADES // most) if most else 0) for count in day] for day in hours]

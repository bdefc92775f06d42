"""Statistics: each plot with the table that says the same, on the page and as a spreadsheet."""

from __future__ import annotations

from flask import Blueprint, Response

from checkout import presence, statistics, store
from checkout.admin import layout, lists, plots, tables
from checkout.admin.nav import Page
from checkout.admin.plots import Plot
from checkout.errors import Code, Refusal
from checkout.pages.language import N_
from checkout.statistics import DAYS, STEPS, Business, Period
from checkout.web import parts

PAGE = Page("statistics", N_("Statistics"), "M4 20V4M4 20h16M8 16v-5M12 16V7M16 16v-3", 60)


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/statistics", "statistics", view)
    blueprint.add_url_rule("/statistics/<name>.csv", "statistics_csv", csv)


def view() -> Response:
    period = _asked()
    found = _found(period)
    return layout.page(
        "admin/statistics.html", PAGE, period=period, choices=DAYS, steps=STEPS, business=found, all=found.all,
        plots=_plots(found, period), heat=plots.heat(found), weekdays=plots.WEEKDAYS,
        half=statistics.within(found.waits, 50), most=statistics.within(found.waits, 95),
        fullest=max((one.held * 1000 // one.offered for one in found.pressure), default=None),
        share=tables.share, percent=tables.percent, duration=tables.lasting,
        csv={name: layout.path("statistics", f"{name}.csv", **_query(period)) for name in plots.TABLES},
    )  # fmt: skip


def csv(name: str) -> Response:
    period = _asked()
    made = (plot.table for plot in _plots(_found(period), period))
    found = next((table for table in made if table.name == name), None)
    if found is None:
        raise Refusal(Code.NOT_FOUND, f"There is no such table; there are {', '.join(plots.TABLES)}.")
    return tables.csv(found, f"{period.days}-days-by-{period.step}")


def _found(period: Period) -> Business:
    with parts().store.read() as db:
        return statistics.of(db, period, parts().clock())


def _plots(found: Business, period: Period) -> list[Plot]:
    now, offline_after = parts().clock(), parts().rules.offline_after_s
    with parts().store.read() as db:
        working = [device for device in store.devices.all_of(db) if device.revoked_at is None]
        presences = {device.name: presence.of(db, device, offline_after, now) for device in working}
    return [*plots.of(found, period), plots.phones(presences)]


def _asked() -> Period:
    """What makes no sense is left out, as an address may be years old."""
    asked = lists.asked("days", "by")
    days = int(asked["days"]) if asked["days"] in map(str, DAYS) else 30
    return Period(days, asked["by"] if asked["by"] in STEPS else "day")


def _query(period: Period) -> dict[str, str]:
    return {"days": str(period.days), "by": period.step}

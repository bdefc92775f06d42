"""The first page: how business goes, and what is still missing before it can."""

from __future__ import annotations

from flask import Blueprint, Response
from msgspec import Struct

from checkout import checklist, order_search, sales, store
from checkout.admin import layout, session
from checkout.admin.bars import Bars, bars
from checkout.admin.forms import Form
from checkout.admin.nav import Page
from checkout.admin.orders import Line
from checkout.beijing import DAY_S, midnight
from checkout.interfaces import Rows
from checkout.merchants import Reach
from checkout.model.accounts import Method
from checkout.model.orders import State
from checkout.order_search import Search
from checkout.pages import links
from checkout.pages.language import N_, beijing, money
from checkout.sales import Day
from checkout.web import parts

PAGE = Page("overview", N_("Overview"), "M4 13h6V4H4zm10 7h6V11h-6zM4 20h6v-4H4zM14 4v4h6V4z", 10, on_bar=True)
_RECENT = 8


class Tile(Struct, frozen=True):
    """`value` against `before`, which is the same a week earlier; `kind`: money or number or share.

    A share is per cent of the orders opened, None where none was opened: that is not 0 per cent.
    """

    name: str
    kind: str
    value: int | None
    before: int | None

    @property
    def change(self) -> int | None:
        """Per cent more or less; None where nothing can be compared."""
        if self.value is None or not self.before:
            return None
        return round((self.value - self.before) * 100 / self.before)


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("", "overview", view)
    blueprint.add_url_rule("/", "overview_slash", view)
    blueprint.add_url_rule("/test-payments", "overview_test", test_payment, methods=["POST"])


def view() -> Response:
    return _page(Form())


def test_payment() -> Response:
    """Opens the page of an order of 0.01, which the owner pays."""
    form = Form()
    with form.catching():
        reach = Reach.of(parts().settings)
        order = checklist.test_order(parts().store, parts().rules, reach, **session.by())
        return layout.done(links.path("pay", order.token))
    return _page(form)


def _page(form: Form) -> Response:
    now = parts().clock()
    with parts().store.read() as db:
        days = sales.by_day(db, 30, now)
        tiles = _tiles(db, days, now)
        steps = checklist.steps(db)
        found = order_search.find(db, Search(limit=_RECENT), now).orders
    return layout.page(
        "admin/overview.html", PAGE, form=form, tiles=tiles, plot=_plot(days), days=days, methods=_methods(days),
        steps=steps, is_ready=all(step.done or step.optional for step in steps),
        lines=[Line(order, order.state_at(now), False) for order in found],
    )  # fmt: skip


def _tiles(db: Rows, days: list[Day], now: int) -> list[Tile]:
    start, week = midnight(now), 7 * DAY_S
    ours, theirs = days[-7:], days[-14:-7]
    end = now + 1
    this, last = _share(db, end - week, end), _share(db, end - 2 * week, end - week)
    return [
        Tile("today", "money", days[-1].amount, sales.between(db, start - week, end - week)),
        Tile("week", "money", sum(day.amount for day in ours), sum(day.amount for day in theirs)),
        Tile("orders", "number", sum(day.orders for day in ours), sum(day.orders for day in theirs)),
        Tile("share", "share", this, last),
    ]


def _share(db: Rows, since: int, until: int) -> int | None:
    """Per cent of the orders opened in a time that were paid; None where none was opened."""
    counts = {state: store.sales.opened(db, state.value, since, until) for state in State}
    total = sum(counts.values())
    return counts[State.PAID] * 100 // total if total else None


def _plot(days: list[Day]) -> Bars:
    dates = [beijing(day.start)[5:10] for day in days]
    titles = [f"{date}: {money(day.amount)}" for date, day in zip(dates, days, strict=True)]
    labels = [date if at % 7 == len(days) % 7 - 1 or at == len(days) - 1 else "" for at, date in enumerate(dates)]
    return bars([day.amount for day in days], titles, labels)


def _methods(days: list[Day]) -> list[tuple[str, int, int]]:
    """(method, fen, per cent to the nearest) of the days together."""
    sums = {method.value: sum(day.methods.get(method.value, 0) for day in days) for method in Method}
    total = sum(sums.values())
    return [(name, amount, (amount * 200 + total) // (2 * total)) for name, amount in sums.items()] if total else []

"""Orders: finding them, and the spreadsheet of what was found. What is done with one order stands in `order`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request
from msgspec import Struct
from msgspec.structs import replace

from checkout import exports, order_search, store
from checkout.admin import layout, lists
from checkout.admin.nav import Page
from checkout.beijing import BEIJING
from checkout.interfaces import Rows
from checkout.model.accounts import Method
from checkout.model.deliveries import DeliveryState
from checkout.model.orders import Order, State
from checkout.order_search import FOR_EVER, LATE, Search
from checkout.pages.language import N_
from checkout.web import parts

PAGE = Page("orders", N_("Orders"), "M6 3h12v18l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6", 20, on_bar=True)
STATES = ("", State.PENDING.value, State.PAID.value, LATE, State.EXPIRED.value, State.CLOSED.value)
FIELDS = ("q", "state", "method", "merchant", "from", "to")


class Line(Struct, frozen=True):
    """`untold`: the merchant was not told of the payment, though it should have been."""

    order: Order
    state: State
    untold: bool


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/orders", "orders", view)
    blueprint.add_url_rule("/orders.csv", "orders_csv", csv)


def view() -> Response:
    asked = lists.asked(*FIELDS)
    now = parts().clock()
    with parts().store.read() as db:
        found = order_search.find(db, replace(_search(asked), before=lists.before(), limit=lists.PAGE), now)
        lines = [_line(db, order, now) for order in found.orders]
        merchants = store.merchants.all_of(db)
    values: dict[str, Any] = {
        "lines": lines, "asked": asked, "states": STATES, "methods": [method.value for method in Method],
        "merchants": merchants, "pager": lists.pager(found.then), "csv": _csv_address(asked),
        "is_live": not request.args.get("before") and not asked["q"],
    }  # fmt: skip
    if request.headers.get("HX-Target") == "found":
        return layout.fragment("admin/_orders.html", **values)
    return layout.page("admin/orders.html", PAGE, **values)


def csv() -> Response:
    """What was found, all of it: streamed, so that a million orders take no more memory than one page."""
    wanted = _search(lists.asked(*FIELDS))
    now = parts().clock()
    pieces = (piece.encode() for piece in exports.orders_csv(parts().store, now, wanted))
    answer = Response(pieces, mimetype="text/csv")
    day = datetime.fromtimestamp(now, BEIJING).strftime("%Y-%m-%d")
    answer.headers["Content-Disposition"] = f'attachment; filename="orders-{day}.csv"'
    return answer


def _search(asked: dict[str, str]) -> Search:
    """What makes no sense is left out, as an address may be years old."""
    return Search(
        text=asked["q"],
        state=asked["state"] if asked["state"] in STATES else "",
        method=asked["method"] if asked["method"] in set(Method) else "",
        merchant=int(asked["merchant"]) if re.fullmatch("[0-9]{1,12}", asked["merchant"]) else None,
        since=lists.midnight(asked["from"]) or 0,
        until=lists.midnight(asked["to"], days=1) or FOR_EVER,
    )


def _line(db: Rows, order: Order, now: int) -> Line:
    untold = False
    if order.state is State.PAID:
        untold = any(
            one.state is DeliveryState.FAILED or (one.state is DeliveryState.WAITING and one.attempts > 0)
            for one in store.deliveries.of_order(db, order.token)
        )
    return Line(order, order.state_at(now), untold)


def _csv_address(asked: dict[str, str]) -> str:
    return layout.path("orders.csv", **{name: value for name, value in asked.items() if value})

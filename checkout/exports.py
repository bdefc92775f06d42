"""Orders and payments as CSV for spreadsheets: streamed, with a byte order mark, safe to open.

Times are in Beijing time, in a form that spreadsheets understand. A cell that a spreadsheet would take for a formula
gets a `'` in front.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from checkout import order_search, payment_search, store
from checkout.beijing import in_beijing
from checkout.interfaces import Rows, Store, Value
from checkout.model.orders import Order
from checkout.model.payments import Payment
from checkout.model.refunds import Refund
from checkout.money import yuan
from checkout.order_search import Search

BOM = "\ufeff"
_PAGE = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # full width, as Chinese keyboards type them

ORDERS = (
    "token", "merchant", "number", "state", "late", "method", "account", "price", "really_price", "refunded", "title",
    "param", "buyer", "product", "quantity", "created_at", "expires_at", "paid_at",
)  # fmt: skip
PAYMENTS = (
    "id", "channel", "device", "method", "amount", "judgement", "order", "account", "note",
    "happened_at", "received_at",
)  # fmt: skip
REFUNDS = (
    "id", "order", "payment", "number", "amount", "state", "channel", "reason", "error", "created_at", "done_at",
)  # fmt: skip


def orders_csv(db_store: Store, now: int, wanted: Search | None = None) -> Iterator[str]:
    """The orders found by a search (all of them), newest first, in chunks of a few hundred lines."""
    wanted = replace(wanted or Search(), limit=_PAGE)
    yield BOM + lines([ORDERS])
    while True:
        with db_store.read() as db:
            found = order_search.find(db, wanted, now)
            text = lines(_order(db, one, now) for one in found.orders)
        if text:
            yield text
        if found.then is None:
            return
        wanted = replace(wanted, before=found.then)


def payments_csv(db_store: Store, now: int, wanted: payment_search.Search | None = None) -> Iterator[str]:
    """The payments found by a search (all of them), newest first, in chunks of a few hundred lines."""
    wanted = replace(wanted or payment_search.Search(), limit=_PAGE)
    yield BOM + lines([PAYMENTS])
    while True:
        with db_store.read() as db:
            found = payment_search.find(db, wanted)
        if found.payments:
            yield lines(map(_payment, found.payments))
        if found.then is None:
            return
        wanted = replace(wanted, before=found.then)


def refunds_csv(db_store: Store, now: int) -> Iterator[str]:
    """All refunds, newest first, in chunks of a few hundred lines."""
    before: tuple[int, str] | None = None
    yield BOM + lines([REFUNDS])
    while True:
        with db_store.read() as db:
            page = store.refunds.listed(db, before=before, limit=_PAGE)
        if not page:
            return
        yield lines(map(_refund, page))
        before = (page[-1].created_at, page[-1].id)


EXPORTS: dict[str, Callable[[Store, int], Iterator[str]]] = {
    "orders": orders_csv, "payments": payments_csv, "refunds": refunds_csv,
}  # fmt: skip


def pieces(db: Rows, what: str) -> int:
    """How many chunks an export has, the heading included."""
    counts = {"orders": lambda: sum(store.orders.counts(db).values()), "payments": lambda: store.payments.count(db)}
    rows = counts.get(what, lambda: store.refunds.count(db))()
    return 1 - (-rows // _PAGE)


def _order(db: Rows, one: Order, now: int) -> tuple[Value, ...]:
    return (
        one.token, one.merchant, one.number, one.state_at(now).value, int(one.late), one.method, one.account,
        yuan(one.price), _yuan(one.really_price), yuan(store.refunds.sums(db, one.token)[0]), one.title, one.param,
        one.buyer, one.product, one.quantity, _when(one.created_at), _when(one.expires_at), _when(one.paid_at),
    )  # fmt: skip


def _payment(one: Payment) -> tuple[Value, ...]:
    return (
        one.id, one.channel, one.device, one.method, _yuan(one.amount), one.judgement.value, one.order_token,
        one.account, one.note, _when(one.happened_at), _when(one.received_at),
    )  # fmt: skip


def _refund(one: Refund) -> tuple[Value, ...]:
    return (
        one.id, one.order_token, one.payment, one.number, yuan(one.amount), one.state.value, one.channel, one.reason,
        one.error, _when(one.created_at), _when(one.done_at),
    )  # fmt: skip


def lines(rows: Iterable[Iterable[Value]]) -> str:
    """Rows as CSV lines, without a byte order mark."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return buffer.getvalue()


def _cell(value: Value) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _yuan(amount: int | None) -> str:
    return "" if amount is None else yuan(amount)


def _when(at: int | None) -> str:
    """A phone may report any time, even one that no calendar has."""
    if at is None or not 0 <= at < 253_402_214_400:  # the year 10000
        return ""
    return in_beijing(at)

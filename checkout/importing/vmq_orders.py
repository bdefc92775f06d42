"""V免签's orders, as history: paid ones with their payment and the message that told of it, the others as expired."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from hashlib import sha256

from msgspec.structs import replace

from checkout import store, tallies
from checkout.importing.report import By, Report
from checkout.importing.tables import Table
from checkout.interfaces import Rows, Store
from checkout.model.accounts import PERSONAL, Method
from checkout.model.deliveries import Delivery, DeliveryState
from checkout.model.merchants import Merchant
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement, Payment
from checkout.money import MAX_FEN, yuan

METHODS = {"1": Method.WECHAT, "2": Method.ALIPAY}
_MAX_NUMBER = 64
_BATCH = 500
Watch = Callable[[list[Table]], Iterable[Table]]


def run(
    db_store: Store, rows: Table, merchant: Merchant | None, accounts: dict[Method, str], by: By, report: Report,
    watch: Watch,
) -> None:  # fmt: skip
    """The oldest first. `merchant`: None where it is not here yet. `watch` as for `vmq.run`."""
    if merchant is None:
        if rows:
            report.skipped["order", "the settings are not here yet: import their file too"] += len(rows)
        return
    ordered = sorted(rows, key=lambda row: (_seconds(row["create_date"]) or 0, row["id"] or ""))
    for batch in watch([ordered[start : start + _BATCH] for start in range(0, len(ordered), _BATCH)]):
        with db_store.transaction() as db:
            for row in batch:
                _order(db, row, merchant, accounts, by, report)


def _order(
    db: Rows, row: dict[str, str | None], merchant: Merchant, accounts: dict[Method, str], by: By, report: Report
) -> None:
    found = _read_order(row, merchant, accounts, by.now)
    if isinstance(found, str):
        report.skipped["order", found] += 1
        return
    if store.orders.get(db, found.token):
        report.known["order"] += 1
        return
    former = store.orders.by_number(db, merchant.id, found.number)
    if former and former.state is State.PAID and found.state is State.PAID:
        report.skipped["order", "its number was paid before"] += 1
        return
    last = max((one.attempt for one in store.orders.other_attempts(db, found)), default=0)
    order = replace(found, attempt=last + 1)
    store.orders.add(db, order)
    if order.state is State.PAID:
        _settle(db, order, row, by)
    tallies.imported(db, order)
    report.imported[f"order ({order.state})"] += 1


def _settle(db: Rows, order: Order, row: dict[str, str | None], by: By) -> None:
    """What a paid order needs to be whole: its payment, and the message, which V免签 has sent or not."""
    paid_at = order.paid_at or order.created_at
    payment = Payment(
        id=by.new_id("pay"), channel=PERSONAL, reference=f"vmq:{order.token}", device="", method=order.method,
        amount=order.really_price, judgement=Judgement.MATCHED, order_token=order.token, account=order.account,
        raw="", note="imported from V免签", happened_at=paid_at, received_at=paid_at, judged_at=paid_at,
        merchant=order.merchant,
    )  # fmt: skip
    store.payments.add(db, payment)
    told = row["state"] == "1"
    state = DeliveryState.DELIVERED if told else DeliveryState.FAILED
    store.deliveries.add(
        db,
        Delivery(
            id=by.new_id("msg"), order_token=order.token, merchant=order.merchant, dialect=order.dialect,
            event="order.paid", url=order.notify_url, state=state, attempts=0, due_at=paid_at, created_at=paid_at,
            done_at=paid_at,
        ),
    )  # fmt: skip


def _read_order(row: dict[str, str | None], merchant: Merchant, accounts: dict[Method, str], now: int) -> Order | str:
    """The order as it would have become here, or why it cannot come over."""
    method = METHODS.get(row["type"] or "")
    created, price, really = _seconds(row["create_date"]), fen_of(row["price"]), fen_of(row["really_price"])
    number = row["pay_id"] or ""
    if method is None or method not in accounts:
        return "its way of paying has no account here"
    if price is None or really is None or created is None or created > now:
        return "its amounts or times make no sense"
    if not 1 <= len(number) <= _MAX_NUMBER or not number.isprintable() or not row["order_id"]:
        return "it has no usable number"
    is_paid = row["state"] in ("1", "2")
    ended = _seconds(row["close_date"]) or created
    paid_at = (_seconds(row["pay_date"]) or ended) if is_paid else None
    secret = f"{merchant.key}\n{row['order_id']}\n{row['id']}"
    return Order(
        token=sha256(secret.encode()).hexdigest()[:32], merchant=merchant.id, dialect="vmq", number=number, attempt=1,
        state=State.PAID if is_paid else State.EXPIRED, late=False, method=method, account=accounts[method],
        channel=PERSONAL, price=price, really_price=really, title="", content="", param=row["param"] or "", buyer="",
        price_text=yuan(price), notify_url=row["notify_url"] or merchant.notify_url,
        return_url=row["return_url"] or merchant.return_url, extra="{}", asked="imported", product="", quantity=1,
        rev=0, created_at=created, expires_at=max(created, ended), shown_at=None,
        paid_at=max(created, paid_at) if paid_at is not None else None, closed_at=None,
    )  # fmt: skip


def fen_of(text: str | None) -> int | None:
    """A double of yuan as exports spell it (9.9, 9.90, 0.1000000001, 1.0E7); None: no amount of whole fen."""
    try:
        amount = Decimal(text or "") * 100
        whole = amount.to_integral_value()
    except InvalidOperation:
        return None
    if not whole.is_finite() or not 0 < whole <= MAX_FEN or abs(amount - whole) > Decimal("0.0001"):
        return None
    return int(whole)


def _seconds(text: str | None) -> int | None:
    """Unix seconds; Vmq in Java keeps milliseconds. None: none, or 0."""
    if not text or not text.isascii() or not text.isdecimal() or len(text) > 14:
        return None
    value = int(text)
    return (value // 1000 if value > 10**11 else value) or None

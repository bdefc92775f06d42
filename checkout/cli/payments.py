"""checkout payment: the money that phones reported."""

from __future__ import annotations

from typing import Any

import click

from checkout import channels, payments, store
from checkout.cli import claims
from checkout.cli import refunds as refund_lines
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, next_steps, show, table, when
from checkout.cli.section import Section
from checkout.model.payments import Payment
from checkout.money import yuan
from checkout.refunds import ledger

_reason = click.option("--reason", required=True, metavar="R", help="Why; it is kept in the audit log.")


@click.group(cls=Section)
def payment() -> None:
    """Money that came, and what it was for."""


@payment.command("list")
@click.option("--review", is_flag=True, help="Only what waits for a person.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
@click.pass_obj
def list_(desk: Desk, review: bool, limit: int, as_json: bool) -> None:
    """List payments, the newest first."""
    with desk.store.read() as db:
        found = store.payments.listed(db, review=review, limit=limit)
    rows = [
        (one.id, one.method, _amount(one) or "?", one.judgement.value, one.order_token, when(one.received_at), one.note)
        for one in found
    ]
    heads = ("ID", "METHOD", "AMOUNT", "JUDGED", "ORDER", "CAME", "NOTE")
    empty = "Nothing waits for you." if review else "No payments."
    show([shape(one) for one in found], as_json, lambda: table(heads, rows, empty))
    if review and not as_json and (said := claims.waiting(desk)):
        click.echo("\nBuyers who say that they have paid (checkout claim):\n" + claims.text(said))
    if review and found:
        next_steps(
            as_json, "checkout payment link PAYMENT ORDER --reason …, or checkout payment ignore PAYMENT --reason …"
        )


@payment.command()
@click.argument("payment")
@click.argument("order")
@_reason
@as_json
@click.pass_obj
def link(desk: Desk, payment: str, order: str, reason: str, as_json: bool) -> None:
    """Book a payment from the review list to its order; the merchant is told."""
    payments.link(desk.store, payment, order, reason=reason, **desk.by)
    _answer(desk, payment, as_json)


@payment.command()
@click.argument("payment")
@_reason
@as_json
@click.pass_obj
def ignore(desk: Desk, payment: str, reason: str, as_json: bool) -> None:
    """Take a payment off the review list without an order."""
    payments.ignore(desk.store, payment, reason=reason, **desk.by)
    _answer(desk, payment, as_json)


@payment.command("refund")
@click.argument("payment")
@_reason
@as_json
@click.pass_obj
def refund_(desk: Desk, payment: str, reason: str, as_json: bool) -> None:
    """Send back money that a gateway took and no order was waiting for."""
    gates = channels.make_channels(desk.settings)
    asked = ledger.ask_for_payment(desk.store, payment, gates, reason=reason, **desk.by)
    after = refund_lines.send_back(desk, gates, asked)
    show(refund_lines.shape(after), as_json, lambda: f"Refund {after.state.value}: {refund_lines.line(after)}")
    refund_lines.told(after)


def shape(one: Payment) -> dict[str, Any]:
    """The JSON of a payment."""
    return {
        "id": one.id, "channel": one.channel, "reference": one.reference, "device": one.device or None,
        "method": one.method or None, "amount": _amount(one), "judgement": one.judgement.value,
        "order": one.order_token or None, "account": one.account or None, "note": one.note,
        "happened_at": one.happened_at, "received_at": one.received_at, "judged_at": one.judged_at,
    }  # fmt: skip


def _amount(one: Payment) -> str | None:
    return None if one.amount is None else yuan(one.amount)


def _answer(desk: Desk, payment: str, as_json: bool) -> None:
    with desk.store.read() as db:
        one = store.payments.get(db, payment)
    assert one is not None
    told = f"{one.id} is {one.judgement.value}" + (f" to order {one.order_token}." if one.order_token else ".")
    show(shape(one), as_json, lambda: told)

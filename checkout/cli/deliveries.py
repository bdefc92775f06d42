"""checkout delivery: the messages owed to merchants."""

from __future__ import annotations

from typing import Any

import click

from checkout import audit, store
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, details, show, table, when
from checkout.cli.section import Section
from checkout.errors import Code, Refusal
from checkout.model.deliveries import Delivery, DeliveryState, Try
from checkout.outbox import deliveries


@click.group(cls=Section)
def delivery() -> None:
    """Messages owed to merchants, and every try at them."""


@delivery.command("list")
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]))
@click.option("--endpoint", metavar="ID", default="", help="Only to this webhook endpoint.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
@click.pass_obj
def list_(desk: Desk, state: str | None, endpoint: str, limit: int, as_json: bool) -> None:
    """List deliveries, the newest first."""
    with desk.store.read() as db:
        found = store.deliveries.listed(db, state=state, endpoint=endpoint, limit=limit)
    rows = [(one.id, one.event, one.state.value, one.attempts, _next(one), one.order_token, one.url) for one in found]
    heads = ("ID", "EVENT", "STATE", "TRIES", "NEXT", "ORDER", "URL")
    show([shape(one) for one in found], as_json, lambda: table(heads, rows, "No deliveries."))


@delivery.command("show")
@click.argument("delivery", metavar="ID")
@as_json
@click.pass_obj
def show_(desk: Desk, delivery: str, as_json: bool) -> None:
    """Show a delivery with what the merchant answered each time."""
    with desk.store.read() as db:
        one, tries = store.deliveries.get(db, delivery), store.deliveries.tries(db, delivery)
    if one is None:
        raise Refusal(Code.NOT_FOUND, "There is no such delivery: checkout delivery list.")
    data = shape(one) | {"tries": [_try_shape(one) for one in tries]}
    show(data, as_json, lambda: _told(one, tries))


@delivery.command()
@click.argument("delivery", metavar="ID")
@as_json
@click.pass_obj
def resend(desk: Desk, delivery: str, as_json: bool) -> None:
    """Send a message again, whatever became of it; a running server does so within a second."""
    by = desk.by
    again = deliveries.resend(desk.store, delivery, by["now"])
    with desk.store.transaction() as db:
        audit.note(db, by["actor"], "delivery.resend", delivery, {"url": again.url}, by["new_id"], by["now"])
    show(shape(again), as_json, lambda: f"{again.id} is due now, to {again.url}")


def shape(one: Delivery) -> dict[str, Any]:
    """The JSON of a delivery."""
    return {
        "id": one.id, "order": one.order_token or None, "merchant": one.merchant, "dialect": one.dialect,
        "event": one.event, "endpoint": one.endpoint or None, "url": one.url, "state": one.state.value,
        "attempts": one.attempts, "due_at": one.due_at, "created_at": one.created_at, "done_at": one.done_at,
    }  # fmt: skip


def _try_shape(one: Try) -> dict[str, Any]:
    return {
        "number": one.number, "at": one.at, "status": one.status, "elapsed_ms": one.elapsed_ms, "answer": one.answer,
        "error": one.error,
    }  # fmt: skip


def _next(one: Delivery) -> str:
    return when(one.due_at) if one.state is DeliveryState.WAITING else ""


def _told(one: Delivery, tries: list[Try]) -> str:
    pairs = [
        ("id", one.id),
        ("order", one.order_token),
        ("event", f"{one.event} ({one.dialect})"),
        ("endpoint", one.endpoint),
        ("url", one.url),
        ("state", one.state.value),
        ("next try", _next(one)),
    ]
    rows = [
        (t.number, when(t.at), t.status, f"{t.elapsed_ms} ms", t.error or " ".join(t.answer.split())[:60])
        for t in tries
    ]
    return f"{details(pairs)}\n\n{table(('TRY', 'AT', 'STATUS', 'TOOK', 'ANSWER'), rows, 'No tries yet.')}"

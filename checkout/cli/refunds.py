"""checkout refund: money that goes back to buyers."""

from __future__ import annotations

from typing import Any

import click

from checkout import store
from checkout.channel import Channels
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, show, table, warn, when
from checkout.cli.section import Section
from checkout.errors import Code, Refusal
from checkout.model.refunds import Refund, RefundState
from checkout.money import yuan
from checkout.refunds import calls


@click.group(cls=Section)
def refund() -> None:
    """Money that goes back to buyers."""


@refund.command("list")
@click.option("--state", type=click.Choice([state.value for state in RefundState]))
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
@click.pass_obj
def list_(desk: Desk, state: str | None, limit: int, as_json: bool) -> None:
    """List refunds, the newest first. To make one: checkout order refund."""
    with desk.store.read() as db:
        found = store.refunds.listed(db, state=state, limit=limit)
    rows = [
        (one.id, one.order_token, yuan(one.amount), one.state.value, when(one.created_at), one.error or one.reason)
        for one in found
    ]
    heads = ("ID", "ORDER", "AMOUNT", "STATE", "ASKED", "NOTE")
    show([shape(one) for one in found], as_json, lambda: table(heads, rows, "No refunds."))


def send_back(desk: Desk, gates: Channels, asked: Refund) -> Refund:
    """The refund after a few seconds of calling its gateway; a server that runs may be faster, and goes on."""
    return calls.call_until_done(desk.store, gates, asked.id, desk.settings.base_url, clock=desk.clock)


def told(one: Refund) -> None:
    """Says on stderr how a refund stands that is not done. Refused (NOT_ALLOWED): it failed."""
    if one.state is RefundState.FAILED:
        raise Refusal(Code.NOT_ALLOWED, f"The refund failed, no money went back: {one.error}")
    if one.state is RefundState.ASKED:
        last = f" So far: {one.error}" if one.error else ""
        warn(f"The refund is on its way; checkout serve goes on with it: checkout order show {one.order_token}.{last}")


def shape(one: Refund) -> dict[str, Any]:
    """The JSON of a refund."""
    return {
        "id": one.id, "order": one.order_token, "payment": one.payment or None, "number": one.number,
        "amount": yuan(one.amount), "reason": one.reason, "state": one.state.value, "channel": one.channel,
        "attempts": one.attempts, "error": one.error or None, "created_at": one.created_at, "done_at": one.done_at,
    }  # fmt: skip


def line(one: Refund) -> str:
    """A refund in one line of its order's details."""
    why = f" ({one.error})" if one.error else ""
    return f"{yuan(one.amount)} {one.id}, {one.reason}{why}"

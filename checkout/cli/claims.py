"""checkout claim: what buyers say when they have paid and nothing happened."""

from __future__ import annotations

from typing import Any

import click

from checkout import claims, store
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, next_steps, show, table, when
from checkout.cli.section import Section
from checkout.model.payments import Claim
from checkout.money import yuan


@click.group(cls=Section)
def claim() -> None:
    """Buyers who say that they have paid."""


@claim.command("list")
@as_json
@click.pass_obj
def list_(desk: Desk, as_json: bool) -> None:
    """List the claims that wait for you, the oldest first."""
    found = waiting(desk)
    show([shape(one) for one in found], as_json, lambda: text(found) or "No claims wait for you.")
    if found:
        next_steps(as_json, "checkout payment link PAYMENT ORDER, or checkout order confirm ORDER, or claim answer")


@claim.command()
@click.argument("claim", metavar="CLAIM")
@click.option("--reason", required=True, metavar="R", help="What you have found; it is kept in the audit log.")
@as_json
@click.pass_obj
def answer(desk: Desk, claim: str, reason: str, as_json: bool) -> None:
    """Take a claim off the list without booking anything."""
    done = claims.answer(desk.store, claim, reason=reason, **desk.by)
    show({**shape(done), "answered": True}, as_json, lambda: f"{done.id} is answered.")


def waiting(desk: Desk) -> list[Claim]:
    with desk.store.read() as db:
        return store.receipts.claims_waiting(db)


def text(found: list[Claim]) -> str:
    rows = [
        (one.id, yuan(one.amount), one.paid_around, one.last_digits, one.order_token, when(one.created_at), one.note)
        for one in found
    ]
    return table(("CLAIM", "AMOUNT", "PAID AROUND", "DIGITS", "ORDER", "CAME", "NOTE"), rows, "")


def shape(one: Claim) -> dict[str, Any]:
    """The JSON of a claim: a buyer's words, unproved."""
    return {
        "id": one.id, "order": one.order_token, "amount": yuan(one.amount), "paid_around": one.paid_around,
        "last_digits": one.last_digits, "note": one.note, "created_at": one.created_at,
    }  # fmt: skip

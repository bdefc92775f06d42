"""checkout alert: what the owner is told of, and where."""

from __future__ import annotations

import json
from typing import Any

import click

from checkout import store
from checkout.alerts import telling, texts
from checkout.alerts.telling import Plan
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, next_steps, show, table, when
from checkout.cli.section import Section
from checkout.errors import Code, Refusal
from checkout.model.owner import Alert


@click.group(cls=Section)
def alert() -> None:
    """What needs you, and where you are told of it."""


@alert.command("list")
@click.option("--all", "everything", is_flag=True, help="Also what is over.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
@click.pass_obj
def list_(desk: Desk, everything: bool, limit: int, as_json: bool) -> None:
    """List what is wrong now; a server looks every minute."""
    with desk.store.read() as db:
        found = store.alerts.recent(db, limit) if everything else store.alerts.open_ones(db)[:limit]
    plan = Plan.of(desk.settings)
    said = [texts.sentence(one, plan.language, plan.zone) for one in found]
    rows = [
        (one.kind, when(one.raised_at), when(one.told_at), when(one.cleared_at), text)
        for one, text in zip(found, said, strict=True)
    ]
    data = [_shape(one, text) for one, text in zip(found, said, strict=True)]
    show(data, as_json, lambda: table(("KIND", "SINCE", "TOLD", "OVER", "WHAT"), rows, "Nothing is wrong."))
    if not plan.urls:
        next_steps(as_json, 'set alerts in checkout.toml, such as alerts = ["ntfy://ntfy.sh/TOPIC"], to be told')


@alert.command()
@as_json
@click.pass_obj
def test(desk: Desk, as_json: bool) -> None:
    """Send a test to every address of the setting alerts, and say what became of it."""
    plan = Plan.of(desk.settings)
    if not plan.urls:
        raise Refusal(
            Code.BAD_REQUEST, 'Nobody is told yet: set alerts in checkout.toml, such as ["ntfy://ntfy.sh/TOPIC"].'
        )
    handed = telling.try_out(plan)
    data = [{"service": one.service, "taken": one.taken, "why": one.why or None} for one in handed]
    rows = [(number, one.service, "taken" if one.taken else one.why) for number, one in enumerate(handed, 1)]
    show(data, as_json, lambda: table(("", "SERVICE", "OUTCOME"), rows, ""))
    if not all(one.taken for one in handed):
        raise SystemExit(1)


@alert.command("hand-over", hidden=True)
def hand_over() -> None:
    """The process of its own that sends an alert; it reads what from its standard input."""
    from checkout.alerts import messenger

    try:
        messenger.child()
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(Code.BAD_REQUEST, "The server calls this by itself: checkout alert test sends a test.") from error


def _shape(one: Alert, sentence: str) -> dict[str, Any]:
    """The JSON of an alert."""
    return {
        "id": one.id, "kind": one.kind, "condition": one.condition, "level": one.level,
        "details": json.loads(one.details), "sentence": sentence, "raised_at": one.raised_at, "told_at": one.told_at,
        "cleared_at": one.cleared_at, "due_at": one.due_at, "attempts": one.attempts,
    }  # fmt: skip

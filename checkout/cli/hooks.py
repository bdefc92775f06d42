"""checkout webhook: where merchants' systems hear of events."""

from __future__ import annotations

from typing import Any

import click

from checkout import store
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, details, next_steps, show, table, warn, when
from checkout.cli.section import Section
from checkout.errors import Code, Refusal
from checkout.merchants import Reach
from checkout.model.deliveries import Endpoint
from checkout.outbox import deliveries, endpoints, events
from checkout.outbox.endpoints import Wish

_PAUSES = {"hand": "paused", "gone": "paused: it answered 410", "failing": "paused: it failed for days"}
_event = click.option(
    "--event",
    "wanted",
    metavar="E",
    multiple=True,
    help=f"Only this event; repeatable. There are {', '.join(events.TYPES)}; all: every one.",
)
_description = click.option("--description", metavar="T", help="What it is, for people.")


@click.group(cls=Section)
def webhook() -> None:
    """Addresses that are told of events, signed by Standard Webhooks."""


@webhook.command()
@click.argument("url")
@_event
@_description
@click.option("--merchant", type=int, metavar="ID", help="Whose events (default: the first merchant's).")
@as_json
@click.pass_obj
def add(
    desk: Desk, url: str, wanted: tuple[str, ...], description: str | None, merchant: int | None, as_json: bool
) -> None:
    """Add an endpoint; prints its secret, which its receiver checks messages with."""
    wish = Wish(url, _events(wanted), description)
    added = endpoints.add(desk.store, _merchant(desk, merchant), wish, Reach.of(desk.settings), **desk.by)
    _answer(desk, added, as_json, secret=True)
    if url.startswith("http://"):
        warn("Over plain http others on the way can read what is told; https is better.")
    next_steps(as_json, f"checkout webhook test {added.id}")


@webhook.command("list")
@as_json
@click.pass_obj
def list_(desk: Desk, as_json: bool) -> None:
    """List all endpoints; never their secrets."""
    with desk.store.read() as db:
        found = store.endpoints.all_of(db)
        waiting = {one.id: store.deliveries.open_of(db, one.id) for one in found}
    rows = [(one.id, one.merchant, one.events or "all", _state(one), waiting[one.id], one.url) for one in found]
    heads, empty = ("ID", "MERCHANT", "EVENTS", "STATE", "WAITING", "URL"), "No endpoints yet: checkout webhook add URL"
    show([_shape(one, waiting[one.id]) for one in found], as_json, lambda: table(heads, rows, empty))


@webhook.command("show")
@click.argument("endpoint", metavar="ID")
@click.option("--show-secret", is_flag=True, help="With its secret.")
@as_json
@click.pass_obj
def show_(desk: Desk, endpoint: str, show_secret: bool, as_json: bool) -> None:
    """Show an endpoint; its messages: checkout delivery list --endpoint ID."""
    _answer(desk, endpoints.existing(desk.store, endpoint), as_json, secret=show_secret)


@webhook.command("set")
@click.argument("endpoint", metavar="ID")
@click.option("--url", metavar="U", help="Another address; what waits goes there.")
@_event
@_description
@as_json
@click.pass_obj
def set_(
    desk: Desk, endpoint: str, url: str | None, wanted: tuple[str, ...], description: str | None, as_json: bool
) -> None:
    """Change an endpoint; what is not named stays as it is."""
    wish = Wish(url, _events(wanted), description)
    _answer(desk, endpoints.change(desk.store, endpoint, wish, Reach.of(desk.settings), **desk.by), as_json)


@webhook.command()
@click.argument("endpoint", metavar="ID")
@as_json
@click.pass_obj
def rotate(desk: Desk, endpoint: str, as_json: bool) -> None:
    """Make a new secret and print it; for a day messages are signed with the old one too."""
    by = desk.by
    if len(endpoints.existing(desk.store, endpoint).secrets(by["now"])) > 1:
        warn("The secret was rotated less than a day ago; the one before that is void now.")
    _answer(desk, endpoints.rotate(desk.store, endpoint, **by), as_json, secret=True)


@webhook.command()
@click.argument("endpoint", metavar="ID")
@as_json
@click.pass_obj
def pause(desk: Desk, endpoint: str, as_json: bool) -> None:
    """Send nothing there; what happens meanwhile waits, for thirty days."""
    _answer(desk, endpoints.pause(desk.store, endpoint, **desk.by), as_json)


@webhook.command()
@click.argument("endpoint", metavar="ID")
@click.option("--skip", is_flag=True, help="Drop what waited instead of sending it.")
@as_json
@click.pass_obj
def resume(desk: Desk, endpoint: str, skip: bool, as_json: bool) -> None:
    """Send there again, first what waited; a running server begins within a second."""
    one, waited = endpoints.resume(desk.store, endpoint, skip=skip, **desk.by)
    told = f"{one.id} is in use; {'dropped' if skip else 'to send now'}: {waited}."
    show(_shape(one, 0 if skip else waited) | {"waited": waited}, as_json, lambda: told)


@webhook.command()
@click.argument("endpoint", metavar="ID")
@as_json
@click.pass_obj
def test(desk: Desk, endpoint: str, as_json: bool) -> None:
    """Send a checkout.test event now and show the answer; later tries are a server's."""
    from checkout.app import wire

    by = desk.by
    queued = endpoints.test(desk.store, endpoint, new_id=by["new_id"], now=by["now"])
    claimed = deliveries.claim(desk.store, queued, by["now"])
    if claimed is not None:
        parts, _ = wire(desk.settings, clock=desk.clock)
        deliveries.deliver(desk.store, parts.dialects, parts.send, claimed, desk.clock)
        parts.store.close()
    with desk.store.read() as db:
        tries = store.deliveries.tries(db, queued.id)
    if claimed is None or not tries:
        raise Refusal(Code.CONFLICT, f"A server is sending it already: checkout delivery show {queued.id}.")
    (first,) = tries
    is_good = first.status is not None and 200 <= first.status < 300
    data = {"delivery": queued.id, "acknowledged": is_good, "status": first.status, "elapsed_ms": first.elapsed_ms,
            "answer": first.answer, "error": first.error}  # fmt: skip
    if not is_good:
        why = first.error or f"it answered {first.status}, and only 200 to 299 acknowledge"
        _shown_or_refused(data, as_json, f"The endpoint did not take the event: {why.rstrip('.')}.")
    else:
        show(data, as_json, lambda: f"Acknowledged with {first.status} after {first.elapsed_ms} ms.")


@webhook.command()
@click.argument("endpoint", metavar="ID")
@as_json
@click.pass_obj
def remove(desk: Desk, endpoint: str, as_json: bool) -> None:
    """Forget an endpoint and its secret; what it did not get yet is dropped."""
    dropped = endpoints.remove(desk.store, endpoint, **desk.by)
    data = {"id": endpoint, "removed": True, "dropped": dropped}
    show(data, as_json, lambda: f"{endpoint} is removed; messages that it did not get: {dropped}.")


def _shown_or_refused(data: dict[str, Any], as_json: bool, sentence: str) -> None:
    if not as_json:
        raise Refusal(Code.NOT_ALLOWED, sentence)
    show(data, as_json, str)
    raise SystemExit(1)


def _events(wanted: tuple[str, ...]) -> tuple[str, ...] | None:
    if not wanted:
        return None
    return events.TYPES if "all" in wanted else wanted


def _merchant(desk: Desk, wanted: int | None) -> int:
    if wanted is not None:
        return wanted
    with desk.store.read() as db:
        first = store.merchants.default_id(db)
    if first is None:
        raise Refusal(Code.NOT_FOUND, "There is no merchant yet: checkout merchant add NAME.")
    return first


def _state(one: Endpoint) -> str:
    if one.paused_at is not None:
        return _PAUSES[one.pause]
    return "failing" if one.failing_since is not None else "in use"


def _shape(one: Endpoint, waiting: int) -> dict[str, Any]:
    """The JSON of an endpoint, without its secret."""
    return {
        "id": one.id, "merchant": one.merchant, "url": one.url, "events": one.events.split() or list(events.TYPES),
        "description": one.description, "paused": one.pause or None, "paused_at": one.paused_at,
        "failing_since": one.failing_since, "waiting": waiting, "created_at": one.created_at,
    }  # fmt: skip


def _answer(desk: Desk, one: Endpoint, as_json: bool, *, secret: bool = False) -> None:
    with desk.store.read() as db:
        waiting = store.deliveries.open_of(db, one.id)
    old = one.previous_secret if len(one.secrets(desk.clock())) > 1 else ""
    pairs = [
        ("id", one.id), ("url", one.url), ("merchant", one.merchant), ("events", one.events or "all"),
        ("about", one.description), ("state", _state(one)), ("failing since", when(one.failing_since)),
        ("waiting", waiting or None), ("secret", one.secret if secret else ""),
        ("old secret, until", when(one.previous_secret_until) if old else ""),
    ]  # fmt: skip
    data = _shape(one, waiting) | ({"secret": one.secret, "previous_secret": old or None} if secret else {})
    show(data, as_json, lambda: details(pairs))

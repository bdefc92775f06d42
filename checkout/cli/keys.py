"""checkout key: what merchants' servers prove themselves with to the native API."""

from __future__ import annotations

from typing import Any

import click

from checkout import api_keys, merchants, store
from checkout.api_keys import USUAL, Scope
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, details, next_steps, show, table, warn, when
from checkout.cli.section import Section
from checkout.model.merchants import ApiKey


@click.group(cls=Section)
def key() -> None:
    """Keys of the native API."""


@key.command()
@click.argument("merchant", type=int, metavar="MERCHANT")
@click.option("--name", default="", metavar="N", help="What uses it, to tell it from others.")
@click.option(
    "--scope", "scopes", type=click.Choice([scope.value for scope in Scope]), multiple=True,
    help=f"What it may do; repeatable. Default: {', '.join(USUAL)}.",
)  # fmt: skip
@as_json
@click.pass_obj
def add(desk: Desk, merchant: int, name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make a key; it is printed this once and cannot be shown again."""
    wanted = [Scope(scope) for scope in scopes] or USUAL
    made = api_keys.add(desk.store, merchant, name, wanted, **desk.by)
    shape = {**_shape(made.key), "key": made.secret}
    show(shape, as_json, lambda: details([("id", made.key.id), ("key", made.secret), ("scopes", made.key.scopes)]))
    if not as_json:
        warn("Keep the key now, where only your server can read it: it is not stored here.")
    next_steps(as_json, f"curl -H 'Authorization: Bearer {made.key.shown}' {desk.settings.base_url}/api/v1/orders")


@key.command("list")
@click.argument("merchant", type=int, metavar="[MERCHANT]", required=False)
@as_json
@click.pass_obj
def list_(desk: Desk, merchant: int | None, as_json: bool) -> None:
    """List the keys, of one merchant or of all, also those that were revoked."""
    if merchant is not None:
        merchants.existing(desk.store, merchant)
    with desk.store.read() as db:
        found = store.api_keys.all_of(db, merchant)
    show([_shape(one) for one in found], as_json, lambda: _text(found))


@key.command()
@click.argument("key_id", metavar="ID")
@as_json
@click.pass_obj
def revoke(desk: Desk, key_id: str, as_json: bool) -> None:
    """End a key; what uses it is refused from now on."""
    revoked = api_keys.revoke(desk.store, key_id, **desk.by)
    show(_shape(revoked), as_json, lambda: f"{revoked.id} ({revoked.shown}) is revoked.")


def _text(found: list[ApiKey]) -> str:
    heads = ("ID", "MERCHANT", "KEY", "NAME", "SCOPES", "USED", "REVOKED")
    rows = [
        (one.id, one.merchant, one.shown, one.name, one.scopes, when(one.used_at) or "never", when(one.revoked_at))
        for one in found
    ]
    return table(heads, rows, "No keys: checkout key add MERCHANT.")


def _shape(one: ApiKey) -> dict[str, Any]:
    """The JSON of a key, without the key itself."""
    return {
        "id": one.id, "merchant": one.merchant, "shown": one.shown, "name": one.name, "scopes": one.scopes.split(" "),
        "created_at": one.created_at, "used_at": one.used_at, "revoked_at": one.revoked_at,
    }  # fmt: skip

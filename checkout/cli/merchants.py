"""checkout merchant: who asks to be paid."""

from __future__ import annotations

from typing import Any, BinaryIO

import click

from checkout import merchant_keys, merchants, store
from checkout.cli import road
from checkout.cli.desk import Desk
from checkout.cli.options import options
from checkout.cli.output import as_json, details, next_steps, show, table, warn, when, yes
from checkout.cli.section import Section
from checkout.merchants import Reach, Wish
from checkout.model.merchants import Merchant, Mode

_OPTIONS = (
    click.option("--notify-url", metavar="URL", help="Where payments are reported to."),
    click.option("--return-url", metavar="URL", help="Where buyers go after they have paid."),
    click.option("--mode", type=click.Choice([mode.value for mode in Mode]),
                 help="strict (default): no old signature passes through a buyer;"
                 " compat: as V免签 and GOGO支付 do it."),
    click.option("--guard-param/--no-guard-param", default=None,
                 help="Refuse a param that ends in digits (and points) from a 1 or 2 on:"
                 " a cheaper order could be cut from it."),
    click.option("--reuse/--no-reuse", default=None,
                 help="Whether the same number again gives the same waiting order (default: yes)."),
    click.option("--allow-host", "add_hosts", metavar="H", multiple=True,
                 help="A further host for notify and return URLs; repeatable."),
)  # fmt: skip


@click.group(cls=Section)
def merchant() -> None:
    """Shops that create orders: number, key, addresses."""


@merchant.command()
@click.argument("name")
@options(_OPTIONS)
@as_json
@click.pass_obj
def add(desk: Desk, /, as_json: bool, mode: str | None, **wanted: Any) -> None:
    """Add a merchant; prints its number and its key.

    \b
    checkout merchant add "My shop" --notify-url https://shop.example.com/notify
    """
    wish = Wish(mode=Mode(mode) if mode else None, **wanted)
    added = merchants.add(desk.store, wish, Reach.of(desk.settings), **desk.by)
    _answer(added, as_json)
    next_steps(as_json, road.next_step(desk.store))


@merchant.command("set")
@click.argument("number", type=int, metavar="ID")
@click.option("--name", metavar="N")
@options(_OPTIONS)
@click.option("--remove-host", "remove_hosts", metavar="H", multiple=True, help="Take a host off the list; repeatable.")
@click.option("--enable/--disable", "enabled", default=None, help="A disabled merchant can create no orders.")
@as_json
@click.pass_obj
def set_(desk: Desk, /, number: int, as_json: bool, mode: str | None, **wanted: Any) -> None:
    """Change a merchant; what is not named stays, "" removes an address."""
    wish = Wish(mode=Mode(mode) if mode else None, **wanted)
    _answer(merchants.change(desk.store, number, wish, Reach.of(desk.settings), **desk.by), as_json)


@merchant.command("rotate-key")
@click.argument("number", type=int, metavar="ID")
@as_json
@click.pass_obj
def rotate_key(desk: Desk, number: int, as_json: bool) -> None:
    """Make a new key; the old one stays valid for a day."""
    by = desk.by
    before = merchants.existing(desk.store, number)
    if len(before.keys(by["now"])) > 1:
        warn("The key was rotated less than a day ago; the one before that is void now.")
    _answer(merchants.rotate_key(desk.store, number, **by), as_json)


@merchant.command("show")
@click.argument("number", type=int, metavar="ID")
@as_json
@click.pass_obj
def show_(desk: Desk, number: int, as_json: bool) -> None:
    """Show a merchant with its key."""
    _answer(merchants.existing(desk.store, number), as_json)


@merchant.command("list")
@as_json
@click.pass_obj
def list_(desk: Desk, as_json: bool) -> None:
    """List all merchants; keys only with --json."""
    with desk.store.read() as db:
        found = store.merchants.all_of(db)
    rows = [
        (one.id, one.name, one.mode.value, one.notify_url, "disabled" if one.disabled_at is not None else "")
        for one in found
    ]
    heads = ("ID", "NAME", "MODE", "NOTIFY URL", "")
    show(
        [shape(one) for one in found],
        as_json,
        lambda: table(heads, rows, "No merchants yet: checkout merchant add NAME"),
    )


@merchant.command()
@click.argument("number", type=int, metavar="ID")
@click.option(
    "--merchant-public-key",
    "public_key",
    metavar="FILE",
    type=click.File("rb"),
    help="The shop's own public key (PEM or base64); without it a pair is made for the shop.",
)
@click.option("--renew", is_flag=True, help="Make new keys in place of those that are kept.")
@as_json
@click.pass_obj
def rsa(desk: Desk, number: int, public_key: BinaryIO | None, renew: bool, as_json: bool) -> None:
    """Set up the RSA keys for the second version of epay, and show what to enter in the shop."""
    text = public_key.read().decode("utf-8-sig", "replace") if public_key else None
    keys = merchant_keys.set_up(desk.store, number, public_key=text, renew=renew, **desk.by)
    pairs = [
        ("pid", keys.merchant),
        ("platform public key", keys.platform_public),
        ("merchant private key", keys.merchant_private),
        ("merchant public key", keys.merchant_public),
    ]
    names = ("id", "platform_public_key", "merchant_private_key", "merchant_public_key")
    data = {name: value or None for name, (_, value) in zip(names, pairs, strict=True)}
    show(data, as_json, lambda: details(pairs))
    if keys.merchant_private:
        warn("The merchant's private key is shown this once and kept nowhere; enter it in the shop now.")


def shape(one: Merchant) -> dict[str, Any]:
    """The JSON of a merchant."""
    return {
        "id": one.id, "name": one.name, "key": one.key, "notify_url": one.notify_url,
        "return_url": one.return_url, "mode": one.mode.value, "guard_param": one.guard_param,
        "reuse": one.reuse, "allow_hosts": list(one.allow_hosts),
        "previous_key_until": one.previous_key_until or None, "disabled_at": one.disabled_at,
        "created_at": one.created_at,
    }  # fmt: skip


def _answer(one: Merchant, as_json: bool) -> None:
    show(shape(one), as_json, lambda: _told(one))
    for sentence, command in merchants.warnings(one):
        warn(f"{sentence} ({command})")


def _told(one: Merchant) -> str:
    pairs = [
        ("id", f"{one.id} (GOGO: APPID, epay: pid, BufPay: aid)"),
        ("name", one.name),
        ("key", one.key),
        ("old key until", when(one.previous_key_until or None)),
        ("notify URL", one.notify_url),
        ("return URL", one.return_url),
        ("mode", one.mode.value),
        ("guard param", yes(one.guard_param)),
        ("reuse", yes(one.reuse)),
        ("allowed hosts", ", ".join(one.allow_hosts)),
        ("disabled", when(one.disabled_at)),
    ]
    return details(pairs)

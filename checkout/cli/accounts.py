"""checkout account and checkout code: the wallets that receive the money, and their QR codes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from checkout import money, receiving, store
from checkout.cli import road
from checkout.cli.desk import Desk
from checkout.cli.options import options
from checkout.cli.output import as_json, details, next_steps, show, table, warn, when
from checkout.cli.section import Section
from checkout.errors import Code, Refusal
from checkout.model.accounts import PERSONAL, Account, FixedCode, Method
from checkout.money import yuan
from checkout.receiving import Wish

_MAX_PICTURE = 20 * 1024 * 1024
_PICTURE = re.compile(r".+\.(?:png|jpe?g|webp|gif|bmp)", re.IGNORECASE)

_OPTIONS = (
    click.option("--code", metavar="TEXT-or-IMAGE",
                 help="What the QR code says, or a picture of it (PNG, JPEG, WebP)."),
    click.option("--channel", metavar="C", help="personal (default), or a section of checkout.toml."),
    click.option("--offset", type=click.Choice(["up", "down", "nearest"]),
                 help="Where other amounts than the price lie (default: up)."),
    click.option("--max-offset", metavar="1.00", help="How far they may lie from it, in yuan (default: 1.00)."),
    click.option("--offline", type=click.Choice(["block", "warn", "sell"]),
                 help="What to do while no phone watches (default: warn)."),
    click.option("--weight", type=int, metavar="N", help="How often it is chosen beside others (default: 1)."),
    click.option("--daily-cap", metavar="5000.00",
                 help="The most it takes in a day (Beijing time), in yuan; 0: no cap."),
)  # fmt: skip


@click.group(cls=Section)
def account() -> None:
    """Wallets that receive the money."""


@account.command()
@click.argument("name")
@click.option("--method", type=click.Choice([method.value for method in Method]), required=True)
@options(_OPTIONS)
@as_json
@click.pass_obj
def add(desk: Desk, /, name: str, method: str, as_json: bool, **wanted: Any) -> None:
    """Add an account under a short NAME such as wx-main.

    \b
    checkout account add wx-main --method wechat --code wechat.png
    """
    wish = _wish(**wanted)
    doubts = _doubts(desk, name, Method(method), wish.code)
    added = receiving.add(desk.store, name, Method(method), wish, _channels(desk, Method(method)), **desk.by)
    _answer(added, as_json, doubts)
    if added.channel == PERSONAL:
        next_steps(as_json, road.next_step(desk.store))


@account.command("set")
@click.argument("name")
@options(_OPTIONS)
@as_json
@click.pass_obj
def set_(desk: Desk, /, name: str, as_json: bool, **wanted: Any) -> None:
    """Change an account; what is not named stays as it is."""
    wish = _wish(**wanted)
    method = receiving.existing(desk.store, name).method
    doubts = _doubts(desk, name, method, wish.code)
    _answer(receiving.change(desk.store, name, wish, _channels(desk, method), **desk.by), as_json, doubts)


@account.command()
@click.argument("name")
@as_json
@click.pass_obj
def disable(desk: Desk, name: str, as_json: bool) -> None:
    """Take no new orders on it; money for earlier ones still counts."""
    channels = _channels(desk, receiving.existing(desk.store, name).method)
    _answer(receiving.change(desk.store, name, Wish(enabled=False), channels, **desk.by), as_json)


@account.command()
@click.argument("name")
@as_json
@click.pass_obj
def enable(desk: Desk, name: str, as_json: bool) -> None:
    """Take orders on it again."""
    channels = _channels(desk, receiving.existing(desk.store, name).method)
    _answer(receiving.change(desk.store, name, Wish(enabled=True), channels, **desk.by), as_json)


@account.command("list")
@as_json
@click.pass_obj
def list_(desk: Desk, as_json: bool) -> None:
    """List all accounts."""
    with desk.store.read() as db:
        found = store.accounts.all_of(db)
    rows = [
        (one.id, one.method.value, one.channel, one.offline, f"{one.offset} {yuan(one.max_offset)}",
         "disabled" if one.disabled_at is not None else "")
        for one in found
    ]  # fmt: skip
    heads, empty = (
        ("NAME", "METHOD", "CHANNEL", "OFFLINE", "OFFSET", ""),
        "No accounts yet: checkout account add NAME …",
    )
    show([shape(one) for one in found], as_json, lambda: table(heads, rows, empty))


@click.group(cls=Section)
def code() -> None:
    """QR codes that carry their amount."""


@code.command("add")
@click.argument("account")
@click.option("--price", required=True, metavar="9.90")
@click.option(
    "--code",
    "text",
    required=True,
    metavar="TEXT-or-IMAGE",
    help="What the QR code says, or a picture of it.",
)
@as_json
@click.pass_obj
def add_code(desk: Desk, account: str, price: str, text: str, as_json: bool) -> None:
    """Add the code for one amount; it is used only for orders of exactly that amount."""
    found = receiving.add_code(desk.store, account, money.fen(price), _content(text), **desk.by)
    show(code_shape(found), as_json, lambda: f"{account} has a code for {yuan(found.price)}: {found.code}")


@code.command("list")
@click.argument("account", required=False)
@as_json
@click.pass_obj
def list_codes(desk: Desk, account: str | None, as_json: bool) -> None:
    """List the codes of one account, or of all."""
    with desk.store.read() as db:
        names = [one.id for one in store.accounts.all_of(db)] if account is None else [account]
        found = [fixed for name in names for fixed in store.accounts.codes(db, name)]
    rows = [(one.account, yuan(one.price), one.code) for one in found]
    empty = "No codes with an amount: checkout code add ACCOUNT --price 9.90 --code …"
    show([code_shape(one) for one in found], as_json, lambda: table(("ACCOUNT", "PRICE", "CODE"), rows, empty))


@code.command("remove")
@click.argument("account")
@click.option("--price", required=True, metavar="9.90")
@as_json
@click.pass_obj
def remove_code(desk: Desk, account: str, price: str, as_json: bool) -> None:
    """Remove the code for one amount."""
    amount = money.fen(price)
    receiving.remove_code(desk.store, account, amount, **desk.by)
    data = {"account": account, "price": yuan(amount), "removed": True}
    show(data, as_json, lambda: f"The code for {yuan(amount)} is removed.")


def shape(one: Account) -> dict[str, Any]:
    """The JSON of an account."""
    return {
        "id": one.id, "method": one.method.value, "channel": one.channel, "code": one.code,
        "offset": one.offset, "max_offset": yuan(one.max_offset), "offline": one.offline,
        "weight": one.weight, "daily_cap": None if one.daily_cap is None else yuan(one.daily_cap),
        "disabled_at": one.disabled_at, "created_at": one.created_at,
    }  # fmt: skip


def code_shape(one: FixedCode) -> dict[str, Any]:
    return {"account": one.account, "price": yuan(one.price), "code": one.code, "created_at": one.created_at}


def _answer(one: Account, as_json: bool, doubts: list[str] | None = None) -> None:
    pairs = [
        ("name", one.id),
        ("method", one.method.value),
        ("channel", one.channel),
        ("code", one.code),
        ("offset", f"{one.offset}, at most {yuan(one.max_offset)}"),
        ("offline", one.offline),
        ("weight", one.weight),
        ("daily cap", None if one.daily_cap is None else yuan(one.daily_cap)),
        ("disabled", when(one.disabled_at)),
    ]
    show(shape(one), as_json, lambda: details(pairs))
    for sentence in doubts or []:
        warn(sentence)


def _wish(*, code: str | None, max_offset: str | None, daily_cap: str | None, **rest: Any) -> Wish:
    return Wish(
        code=None if code is None else _content(code),
        max_offset=None if max_offset is None else receiving.offset_fen(max_offset),
        daily_cap=None if daily_cap is None else receiving.offset_fen(daily_cap),
        **rest,
    )


def _content(text: str) -> str:
    """The text itself, or what the QR code in a picture file says."""
    path = Path(text)
    if "://" in text or not _is_file(path):
        if "://" not in text and _PICTURE.fullmatch(text):
            raise Refusal(Code.BAD_REQUEST, f"There is no picture {text}.")
        return text.strip()
    from checkout import qr

    try:
        if path.stat().st_size > _MAX_PICTURE:
            raise Refusal(Code.BAD_REQUEST, f"The picture {text} is too large: at most 20 MB.")
        picture = path.read_bytes()
    except OSError as error:
        raise Refusal(Code.BAD_REQUEST, f"The picture {text} cannot be read: {error.strerror}.") from error
    return qr.read(picture)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text that is no path at all
        return False


def _doubts(desk: Desk, name: str, method: Method, code: str | None) -> list[str]:
    if not code:
        return []
    with desk.store.read() as db:
        same = [one.id for one in store.accounts.all_of(db) if one.code == code and one.id != name]
    twice = f"The account {', '.join(same)} has the same code; one wallet should be one account." if same else ""
    return [*receiving.doubts(method, code), *([twice] if twice else [])]


def _channels(desk: Desk, method: Method) -> frozenset[str]:
    """The sections of checkout.toml whose gateways are of the method."""
    sections = desk.settings.channels.items()
    return frozenset(name for name, table in sections if str(table.get("kind", "")).startswith(method))

"""checkout device: the phones that report money."""

from __future__ import annotations

from typing import Any

import click

from checkout import devices
from checkout.cli import readings, road
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, details, next_steps, show, table, warn, when
from checkout.cli.section import Section
from checkout.devices import Watching
from checkout.monitors import pairing

_LOOPBACK = ("://127.", "://localhost", "://[::1]")


@click.group(cls=Section)
def device() -> None:
    """Phones that report money."""


@device.command()
@click.argument("name")
@click.option(
    "--kind", type=click.Choice(devices.KINDS), default="vmq", show_default=True, help="The app on the phone."
)
@click.option(
    "--account", "accounts", metavar="A", multiple=True,
    help="An account that it watches; repeatable. Without it: all that have no device yet.",
)  # fmt: skip
@click.option("--signed", is_flag=True, help="For --kind generic: refuse what is not signed with its secret.")
@as_json
@click.pass_obj
def add(desk: Desk, name: str, kind: str, accounts: tuple[str, ...], signed: bool, as_json: bool) -> None:
    """Add a phone; prints what to scan with it or type into it."""
    added = devices.add(desk.store, name, kind, accounts, signed=signed, **desk.by)
    _pair(desk, added, as_json)
    if not added.accounts:
        warn("It watches no account: checkout account add, then checkout device add NAME --account A.")
    next_steps(as_json, "checkout serve, then checkout device list to see the phone online", road.next_step(desk.store))


@device.command("list")
@as_json
@click.pass_obj
def list_(desk: Desk, as_json: bool) -> None:
    """List all devices; keys only with --json."""
    now, found = desk.clock(), devices.all_of(desk.store)
    rows = [
        (one.device.name, one.device.kind, _state(desk, one, now), when(one.device.beat_at),
         when(one.device.push_at), ", ".join(one.accounts), one.device.id)
        for one in found
    ]  # fmt: skip
    heads = ("NAME", "KIND", "STATE", "LAST BEAT", "LAST MONEY", "WATCHES", "ID")
    empty = "No devices yet: checkout device add NAME"
    show([shape(desk, one, now) for one in found], as_json, lambda: table(heads, rows, empty))


@device.command("show")
@click.argument("name")
@click.option("--qr", "with_qr", is_flag=True, help="Draw what is to be entered, to copy it with the phone's camera.")
@as_json
@click.pass_obj
def show_(desk: Desk, name: str, with_qr: bool, as_json: bool) -> None:
    """Show again what to scan with a device or type into it."""
    _pair(desk, devices.find(desk.store, name), as_json, with_qr)


@device.command()
@click.argument("name")
@as_json
@click.pass_obj
def revoke(desk: Desk, name: str, as_json: bool) -> None:
    """Void a device's key; NAME may be its id."""
    by = desk.by
    revoked = devices.revoke(desk.store, name, **by)
    data = shape(desk, revoked, by["now"])
    show(data, as_json, lambda: f"{revoked.device.name} is revoked: what it sends from now on is refused.")


@device.command("rotate-key")
@click.argument("name")
@as_json
@click.pass_obj
def rotate_key(desk: Desk, name: str, as_json: bool) -> None:
    """Make a new key; the old one stays valid for a day."""
    _pair(desk, devices.rotate_key(desk.store, name, **desk.by), as_json)


@device.command()
@click.argument("name")
@click.argument("accounts", nargs=-1, required=True, metavar="ACCOUNT...")
@as_json
@click.pass_obj
def watch(desk: Desk, name: str, accounts: tuple[str, ...], as_json: bool) -> None:
    """Let a device report the money of further accounts too."""
    by = desk.by
    one = devices.watch(desk.store, name, accounts, **by)
    show(shape(desk, one, by["now"]), as_json, lambda: f"{one.device.name} watches {', '.join(one.accounts)}.")


@device.command()
@click.argument("name")
@click.argument("account")
@as_json
@click.pass_obj
def unwatch(desk: Desk, name: str, account: str, as_json: bool) -> None:
    """Let a device report the money of an account no longer."""
    by = desk.by
    one = devices.unwatch(desk.store, name, account, **by)
    watched = ", ".join(one.accounts) or "nothing"
    show(shape(desk, one, by["now"]), as_json, lambda: f"{one.device.name} watches {watched}.")


def shape(desk: Desk, one: Watching, now: int) -> dict[str, Any]:
    """The JSON of a device."""
    found = one.device
    return {
        "id": found.id, "name": found.name, "kind": found.kind, "key": found.key, "token": found.token,
        "signed": found.signed or found.kind != "generic", "pairing": pairing.text(desk.settings.base_url, found),
        "entries": pairing.entries(desk.settings.base_url, found), "accounts": list(one.accounts),
        "state": _state(desk, one, now), "beat_at": found.beat_at, "push_at": found.push_at,
        "revoked_at": found.revoked_at, "created_at": found.created_at,
    }  # fmt: skip


def _state(desk: Desk, one: Watching, now: int) -> str:
    return devices.state(one.device, desk.preferred.device_offline_after, now)


def _pair(desk: Desk, one: Watching, as_json: bool, with_qr: bool = False) -> None:
    show(shape(desk, one, desk.clock()), as_json, lambda: _told(desk, one, with_qr))
    base_url = desk.settings.base_url
    if any(form in base_url for form in _LOOPBACK):
        warn(
            f"A phone cannot reach {base_url}: set CHECKOUT_BASE_URL to this server's address,"
            " then show the device again."
        )


def _told(desk: Desk, one: Watching, with_qr: bool) -> str:
    text, is_scanned = pairing.text(desk.settings.base_url, one.device), one.device.kind in pairing.SCANNED
    pairs = [
        ("id", one.device.id),
        ("name", one.device.name),
        ("kind", one.device.kind),
        ("watches", ", ".join(one.accounts)),
        ("old key until", when(one.device.previous_key_until or None)),
        ("pairing", text if is_scanned else ""),
    ]
    return f"{details(pairs)}\n\n{_drawn(text) if is_scanned else _to_enter(desk, one, with_qr)}"


def _to_enter(desk: Desk, one: Watching, with_qr: bool) -> str:
    """Each entry on lines of its own, so that it can be copied as it is."""
    labels, entries = _LABELS[one.device.kind], pairing.entries(desk.settings.base_url, one.device)
    return "\n\n".join(
        f"{labels[name]}:\n{value}" + (f"\n{_drawn(value)}" if with_qr else "") for name, value in entries.items()
    )


def _drawn(text: str) -> str:
    from checkout import qr

    return qr.terminal(text)


_LABELS = {
    "smsforwarder": {
        "url": "Webhook Server (POST)",
        "template": "消息模板 (message template), one line",
        "secret": "Secret",
        "keyword": "Word in a good answer, where your version asks for one",
    },
    "generic": {
        "url": "Address (POST)",
        "secret": "Secret",
        "try": "To try the way, without money",
        "curl": "From a shell, for money that came",
        "tasker": "Tasker with AutoNotification: query parameters of an HTTP request",
        "macrodroid": "MacroDroid: form data of an HTTP request",
        "shortcuts": "iOS Shortcuts: JSON of Get Contents of URL",
        "beat": "Every minute or two, so that the phone counts as online",
    },
}


device.add_command(readings.test)
device.add_command(readings.rules)

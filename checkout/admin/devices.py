"""Phones: pairing them by a QR code, seeing how reliably they are awake, testing them, and voiding their keys."""

from __future__ import annotations

from flask import Blueprint, Response

from checkout import devices, presence, store
from checkout.admin import forms, layout, pictures, session, tables
from checkout.admin import presence as drawing
from checkout.admin.forms import Form
from checkout.admin.nav import Page
from checkout.devices import Watching
from checkout.errors import Code
from checkout.interfaces import Rows
from checkout.model.accounts import PERSONAL
from checkout.model.devices import Device
from checkout.monitors import pairing
from checkout.pages.language import N_
from checkout.pages.language import translated as _
from checkout.strangers import Seen
from checkout.web import parts

PAGE = Page("devices", N_("Phones"), "M8 2h8a2 2 0 012 2v16a2 2 0 01-2 2H8a2 2 0 01-2-2V4a2 2 0 012-2zM11 18h2", 54)
_LOOPBACK = ("://127.", "://localhost", "://[::1]")
_NAMED = {Code.BAD_REQUEST: "name", Code.DUPLICATE: "name"}


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/devices", "devices", view)
    blueprint.add_url_rule("/devices", "devices_add", add, methods=["POST"])
    blueprint.add_url_rule("/devices/<device>", "device", one)
    for place, action in (
        ("pairing", pair), ("rotation", rotate), ("revocation", revoke), ("accounts", watch),
        ("accounts/removal", unwatch),
    ):  # fmt: skip
        endpoint = f"device_{place.replace('/', '_')}"
        blueprint.add_url_rule(f"/devices/<device>/{place}", endpoint, action, methods=["POST"])


def view() -> Response:
    return _list(Form())


def add() -> Response:
    """Answers with what to scan: it holds the key, so only somebody who has just typed the password sees it."""
    form = forms.read("name", "kind", "accounts", "signed", "password")
    with form.catching(_NAMED):
        session.prove(form)
        added = devices.add(
            parts().store, form["name"], form["kind"], form.all("accounts"), signed=form["signed"] == "1",
            **session.by(),
        )  # fmt: skip
        return _page(added, Form(), shows=True)
    return _list(form)


def one(device: str) -> Response:
    return _page(devices.find(parts().store, device), Form())


def pair(device: str) -> Response:
    """Shows once more what to scan or to enter."""
    found, form = devices.find(parts().store, device), forms.read("password")
    with form.catching():
        session.prove(form)
        return _page(found, Form(), shows=True)
    return _page(found, form, "pairing")


def rotate(device: str) -> Response:
    """A new key; the one before stays valid for a day."""
    found, form = devices.find(parts().store, device), forms.read("password")
    with form.catching():
        session.prove(form)
        return _page(devices.rotate_key(parts().store, device, **session.by()), Form(), shows=True)
    return _page(found, form, "pairing")


def revoke(device: str) -> Response:
    found, form = devices.find(parts().store, device), forms.read("password")
    with form.catching():
        session.prove(form)
        devices.revoke(parts().store, device, **session.by())
        return layout.done(layout.path("devices"), _("The phone is revoked: what it sends counts no more."))
    return _page(found, form, "revocation")


def watch(device: str) -> Response:
    found, form = devices.find(parts().store, device), forms.read("accounts", "password")
    with form.catching():
        session.prove(form)
        devices.watch(parts().store, device, form.all("accounts"), **session.by())
        return layout.done(layout.path("devices", device), _("Saved."))
    return _page(found, form, "accounts")


def unwatch(device: str) -> Response:
    """Money of that account is noticed no longer, unless another phone watches it."""
    found, form = devices.find(parts().store, device), forms.read("account", "password")
    with form.catching():
        session.prove(form)
        devices.unwatch(parts().store, device, form["account"], **session.by())
        return layout.done(layout.path("devices", device), _("Saved."))
    return _page(found, form, "removal")


def _list(form: Form) -> Response:
    found = devices.all_of(parts().store)
    with parts().store.read() as db:
        accounts, unwatched = _accounts(db), store.devices.unwatched_accounts(db)
        seen = Seen.by(db, parts().clock())
        working = [(one, _state(one), _presence(db, one.device)) for one in found if one.device.revoked_at is None]
    return layout.page(
        "admin/devices.html", PAGE, form=form, accounts=accounts, unwatched=unwatched,
        working=working, day=drawing.day, percent=tables.percent, month=presence.WINDOWS["30 d"],
        strangers=[call for kind in devices.KINDS if (call := seen.lately(kind))],
        revoked=[one for one in found if one.device.revoked_at is not None],
    )  # fmt: skip


def _page(found: Watching, form: Form, doing: str = "", *, shows: bool = False) -> Response:
    device, base = found.device, parts().settings.base_url
    text = pairing.text(base, device) if shows else ""
    with parts().store.read() as db:
        others = [account for account in _accounts(db) if account not in found.accounts]
        state, seen = _state(found), Seen.by(db, parts().clock())
        there, last = _presence(db, device), store.payments.of_device_at(db, device.id, device.push_at or 0)
    return layout.page(
        "admin/device.html", PAGE, form=form, blank=Form(), doing=doing, device=device, watched=found.accounts,
        others=others, there=there, day=drawing.day(there), uptimes=drawing.uptimes(there), last=last,
        percent=tables.percent, duration=tables.lasting,
        state=state, shows=shows, stranger=seen.instead_of(device) if state == "online" else seen.perhaps(device),
        is_scanned=device.kind in pairing.SCANNED, text=text,
        qr=pictures.drawn(text) if text else None, entries=pairing.entries(base, device) if shows else {},
        is_unreachable=any(form in base for form in _LOOPBACK),
    )  # fmt: skip


def _state(found: Watching) -> str:
    return devices.state(found.device, parts().rules.offline_after_s, parts().clock())


def _presence(db: Rows, device: Device) -> presence.Presence:
    return presence.of(db, device, parts().rules.offline_after_s, parts().clock())


def _accounts(db: Rows) -> list[str]:
    return [account.id for account in store.accounts.all_of(db) if account.channel == PERSONAL]

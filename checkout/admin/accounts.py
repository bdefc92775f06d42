"""Receiving accounts and their QR codes: a screenshot or photo is enough, the server reads it."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Response
from msgspec import Struct

from checkout import code_kinds, devices, money, receiving, store, tallies
from checkout.admin import forms, layout, pictures, session
from checkout.admin.forms import Form, Wrong
from checkout.admin.nav import Page
from checkout.beijing import midnight
from checkout.devices import Watching
from checkout.errors import Code
from checkout.interfaces import Rows
from checkout.model.accounts import PERSONAL, Account, Method
from checkout.model.devices import Device
from checkout.pages.language import N_
from checkout.pages.language import translated as _
from checkout.receiving import Wish
from checkout.store.pressure import Pressure
from checkout.web import parts

PAGE = Page("accounts", N_("Accounts"), "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2v2h-2zM18 18h2v2h-2z", 52)
_FIELDS = ("channel", "offset", "max_offset", "offline", "weight", "daily_cap", "code", "sure")
_ADDED = {Code.DUPLICATE: "name"}
_OFFSETS, _OFFLINE = ("up", "down", "nearest"), ("warn", "block", "sell")


class Standing(Struct, frozen=True):
    """How an account is doing. `phones`: those that watch it, each with its state; `amounts`: None where a gateway says
    which order was paid; `today` in fen; `last`: when money last came, and how much."""

    account: Account
    kind: str
    phones: list[tuple[Device, str]]
    amounts: Pressure | None
    today: int
    last: tuple[int, int] | None


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/accounts", "accounts", view)
    blueprint.add_url_rule("/accounts", "accounts_add", add, methods=["POST"])
    blueprint.add_url_rule("/accounts/<name>", "account", one)
    for place, action in (("settings", change), ("state", switch), ("codes", add_code), ("codes/removal", remove_code)):
        endpoint = f"account_{place.replace('/', '_')}"
        blueprint.add_url_rule(f"/accounts/<name>/{place}", endpoint, action, methods=["POST"])


def view() -> Response:
    return _list(Form())


def add() -> Response:
    form = forms.read("name", "method", "password", *_FIELDS)
    with form.catching(_ADDED):
        session.prove(form)
        method = _method(form)
        wish = Wish(channel=form["channel"] or None, code=pictures.code(form, method) or None)
        if wish.code is None and form["channel"] in ("", PERSONAL):
            raise Wrong("picture", _("Choose a screenshot or photo of the payment code, or type what the code says."))
        added = receiving.add(parts().store, form["name"], method, wish, _channels(method), **session.by())
        return layout.done(layout.path("accounts", added.id), _("The account is added. Now pair the phone: Phones."))
    return _list(form)


def one(name: str) -> Response:
    return _page(name, Form())


def change(name: str) -> Response:
    """Another code, or another way to pay, sends the money elsewhere: that needs the password."""
    form = forms.read(*_FIELDS, "password")
    with form.catching():
        account = receiving.existing(parts().store, name)
        code = pictures.code(form, account.method) or None
        session.prove_if(
            form, (account.code, code or account.code), (account.channel, form["channel"] or account.channel)
        )
        wish = Wish(
            code=code, channel=form["channel"] or None,
            offset=_one_of(form, "offset", _OFFSETS), offline=_one_of(form, "offline", _OFFLINE),
            max_offset=_fen(form, "max_offset"), daily_cap=_fen(form, "daily_cap"), weight=_weight(form),
        )  # fmt: skip
        receiving.change(parts().store, name, wish, _channels(account.method), **session.by())
        return layout.done(layout.path("accounts", name), _("Saved."))
    return _page(name, form, "settings")


def switch(name: str) -> Response:
    """Stops giving orders to it, or starts again; money for earlier ones still counts."""
    form = forms.read("enabled")
    method = receiving.existing(parts().store, name).method
    receiving.change(parts().store, name, Wish(enabled=form["enabled"] == "1"), _channels(method), **session.by())
    return layout.done(layout.path("accounts", name), _("Saved."))


def add_code(name: str) -> Response:
    """A code that carries its amount."""
    form = forms.read("price", "code", "sure", "password")
    with form.catching({Code.BAD_AMOUNT: "price"}):
        session.prove(form)
        price = money.fen(form["price"])
        said = pictures.code(form, receiving.existing(parts().store, name).method)
        if not said:
            raise Wrong("picture", _("Choose a screenshot or photo of the payment code, or type what the code says."))
        receiving.add_code(parts().store, name, price, said, **session.by())
        return layout.done(layout.path("accounts", name), _("The code is added."))
    return _page(name, form, "codes")


def remove_code(name: str) -> Response:
    receiving.remove_code(parts().store, name, money.fen(forms.read("price")["price"]), **session.by())
    return layout.done(layout.path("accounts", name), _("The code is removed."))


def _list(form: Form) -> Response:
    phones = _phones()
    with parts().store.read() as db:
        found = [_standing(db, account, phones) for account in store.accounts.all_of(db)]
    return layout.page(
        "admin/accounts.html", PAGE, form=form, accounts=found, channels=_ways(parts().settings.channels)
    )


def _page(name: str, form: Form, doing: str = "") -> Response:
    account, phones = receiving.existing(parts().store, name), _phones()
    with parts().store.read() as db:
        codes, standing = store.accounts.codes(db, name), _standing(db, account, phones)
    return layout.page(
        "admin/account.html", PAGE, form=form, blank=Form(), doing=doing, account=account, codes=codes,
        standing=standing, qr=_drawn(account),
        channels=_ways(_channels(account.method)),
    )  # fmt: skip


def _phones() -> list[Watching]:
    return [one for one in devices.all_of(parts().store) if one.device.revoked_at is None]


def _standing(db: Rows, account: Account, phones: list[Watching]) -> Standing:
    now, offline_after_s = parts().clock(), parts().rules.offline_after_s
    watching = [one.device for one in phones if account.id in one.accounts]
    return Standing(
        account, code_kinds.kind(account.code).name,
        [(device, devices.state(device, offline_after_s, now)) for device in watching],
        tallies.in_use(db, account, now) if account.channel == PERSONAL else None,
        store.accounts.received_since(db, account.id, midnight(now)),
        store.accounts.last_money(db, account.id),
    )  # fmt: skip


def _drawn(account: Account) -> pictures.Drawn | None:
    return pictures.drawn(account.code) if account.code else None


def _method(form: Form) -> Method:
    if form["method"] not in list(Method):
        raise Wrong("method", _("Choose WeChat or Alipay."))
    return Method(form["method"])


def _one_of(form: Form, name: str, known: tuple[str, ...]) -> str | None:
    if form[name] and form[name] not in known:
        raise Wrong(name, _("Choose one of the list."))
    return form[name] or None


def _fen(form: Form, name: str) -> int | None:
    """An empty cap means none."""
    inner = Form()
    with inner.catching():
        return receiving.offset_fen(form[name] or "0")
    raise Wrong(name, inner.errors[""])


def _weight(form: Form) -> int:
    if not form["weight"].isascii() or not form["weight"].isdigit() or len(form["weight"]) > 4:
        raise Wrong("weight", _("The weight is a whole number from 1 to 1000."))
    return int(form["weight"])


def _channels(method: Method) -> frozenset[str]:
    """The sections of checkout.toml whose gateways are of the method."""
    sections = parts().settings.channels.items()
    return frozenset(name for name, table in sections if str(table.get("kind", "")).startswith(method))


def _ways(channels: Iterable[str]) -> list[tuple[str, str]]:
    """The ways to choose from: the personal code, then official accounts."""
    return [(PERSONAL, _("personal code")), *((name, name) for name in sorted(channels))]

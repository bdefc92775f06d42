"""Merchants: the shops that ask to be paid, their addresses, their secrets, and their keys for the native API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response

from checkout import api_keys, audit, merchants, store
from checkout.admin import forms, layout, session
from checkout.admin.forms import Form
from checkout.admin.nav import Page
from checkout.api_keys import Scope
from checkout.errors import Code
from checkout.merchants import Reach, Wish
from checkout.model.merchants import Mode
from checkout.pages.language import N_
from checkout.pages.language import translated as _
from checkout.web import parts

PAGE = Page("merchants", N_("Merchants"), "M4 9l1.5-5h13L20 9M4 9h16M5 9v11h14V9M10 20v-6h4v6", 50)
_FIELDS = ("name", "notify_url", "return_url", "mode", "hosts")
_NAMED = {Code.BAD_URL: "notify_url", Code.BAD_REQUEST: "name"}


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/merchants", "merchants", view)
    blueprint.add_url_rule("/merchants", "merchants_add", add, methods=["POST"])
    place = f"/merchants/<int(max={2**63 - 1}):merchant_id>"  # what the database takes
    blueprint.add_url_rule(place, "merchant", one)
    for name, action in (
        ("settings", change), ("secret", show_secret), ("rotation", rotate), ("keys", add_key), ("state", switch),
    ):  # fmt: skip
        blueprint.add_url_rule(f"{place}/{name}", f"merchant_{name}", action, methods=["POST"])
    blueprint.add_url_rule(f"{place}/keys/<key>/revocation", "merchant_revoke", revoke_key, methods=["POST"])


def view() -> Response:
    return _list(Form())


def add() -> Response:
    form = forms.read("name", "notify_url")
    with form.catching(_NAMED):
        wish = Wish(name=form["name"], notify_url=form["notify_url"] or None)
        added = merchants.add(parts().store, wish, _reach(), **session.by())
        return layout.done(layout.path("merchants", str(added.id)), _("The merchant is added."))
    return _list(form)


def one(merchant_id: int) -> Response:
    return _page(merchant_id, Form())


def change(merchant_id: int) -> Response:
    """Where callbacks go, and what is believed, change with the password only."""
    form = forms.read(*_FIELDS, "guard_param", "reuse", "password")
    with form.catching(_NAMED):
        before = merchants.existing(parts().store, merchant_id)
        hosts = tuple(form["hosts"].split())
        wish = Wish(
            name=form["name"], notify_url=form["notify_url"], return_url=form["return_url"],
            mode=Mode.COMPAT if form["mode"] == Mode.COMPAT else Mode.STRICT, guard_param=form["guard_param"] == "1",
            reuse=form["reuse"] == "1", add_hosts=hosts,
            remove_hosts=tuple(host for host in before.allow_hosts if host not in hosts),
        )  # fmt: skip
        session.prove_if(
            form, (before.notify_url, form["notify_url"]), (before.return_url, form["return_url"]),
            (before.mode, wish.mode), (before.allow_hosts, hosts), (before.guard_param, wish.guard_param),
        )  # fmt: skip
        merchants.change(parts().store, merchant_id, wish, _reach(), **session.by())
        return layout.done(layout.path("merchants", str(merchant_id)), _("Saved."))
    return _page(merchant_id, form, "settings")


def switch(merchant_id: int) -> Response:
    """Stops a merchant from opening orders, or lets it again."""
    form = forms.read("enabled")
    wish = Wish(enabled=form["enabled"] == "1")
    merchants.change(parts().store, merchant_id, wish, _reach(), **session.by())
    return layout.done(layout.path("merchants", str(merchant_id)), _("Saved."))


def show_secret(merchant_id: int) -> Response:
    form = forms.read("password")
    with form.catching():
        session.prove(form)
        secret, by = merchants.existing(parts().store, merchant_id).key, session.by()
        with parts().store.transaction() as db:
            audit.note(db, by["actor"], "merchant.show-key", str(merchant_id), {}, by["new_id"], by["now"])
        return _page(merchant_id, Form(), secret=secret)
    return _page(merchant_id, form, "secret")


def rotate(merchant_id: int) -> Response:
    """A new secret; the one before stays valid for a day."""
    form = forms.read("password")
    with form.catching():
        session.prove(form)
        rotated = merchants.rotate_key(parts().store, merchant_id, **session.by())
        return _page(merchant_id, Form(), secret=rotated.key)
    return _page(merchant_id, form, "rotation")


def add_key(merchant_id: int) -> Response:
    """Answers with the key itself, without a redirect: this is the only time that it can be seen."""
    form = forms.read("key_name", "scopes", "password")
    with form.catching({Code.BAD_REQUEST: "key_name"}):
        session.prove(form)
        scopes = [scope for scope in Scope if scope.value in form.all("scopes")]
        fresh = api_keys.add(parts().store, merchant_id, form["key_name"], scopes, **session.by())
        return _page(merchant_id, Form(), fresh=fresh.secret)
    return _page(merchant_id, form, "keys")


def revoke_key(merchant_id: int, key: str) -> Response:
    api_keys.revoke(parts().store, key, **session.by())
    return layout.done(layout.path("merchants", str(merchant_id)), _("The key is revoked."))


def _list(form: Form) -> Response:
    with parts().store.read() as db:
        everyone = store.merchants.all_of(db)
        found = [(merchant, store.merchant_orders.last_paid(db, merchant.id)) for merchant in everyone]
    return layout.page("admin/merchants.html", PAGE, form=form, merchants=found)


def _page(merchant_id: int, form: Form, doing: str = "", **shown: str) -> Response:
    merchant = merchants.existing(parts().store, merchant_id)
    with parts().store.read() as db:
        keys = store.api_keys.all_of(db, merchant_id)
    return layout.page(
        "admin/merchant.html", PAGE, form=form, blank=Form(), doing=doing, merchant=merchant, keys=keys, scopes=Scope,
        usual=api_keys.USUAL, warnings=merchants.warnings(merchant), addresses=_addresses(), **_secrets(shown),
    )  # fmt: skip


def _secrets(shown: Mapping[str, str]) -> dict[str, Any]:
    return {"secret": "", "fresh": "", **shown}


def _addresses() -> list[tuple[str, str]]:
    """What old programs are told to call, by dialect."""
    base = parts().settings.base_url
    return [("V免签 / vmq", base), ("易支付 / epay", f"{base}/"), ("API", f"{base}/api/v1")]


def _reach() -> Reach:
    return Reach.of(parts().settings)

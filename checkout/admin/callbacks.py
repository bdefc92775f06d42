"""Callbacks: what shops were told, what they answered, when the next try is due, and sending them again."""

from __future__ import annotations

import re

from flask import Blueprint, Response
from msgspec import Struct

from checkout import audit, store
from checkout.admin import forms, layout, lists, session
from checkout.admin.forms import Form
from checkout.admin.nav import Page
from checkout.errors import Code, Refusal
from checkout.http.client import Outgoing
from checkout.model.deliveries import DeliveryState
from checkout.outbox import deliveries, letters
from checkout.pages.language import N_
from checkout.pages.language import translated as _
from checkout.web import parts

PAGE = Page("callbacks", N_("Callbacks"), "M4 12h11M11 7l5 5-5 5M20 5v14", 60)
_SOON_S = 40  # beyond the lease of a try that is under way
# What proves that a message is ours stays out of pages: who has seen one could send it again.
_PROOF = re.compile(r"(?i)\b(sign|co_sig)(=|\"\s*:\s*\")[^&\s\"]+")


class Request(Struct, frozen=True):
    """A message as people read it."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: str


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/callbacks", "callbacks", view)
    blueprint.add_url_rule("/callbacks/<delivery>", "callback", one)
    blueprint.add_url_rule("/callbacks/<delivery>/tries", "callback_resend", resend, methods=["POST"])


def view() -> Response:
    asked = lists.asked("state", "endpoint")
    state = asked["state"] if asked["state"] in set(DeliveryState) else None
    with parts().store.read() as db:
        found = store.deliveries.listed(
            db, state=state, endpoint=asked["endpoint"], before=lists.before(), limit=lists.PAGE + 1
        )
        merchants = {merchant.id: merchant for merchant in store.merchants.all_of(db)}
    shown = found[: lists.PAGE]
    last = (shown[-1].created_at, shown[-1].id) if len(found) > lists.PAGE else None
    return layout.page(
        "admin/callbacks.html", PAGE, told=shown, merchants=merchants, asked=asked, states=list(DeliveryState),
        pager=lists.pager(last),
    )  # fmt: skip


def one(delivery: str) -> Response:
    return _page(delivery, Form())


def resend(delivery: str) -> Response:
    """One more try, as a resource of the message; audited."""
    form, by = forms.read(), session.by()
    with form.catching():
        deliveries.resend(parts().store, delivery, by["now"])
        with parts().store.transaction() as db:
            audit.note(db, by["actor"], "delivery.resend", delivery, {}, by["new_id"], by["now"])
        parts().wake()
        return layout.done(layout.path("callbacks", delivery), _("The shop is told once more."))
    return _page(delivery, form)


def _page(delivery_id: str, form: Form) -> Response:
    shop, now = parts(), parts().clock()
    with shop.store.read() as db:
        delivery, tries = store.deliveries.get(db, delivery_id), store.deliveries.tries(db, delivery_id)
        message = letters.shown(db, shop.dialects, delivery, now) if delivery and delivery.url else None
    if delivery is None:
        raise Refusal(Code.NOT_FOUND, "There is no such delivery.")
    return layout.page(
        "admin/callback.html", PAGE, form=form, delivery=delivery, tries=tries,
        message=_readable(message) if message else None,
        is_due=delivery.state is DeliveryState.WAITING and delivery.due_at <= now + _SOON_S,
    )  # fmt: skip


def _readable(message: Outgoing) -> Request:
    headers = tuple(
        (name, "…" if name.lower().endswith("signature") else value) for name, value in message.headers.items()
    )
    return Request(
        f"{message.method} {_masked(message.url)}", headers, _masked(message.body.decode("utf-8", "replace"))
    )


def _masked(text: str) -> str:
    return _PROOF.sub(r"\1\2…", text)

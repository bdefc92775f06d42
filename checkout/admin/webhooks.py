"""Webhook endpoints: where merchants' systems hear of events, and the secrets that sign for it."""

from __future__ import annotations

from flask import Blueprint, Response

from checkout import store
from checkout.admin import forms, layout, session
from checkout.admin.callbacks import PAGE
from checkout.admin.forms import Form, Wrong
from checkout.errors import Code
from checkout.merchants import Reach
from checkout.outbox import endpoints, events
from checkout.outbox.endpoints import Wish
from checkout.pages.language import translated as _
from checkout.web import parts

_NAMED = {Code.BAD_URL: "url", Code.BAD_REQUEST: "description"}


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/webhooks", "webhooks", view)
    blueprint.add_url_rule("/webhooks", "webhooks_add", add, methods=["POST"])
    blueprint.add_url_rule("/webhooks/<endpoint>", "webhook", one)
    for name, action in (
        ("settings", change), ("secret", show_secret), ("rotation", rotate), ("pause", pause), ("messages", test),
        ("removal", remove),
    ):  # fmt: skip
        blueprint.add_url_rule(f"/webhooks/<endpoint>/{name}", f"webhook_{name}", action, methods=["POST"])


def view() -> Response:
    return _list(Form())


def add() -> Response:
    """The secret is on the page that follows: whoever adds an endpoint needs it."""
    form = forms.read("merchant", "url", "description", "events", "password")
    with form.catching(_NAMED):
        session.prove(form)
        if not form["merchant"].isascii() or not form["merchant"].isdigit() or len(form["merchant"]) > 18:
            raise Wrong("merchant", _("Please choose a merchant."))
        added = endpoints.add(parts().store, int(form["merchant"]), _wish(form), _reach(), **session.by())
        return _page(added.id, Form(), secret=added.secret)
    return _list(form)


def one(endpoint: str) -> Response:
    return _page(endpoint, Form())


def change(endpoint: str) -> Response:
    """Another address needs the password: it would hear of every order."""
    before, form = endpoints.existing(parts().store, endpoint), forms.read("url", "description", "events", "password")
    with form.catching(_NAMED):
        session.prove_if(form, (before.url, form["url"]))
        endpoints.change(parts().store, endpoint, _wish(form), _reach(), **session.by())
        return layout.done(layout.path("webhooks", endpoint), _("Saved."))
    return _page(endpoint, form, "settings")


def show_secret(endpoint: str) -> Response:
    form = forms.read("password")
    with form.catching():
        session.prove(form)
        return _page(endpoint, Form(), secret=endpoints.existing(parts().store, endpoint).secret)
    return _page(endpoint, form, "secret")


def rotate(endpoint: str) -> Response:
    """A new secret; for a day messages are signed with the one before too."""
    form = forms.read("password")
    with form.catching():
        session.prove(form)
        return _page(endpoint, Form(), secret=endpoints.rotate(parts().store, endpoint, **session.by()).secret)
    return _page(endpoint, form, "secret")


def pause(endpoint: str) -> Response:
    """Pauses the endpoint, or resumes it with what has waited."""
    form = forms.read("paused")
    if form["paused"] == "1":
        endpoints.pause(parts().store, endpoint, **session.by())
        return layout.done(layout.path("webhooks", endpoint), _("It is paused; what happens meanwhile is held."))
    _endpoint, waited = endpoints.resume(parts().store, endpoint, **session.by())
    parts().wake()
    return layout.done(
        layout.path("webhooks", endpoint), _("Resumed. Waiting messages sent: %(number)s") % {"number": waited}
    )


def test(endpoint: str) -> Response:
    form, by = forms.read(), session.by()
    with form.catching():
        message = endpoints.test(parts().store, endpoint, new_id=by["new_id"], now=by["now"])
        parts().wake()
        return layout.done(layout.path("callbacks", message.id), _("A test event is on its way."))
    return _page(endpoint, form)


def remove(endpoint: str) -> Response:
    form = forms.read("password")
    with form.catching():
        session.prove(form)
        endpoints.remove(parts().store, endpoint, **session.by())
        return layout.done(layout.path("webhooks"), _("The endpoint is removed."))
    return _page(endpoint, form, "removal")


def _wish(form: Form) -> Wish:
    chosen = tuple(event for event in events.TYPES if event in form.all("events"))
    return Wish(url=form["url"], events=chosen, description=form["description"])


def _list(form: Form) -> Response:
    with parts().store.read() as db:
        found = [(one, store.deliveries.open_of(db, one.id)) for one in store.endpoints.all_of(db)]
        choices = [(merchant.id, f"{merchant.id} {merchant.name}") for merchant in store.merchants.all_of(db)]
    return layout.page("admin/webhooks.html", PAGE, form=form, endpoints=found, choices=choices, types=events.TYPES)


def _page(endpoint_id: str, form: Form, doing: str = "", *, secret: str = "") -> Response:
    """`doing`: the action whose form was refused; `secret`: to be shown this time."""
    endpoint = endpoints.existing(parts().store, endpoint_id)
    with parts().store.read() as db:
        waiting = store.deliveries.open_of(db, endpoint_id)
    return layout.page(
        "admin/webhook.html", PAGE, form=form, blank=Form(), doing=doing, endpoint=endpoint, waiting=waiting,
        types=events.TYPES, secret=secret,
    )  # fmt: skip


def _reach() -> Reach:
    return Reach.of(parts().settings)

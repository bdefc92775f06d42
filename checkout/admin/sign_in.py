"""Signing in and out, and the first visit."""

from __future__ import annotations

from flask import Blueprint, Response, request

from checkout import owner, sessions
from checkout.admin import forms, layout, session
from checkout.admin.forms import Form
from checkout.errors import Code
from checkout.pages.language import translated as _
from checkout.web import parts


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/sign-in", "sign_in", sign_in)
    blueprint.add_url_rule("/sign-in", "signing_in", signing_in, methods=["POST"])
    blueprint.add_url_rule("/first", "first", first)
    blueprint.add_url_rule("/first", "setting_first", setting_first, methods=["POST"])
    blueprint.add_url_rule("/sign-out", "sign_out", sign_out, methods=["POST"])


def sign_in() -> Response:
    if session.current() is not None:
        return layout.done(layout.path())
    return _sign_in_page(Form())


def signing_in() -> Response:
    form = forms.read("password", "next")
    with form.catching({Code.FORBIDDEN: "password", Code.LIMITED: "password"}):
        who, new_id = session.whose_tries(), parts().new_id
        proof = owner.check(parts().store, form["password"], who, new_id=new_id, now=parts().clock())
        return session.start(layout.done(_wanted(form["next"])), proof)
    return _sign_in_page(form)


def first() -> Response:
    """The one-time link: looking at it uses nothing up, as chat programs open links to show a preview."""
    return _first_page(Form({"link": request.args.get("link", "")}))


def setting_first() -> Response:
    form = forms.read("password", "password_again", "link")
    with form.catching({Code.BAD_REQUEST: "password"}):
        owner.check_new(form["password"], form["password_again"])
        done = owner.set_password(parts().store, form["password"], link=form["link"] or "-", **session.by())
        notice = _("Welcome. The list below leads through the set-up.")
        return session.start(layout.done(layout.path(), notice), done.proof)
    return _first_page(form)


def sign_out() -> Response:
    sessions.end(parts().store, session.signed_in().id, **session.by())
    return session.stop(layout.done(layout.path("sign-in"), _("You are signed out.")))


def _sign_in_page(form: Form) -> Response:
    wanted = form["next"] or request.args.get("next", "")
    status = 422 if form.errors else 200
    return layout.plain(
        "admin/sign_in.html", status, form=form, wanted=wanted, is_set=owner.is_set(parts().store), is_clear=_is_clear()
    )


def _first_page(form: Form) -> Response:
    holds = owner.link_holds(parts().store, form["link"], parts().clock())
    status = 422 if form.errors else 200 if holds else 403
    return layout.plain("admin/first.html", status, form=form, holds=holds, is_clear=_is_clear())


def _wanted(place: str) -> str:
    """Only a place among our own pages: a link to sign in must not lead elsewhere afterwards."""
    base = layout.path().partition("?")[0]
    is_ours = place.startswith((f"{base}/", f"{base}?")) and place.isprintable() and "\\" not in place
    return place if is_ours and "//" not in place.partition("?")[0] else layout.path()


def _is_clear() -> bool:
    """Whether the password would travel unencrypted beyond this machine."""
    return not session.is_secure() and request.host.rpartition(":")[0] not in ("127.0.0.1", "localhost", "[::1]")

"""Who is asking: the cookie of a signed-in browser, what the rules note about it, and the password once more."""

from __future__ import annotations

import secrets
from typing import TypedDict, cast

from flask import Response, g, request

from checkout import grants, owner, sessions
from checkout.admin import words
from checkout.admin.forms import Form, Wrong
from checkout.errors import Refusal
from checkout.interfaces import NewId
from checkout.model.owner import Session
from checkout.pages.language import translated as _
from checkout.settings import secret_for
from checkout.web import client_address, parts

_KNOWN_S = 365 * 86_400


class By(TypedDict):
    """What the rules record with a change made by hand."""

    actor: str
    new_id: NewId
    now: int


def current() -> Session | None:
    """The session of this request; None: nobody is signed in."""
    if "admin_session" not in g:
        g.admin_session = sessions.find(parts().store, request.cookies.get(_name(), ""), parts().clock())
    return cast("Session | None", g.admin_session)


def signed_in() -> Session:
    """The session, on pages that the guard shows to the owner only."""
    session = current()
    assert session is not None
    return session


def by() -> By:
    """Reads the clock: once per request."""
    return By(actor=f"admin:{client_address()}", new_id=parts().new_id, now=parts().clock())


def start(answer: Response, proof: str) -> Response:
    """Signs this browser in, with a new cookie. `proof` is that of the password that was typed. Refused: FORBIDDEN."""
    cookie = sessions.open_session(
        parts().store, proof, address=client_address(), agent=request.headers.get("User-Agent", ""),
        former=request.cookies.get(_name(), ""), **by(),
    )  # fmt: skip
    _set(answer, _name(), cookie, sessions.LONGEST_S)
    subject = _known() or secrets.token_hex(8)
    until = parts().clock() + _KNOWN_S
    _set(answer, _name("known"), f"{subject}.{grants.grant(_secret(), 'known', subject, until)}", _KNOWN_S)
    return answer


def stop(answer: Response) -> Response:
    """Removes the cookie; the browser is still known afterwards."""
    answer.delete_cookie(_name(), path="/", secure=is_secure(), httponly=True, samesite="Lax")
    return answer


def whose_tries() -> str:
    """Whose tries at the password these are: strangers share one count."""
    known = _known()
    return f"known {known}" if known else owner.STRANGERS


def is_fresh() -> bool:
    return sessions.is_fresh(signed_in(), parts().clock())


def prove(form: Form) -> None:
    """What follows needs the password, unless it was typed a short while ago. Refused at the field `password`."""
    now = parts().clock()
    if is_fresh():
        return
    if not form["password"]:
        raise Wrong("password", _("Please type your password again."))
    try:
        who, new_id = f"session {signed_in().id}", parts().new_id
        proof = owner.check(parts().store, form["password"], who, new_id=new_id, now=now)
        sessions.prove(parts().store, proof, signed_in(), now)
    except Refusal as refusal:
        raise Wrong("password", words.sentence(refusal.message)) from refusal
    g.pop("admin_session")


def prove_if(form: Form, *changes: tuple[object, object]) -> None:
    """As `prove`, where one of `changes` (what stands, what is wanted) leads money, goods or messages elsewhere."""
    if any(before != after for before, after in changes):
        prove(form)


def is_secure() -> bool:
    """Whether browsers reach us by https: then cookies are bound to this host, and never sent in the clear."""
    return request.is_secure or parts().settings.base_url.startswith("https:")


def csrf() -> str:
    """What forms of this session must bring along; a page of somebody else cannot know it."""
    session = current()
    return grants.grant(_secret(), "form", session.id, 0).partition(".")[2] if session else ""


def _known() -> str:
    """The id of a browser that was signed in before, "" for strangers."""
    subject, _dot, granted = request.cookies.get(_name("known"), "").partition(".")
    is_ours = grants.is_granted(granted, _secret(), "known", subject, parts().clock())
    return subject if is_ours else ""


def _set(answer: Response, name: str, value: str, seconds: int) -> None:
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=is_secure(), httponly=True, samesite="Lax")


def _name(what: str = "owner") -> str:
    return f"__Host-checkout-{what}" if is_secure() else f"checkout-{what}"


def _secret() -> str:
    return secret_for(parts().settings)

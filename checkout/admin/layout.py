"""Answers of the owner's pages: a whole page with its frame, a fragment for htmx, or back to a page with a notice."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

from flask import Response, g, request

from checkout.admin import forms, session
from checkout.admin.nav import Page
from checkout.admin.strip import strip
from checkout.pages import answers, links
from checkout.pages.assets import HTMX_CDN
from checkout.places import OWNERS
from checkout.web import parts

_NOTICE = "checkout-notice"


def page(template: str, page: Page, /, *, form: forms.Form | None = None, **values: Any) -> Response:
    """A page in its frame: navigation, status strip, notice. A form with errors answers 422."""
    refused = form is not None and form.errors
    return _telling(
        template, 422 if refused else 200, page=page, form=form or forms.Form(), strip=strip(), **values
    )  # fmt: skip


def plain(template: str, /, status: int = 200, **values: Any) -> Response:
    """A page without navigation: signing in, and what went wrong."""
    return _telling(template, status, **values)


def bare(template: str, status: int, /, **values: Any) -> Response:
    """As `plain`, but asks the database for nothing: that may be what failed."""
    return sealed(answers.page(template, status, to=path, query=here, csrf="", is_fresh=False, **values))


def fragment(template: str, /, **values: Any) -> Response:
    """A part of a page, for htmx."""
    return answers.fragment(template, **_shared(), **values)


def done(place: str, notice: str = "") -> Response:
    """After a change: 303 to a page, which says what was done. `place` is a path of ours. A script that sent the form
    is told the place instead, so that it does not read the page, and what it says, itself."""
    answer = answers.see(place)
    if request.headers.get("HX-Request") == "true":
        answer = Response(status=204, headers={"HX-Redirect": place})
    if notice:
        value = base64.urlsafe_b64encode(json.dumps(notice[:600]).encode()).decode()
        answer.set_cookie(
            _notice_name(), value, max_age=60, path="/", secure=session.is_secure(), httponly=True, samesite="Lax"
        )
    return answer


def path(*segments: str, **query: str) -> str:
    """`path("orders", token)` → `/admin/orders/<token>`."""
    return links.path(OWNERS.strip("/"), *filter(None, segments), **query)


def here(**query: str) -> str:
    """The address of this page with other parameters; "" takes one away."""
    kept = {**request.args.to_dict(), **query}
    return "?" + urlencode({name: value for name, value in kept.items() if value})


def sealed(answer: Response) -> Response:
    """`answer`, out of reach of other sites' pages and without scripts from elsewhere."""
    answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    answer.headers["X-Frame-Options"] = "DENY"
    if policy := answer.headers.get("Content-Security-Policy"):
        answer.headers["Content-Security-Policy"] = policy.replace(f"'self' {HTMX_CDN}", "'self'")
    return answer


def _shared() -> dict[str, Any]:
    return {
        "to": path, "query": here, "csrf": session.csrf(), "now": parts().clock(),
        "is_fresh": session.current() is not None and session.is_fresh(),
    }  # fmt: skip


def _telling(template: str, status: int, /, **values: Any) -> Response:
    """A page that says, once, what the step before has to say."""
    answer = answers.page(template, status, notice=_notice(), **_shared(), **values)
    if "admin_notice" in g:
        answer.delete_cookie(_notice_name(), path="/")
    return sealed(answer)


def _notice() -> str:
    """What the step before has to say, once."""
    value = request.cookies.get(_notice_name(), "")
    if not value:
        return ""
    g.admin_notice = True
    try:
        return str(json.loads(base64.urlsafe_b64decode(value)))
    except ValueError:
        return ""


def _notice_name() -> str:
    return f"__Host-{_NOTICE}" if session.is_secure() else _NOTICE

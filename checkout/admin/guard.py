"""Nobody but the owner gets in, and nothing but the owner's own forms changes anything.

Three locks against forged requests: the session cookie is SameSite=Lax, browsers say where a request comes from
(Sec-Fetch-Site, Origin), and every form carries a token of its session. It is written here because it is shorter than
setting up a library for it: Flask-WTF would bring a second kind of session and its own forms.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, request
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException

from checkout import sessions
from checkout.admin import layout, problems, session, words
from checkout.admin.nav import Page
from checkout.errors import Code, Refusal
from checkout.places import OWNERS
from checkout.web import STATUS, parts

_OPEN = {"admin.sign_in", "admin.signing_in", "admin.first", "admin.setting_first"}
_MOST_BYTES = 13_000_000  # a photo of a phone, and its form
_MOST_IN_MEMORY = 1_000_000  # of one field; also more than is read of a file at once, which counts as well
_QUIET = {"admin.status"}  # asked for by the page itself: no sign of an owner


def install(blueprint: Blueprint, pages: list[Page]) -> None:
    entries = sorted(pages, key=lambda page: page.rank)

    def set_up(state: BlueprintSetupState) -> None:
        assert isinstance(state.app, Flask)
        state.app.jinja_env.globals.update(admin_pages=entries, sentence=words.sentence)

    blueprint.record_once(set_up)
    blueprint.before_request(_before)
    blueprint.register_error_handler(Refusal, _refused)
    blueprint.register_error_handler(404, _missing)
    blueprint.add_url_rule("/<path:anything>", "anything", _nothing)


def _before() -> Response | None:
    if request.method not in ("GET", "HEAD"):
        _expect_own_page()
    if request.endpoint in _OPEN:
        return None
    found = session.current()
    if found is None:
        return _to_sign_in()
    if request.method not in ("GET", "HEAD"):
        request.max_content_length = _MOST_BYTES  # files are spooled to the disk; only owners get here
        request.max_form_memory_size = _MOST_IN_MEMORY
        _expect_token(request.form.get("csrf", ""))
    if request.endpoint not in _QUIET:
        sessions.note_use(parts().store, found, parts().clock())
    return None


def _expect_own_page() -> None:
    """Refused (FORBIDDEN): what another site makes the owner's browser send. Browsers that say nothing are left
    to the token."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        is_own = site in ("same-origin", "none")
    else:
        is_own = origin is None or origin in (_origin(request.host_url), _origin(parts().settings.base_url))
    if not is_own:
        raise Refusal(Code.FORBIDDEN, "This request came from another site; nothing was changed.")


def _expect_token(given: str) -> None:
    if not secrets.compare_digest(given.encode(), session.csrf().encode()):
        raise Refusal(Code.FORBIDDEN, "This form is out of date; load its page again.")


def _origin(url: str) -> str:
    place = urlsplit(url)
    return f"{place.scheme}://{place.netloc}"


def _to_sign_in() -> Response:
    """Back to where one wanted to go afterwards; htmx loads the whole page anew."""
    prefix = urlsplit(parts().settings.base_url).path.rstrip("/")  # taken off the path before it came here
    wanted = request.full_path.rstrip("?") if request.method == "GET" else OWNERS
    place = layout.path("sign-in", **({"next": prefix + wanted} if wanted.rstrip("/") != OWNERS else {}))
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": layout.path("sign-in")})
    return layout.done(place)


def _refused(refusal: Refusal) -> Response:
    return problems.problem(STATUS[refusal.code], refusal.message)


def _missing(_error: HTTPException) -> Response:
    return problems.problem(404)


def _nothing(anything: str) -> Response:
    return problems.problem(404)

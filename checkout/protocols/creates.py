"""createOrder of V免签, answered before Flask sees it: what a server that sells much is asked most, beside polls.

A request costs Flask as much as all that has to be thought about the order itself. Whatever is not plainly such a
request (a browser that comes with it, GOGO, JSON, a file) goes on to the route, which says the same.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask

from checkout import access, live
from checkout.errors import Refusal
from checkout.fields import MAX_BODY, of_form
from checkout.protocols import family, vmq, words
from checkout.web import Parts, client_address

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_PATH = re.compile(r"(?:/vmq/([1-9][0-9]{0,15}))?/createOrder")
_FORM = "application/x-www-form-urlencoded"
_OTHERWISE = ("HTTP_APP_ID", "HTTP_TRANSFER_ENCODING")  # GOGO; a length that nobody has said
_ROUTES = ("/createOrder", "/vmq/<merchant>/createOrder")


class Creates:
    """WSGI: stands between `Front` and Flask. `headers` go with every answer."""

    def __init__(self, app: Flask, headers: Iterable[tuple[str, str]]) -> None:
        self._app, self._onwards = app, app.wsgi_app
        self._headers = list(headers)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = _PATH.fullmatch(environ.get("PATH_INFO", ""))
        said = self._said(environ, path[1]) if path else None
        if said is None:
            return self._onwards(environ, start_response)
        kind = ("Content-Type", words.CONTENT_TYPE), ("Content-Length", str(len(said)))
        start_response("200 OK", [*kind, *self._headers])
        return (said,)

    def _said(self, environ: WSGIEnvironment, merchant: str | None) -> bytes | None:
        encoded = _encoded(environ)
        if encoded is None:
            return None
        environ[access.ROUTE] = (_ROUTES[merchant is not None], "")
        live.follow(self._app)
        try:
            return self._answer(environ, encoded, int(merchant) if merchant else None)
        except Exception:  # what it is the route says, in its own words and in the log
            return None

    def _answer(self, environ: WSGIEnvironment, encoded: bytes, merchant: int | None) -> bytes | None:
        shop: Parts = self._app.extensions["checkout"]
        values = of_form(encoded, family.CREATE_FIELDS)  # refused: by the route, it may be GOGO that cannot be read
        try:
            if "appId" in values or values.get("isHtml") == "1":
                return None
            asked, now = family.read_create(values), shop.clock()
            opened = vmq.opened(shop, asked, merchant, now)
            data = family.data_of(shop, opened.order, client_address(environ), now, code=opened.code)
            return words.said_of_success(data)
        except Refusal as refusal:
            return words.said_of_refusal(refusal, vmq.FAILURE)


def _encoded(environ: WSGIEnvironment) -> bytes | None:
    """The parameters of a plain GET or POST; None for any other request, which can still be read as a whole."""
    if any(name in environ for name in _OTHERWISE):
        return None
    query: str = environ.get("QUERY_STRING", "")
    length: str = environ.get("CONTENT_LENGTH", "")
    if environ.get("REQUEST_METHOD") == "GET":
        return None if length else query.encode("latin-1")
    is_form = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() == _FORM
    if environ.get("REQUEST_METHOD") != "POST" or query or not is_form or not _is_length(length):
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return body if len(body) == int(length) else None


def _is_length(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 8 and int(text) <= MAX_BODY

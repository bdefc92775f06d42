"""Plain requests of programs, answered before Flask sees them: orders and reports of money, most of what a shop that
sells much is asked, beside polls.

A request costs Flask as much as all that has to be thought about an order. Whatever is not plainly such a request (a
browser that comes with it, JSON, a file, a parameter that cannot be read) goes on to its route, which says the same.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask
from msgspec import Struct

from checkout import access, inline, live
from checkout.errors import StoreError
from checkout.fields import MAX_BODY
from checkout.front import joined
from checkout.web import Parts

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_FORM = "application/x-www-form-urlencoded"
_NO_LENGTH = "HTTP_TRANSFER_ENCODING"

# Reads and judges a request, yields once before it writes anything, and returns the body of a 200, or None (or raises)
# where the route is to answer. What stands before the yield is done while others have the database.
Steps = Generator[None, None, bytes | None]


class Plain(Struct, frozen=True):
    """What answers a route's plain requests. `answer` gets the shop, the environment, the parameters as they were sent
    and the groups of `path`."""

    path: re.Pattern[str]
    route: str  # as it is written in the log
    answer: Callable[..., Steps]
    content_type: str


class PlainRequests:
    """WSGI: stands between `Front` and Flask. `headers` go with every answer. What a request writes is written when its
    answer is read, as PEP 3333 allows: who has several to answer begins them all before the first one writes."""

    def __init__(self, app: Flask, plain: Iterable[Plain], headers: Iterable[tuple[str, str]]) -> None:
        self._app, self._onwards = app, app.wsgi_app
        self._plain, self._headers = list(plain), list(headers)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        for plain in self._plain:
            if found := plain.path.fullmatch(path):
                steps = self._steps(plain, environ, found)
                go_on = partial(self._answer, plain, steps, environ, start_response)
                answer = go_on()
                return _later(go_on) if answer is None else answer
        return self._by_route(environ, start_response)

    def _answer(
        self, plain: Plain, steps: Steps, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes] | None:
        """None: it is to write first."""
        try:
            next(steps)
            return None
        except StopIteration as end:
            said: bytes | None = end.value
        except StoreError as error:  # to ask once more would wait for the database once more
            return self._unavailable(error, environ, start_response)
        if said is None:
            return self._by_route(environ, start_response)
        kind = ("Content-Type", plain.content_type), ("Content-Length", str(len(said)))
        start_response("200 OK", [*kind, *self._headers])
        return (said,)

    def _by_route(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        inline.need_thread()
        return self._onwards(environ, start_response)

    def _steps(self, plain: Plain, environ: WSGIEnvironment, found: re.Match[str]) -> Steps:
        encoded = _encoded(environ)
        if encoded is None:
            return None
        environ[access.ROUTE] = (plain.route, "")
        live.follow(self._app)
        shop: Parts = self._app.extensions["checkout"]
        try:
            return (yield from plain.answer(shop, environ, encoded, *found.groups()))
        except StoreError:
            raise
        except Exception:  # what it is the route says, in its own words and in the log
            return None

    def _unavailable(
        self, error: StoreError, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """What the route would say after it had waited as well."""
        with self._app.request_context(environ):
            answer = self._app.finalize_request(self._app.handle_user_exception(error))
            return answer(environ, start_response)


def _later(go_on: Callable[[], Iterable[bytes] | None]) -> Iterator[bytes]:
    answer = go_on()
    assert answer is not None  # it yields once at most
    yield joined(answer)


def _encoded(environ: WSGIEnvironment) -> bytes | None:
    """The parameters of a plain GET or POST; None for any other request, which can still be read as a whole."""
    if _NO_LENGTH in environ:
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

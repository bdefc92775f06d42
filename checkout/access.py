"""The access log: one line for each request, with its route and never its path, which may be a credential."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from checkout import logs
from checkout.front import joined
from checkout.inline import Elsewhere

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROUTE = "checkout.route"  # in the environment: (the route as it is written in the code, the order that it names)
_POLL = re.compile(r"/pay/([0-9a-f]{32})/poll")  # answered before Flask knows its route
_TOKEN = re.compile("[0-9a-f]{32}")
_ORDERS = {"token": ("pay.", "admin."), "order": ("api.",)}  # what names an order in the paths of which blueprints


class Access:
    """WSGI: gives each request a number, which goes into its answer (X-Request-Id) and into every log line about it.
    Whatever the application does is done when it is called: behind this no desk can begin several before one writes."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began, number, said = time.monotonic_ns(), secrets.token_hex(8), list[str]()

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            said[:] = [status]
            return start_response(status, [*headers, ("X-Request-Id", number)], *more)

        with logs.about(request=number):
            try:
                answer = self._app(environ, start)
                if not said:  # it begins when it is read: what is logged meanwhile is about this request too
                    answer = [joined(answer)]
            except Elsewhere:  # a thread asks again
                raise
            except BaseException:
                _note_end(environ, said, began)
                raise
            _note_end(environ, said, began)
            return answer


def _note_end(environ: WSGIEnvironment, said: list[str], began: int) -> None:
    route, order = environ.get(ROUTE) or _poll(environ)
    named = {"order": order} if order else {}
    logs.event(
        "request", method=environ.get("REQUEST_METHOD", ""), route=route, status=int(said[0][:3]) if said else 500,
        duration_ms=(time.monotonic_ns() - began) // 1_000_000, **named,
    )  # fmt: skip


def install(app: Flask) -> None:
    app.before_request(_note)


def _note() -> None:
    """Notes the route as it is written in the code, and the order that the path names."""
    rule = request.url_rule
    if rule is None:
        return
    request.environ[ROUTE] = (rule.rule, _order(rule.endpoint, request.view_args or {}))


def _order(endpoint: str, values: dict[str, Any]) -> str:
    for name, blueprints in _ORDERS.items():
        value = values.get(name)
        if isinstance(value, str) and endpoint.startswith(blueprints) and _TOKEN.fullmatch(value):
            return value
    return ""


def _poll(environ: WSGIEnvironment) -> tuple[str, str]:
    found = _POLL.fullmatch(environ.get("PATH_INFO", ""))
    return ("/pay/<token>/poll", found[1]) if found else ("", "")

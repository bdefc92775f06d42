"""What is answered when a request fails: a status and one sentence, in the form that its client expects."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from checkout import inline, pages
from checkout.errors import Refusal, StoreError
from checkout.front import is_below
from checkout.hosts import Refuse
from checkout.places import OWNERS
from checkout.protocols.api import problems as api_problems
from checkout.web import STATUS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    app.register_error_handler(Refusal, _refused)
    app.register_error_handler(StoreError, _unavailable)
    app.register_error_handler(Exception, _failed)


def refusing(app: Flask) -> Refuse:
    """Refuses, in the form that a client expects, what nobody behind is to see."""

    def refuse(status: int, message: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        inline.need_thread()
        with app.request_context({**environ, "HTTP_HOST": "localhost"}):
            problem = api_problems.problem if api_problems.is_ours(request.path) else pages.problem
            return app.finalize_request(problem(status, message))(environ, start_response)

    return refuse


def _refused(refusal: Refusal) -> Response:
    answer = _problem(STATUS[refusal.code], refusal.message, refusal.retry_after or 0)
    if refusal.retry_after is not None:
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer


def _unavailable(error: StoreError) -> Response:
    """A phone or a gateway that gets this answer tries again; nothing was promised to it."""
    log.error("%s", error)
    answer = _problem(503, pages.BUSY)
    answer.headers["Retry-After"] = "2"
    return answer


def _failed(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        answer = _problem(error.code or 500, error.description or error.name)
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return answer
    log.exception("Unexpected error on %s", request.path)
    return _problem(500, "Something went wrong on our side; nothing was booked. Please try again.")


def _problem(status: int, message: str, wait: int = 0) -> Response:
    """The failure in the form that the client expects: the native API's, else a page's."""
    if api_problems.is_ours(request.path):
        return api_problems.problem(status, message)
    if is_below(request.path, OWNERS):
        from checkout import admin

        return admin.problem(status, message)
    return pages.problem(status, message, wait)

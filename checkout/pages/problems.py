"""What went wrong, in one sentence: a small page for people, JSON (RFC 9457) or text for programs."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response, json, request

from checkout.pages import answers

_JSON = ("application/problem+json", "application/json")
_KINDS = ("text/plain", "text/html", *_JSON)  # text where a program takes anything


def problem(status: int, message: str, wait: int = 0) -> Response:
    """The answer to a request that failed. `message` is one sentence in English; pages explain the status in the
    buyer's language above it, and say in how many seconds to try again (0: not known). Uses no database: that may be
    what failed."""
    best = request.accept_mimetypes.best_match(_KINDS)
    if best == "text/html":
        return answers.page("problem.html", status, number=status, message=message, wait=wait)
    if best in _JSON:
        body = {"type": "about:blank", "title": _title(status), "status": status, "detail": message}
        return Response(json.dumps(body, ensure_ascii=False), status, mimetype="application/problem+json")
    return Response(message, status, mimetype="text/plain")


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"

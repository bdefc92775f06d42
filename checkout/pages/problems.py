"""What went wrong, in one sentence: a small page for people, JSON (RFC 9457) or text for programs."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response, json, request

from checkout.pages import answers
from checkout.pages.language import N_
from checkout.pages.language import translated as _

_JSON = ("application/problem+json", "application/json")
_KINDS = ("text/plain", "text/html", *_JSON)  # text where a program takes anything

# What a buyer is told instead of what the status means in general.
SENTENCES = frozenset(
    {
        N_("The file is missing on our side; please ask the shop, your receipt stays valid."),
        N_("This link has ended: open your receipt again for a fresh one."),
        N_("This purchase was refunded, so there is nothing to hand over any more."),
        N_("This order is closed by the shop that opened it."),
        N_("There is no new code for this order; start again at the shop."),
        N_("This product is no longer sold."),
    }
)
BUSY = "The service is busy; please try again in a moment."
_TOLD = (404, 410, 429, 500)  # the page says all there is to say


def problem(status: int, message: str, wait: int = 0) -> Response:
    """The answer to a request that failed. `message` is one sentence in English. A page says it in the buyer's
    language where it is one of `SENTENCES`; else it explains the status, says in how many seconds to try again (0: not
    known), and leaves the sentence for whoever runs the shop. Uses no database: that may be what failed."""
    best = request.accept_mimetypes.best_match(_KINDS)
    if best == "text/html":
        said = _(message) if message in SENTENCES else ""
        detail = "" if said or status in _TOLD or message == BUSY else message
        again = request.method == "GET" and (status == 429 or status >= 500)
        return answers.page("problem.html", status, number=status, said=said, detail=detail, wait=wait, again=again)
    if best in _JSON:
        body = {"type": "about:blank", "title": _title(status), "status": status, "detail": message}
        return Response(json.dumps(body, ensure_ascii=False), status, mimetype="application/problem+json")
    return Response(message, status, mimetype="text/plain")


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"

"""What went wrong on the owner's pages, in the owner's language."""

from __future__ import annotations

from flask import Response

from checkout.admin import layout, words
from checkout.pages.language import N_, current
from checkout.pages.language import translated as _

_SAID = {
    400: N_("The request was not understood. Load the page again, and try once more."),
    401: N_("Please sign in again."),
    403: N_("This is not allowed. Load the page again, and use its form."),
    404: N_("The address is incomplete, or what it led to is gone."),
    405: N_("This address is reached by a form. Go back, and press its button."),
    409: N_("This cannot be done as things stand. Load the page again."),
    413: N_("What was sent is too large."),
    429: N_("Too many tries. Please wait a minute."),
    500: N_("Something went wrong on our side, and nothing was changed. Try again; the log of the server says more."),
    503: N_("The server is busy, and nothing was changed. Try again in a moment."),
}


def problem(status: int, message: str = "") -> Response:
    """`message` in the owner's language where it is known, else what the status means, and the English sentence of a
    refusal in small. Uses no database: that may be what failed."""
    said = words.known(message) or (message if current() == "en" and status in _REFUSALS else "")
    detail = message if not said and status in _REFUSALS else ""
    general = _SAID.get(status) or _SAID[500 if status >= 500 else 400]
    return layout.bare("admin/problem.html", status, number=status, message=said or _(general), detail=detail)


_REFUSALS = (400, 403, 404, 409, 422, 429, 502)  # their messages are ours, written for people

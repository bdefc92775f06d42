"""Pictures of QR codes: those that owners upload, and those that a page draws as a part of itself."""

from __future__ import annotations

from threading import Lock

from flask import request
from msgspec import Struct

from checkout import qr, receiving
from checkout.admin import words
from checkout.admin.forms import Form, Wrong
from checkout.model.accounts import Method
from checkout.pages.language import translated as _

MAX_UPLOAD = 12_000_000  # a photo of a phone has 2 to 8 MB
_ONE_AT_A_TIME = Lock()  # the largest picture allowed unfolds to 100 MB


class Drawn(Struct, frozen=True):
    """A QR code as the path of an SVG: one unit for a module, `size` with the quiet zone."""

    size: int
    path: str


def drawn(text: str) -> Drawn:
    """Refused (BAD_REQUEST): more than a QR code can hold."""
    rows = qr.matrix(text)
    dark = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, cell in enumerate(row) if cell)
    return Drawn(len(rows), "".join(dark))


def code(form: Form, method: Method) -> str:
    """What the code says: read from the picture in the field `picture`, else as it was typed in the field `code`.

    A picture cannot be sent back to the form, but what it says can: it stands in the field `code` from then on.
    Refused at one of these fields: no picture, no code or several in it, the other method's, or one that is doubtful
    while the box `sure` is not ticked.
    """
    uploaded = request.files.get("picture")
    if uploaded is not None and uploaded.filename:
        with uploaded.stream, _ONE_AT_A_TIME, form.catching():
            form.values["code"] = qr.read(uploaded.stream.read(MAX_UPLOAD + 1))
        if "" in form.errors:
            raise Wrong("picture", form.errors.pop(""))
    _check(form, method)
    return form["code"]


def _check(form: Form, method: Method) -> None:
    if not form["code"]:
        return
    if (doubts := receiving.doubts(method, form["code"])) and form["sure"] != "1":
        receiving.check_code(method, form["code"])
        raise Wrong("code", " ".join([*map(words.sentence, doubts), _("Tick the box below if you are sure.")]))

"""The parameters of a request, read strictly and in their raw spelling.

Signatures cover what was sent, letter by letter, so nothing here changes a value. What two programs could read in two
ways (a parameter that occurs twice, bytes that are not UTF-8, control characters) is refused instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from urllib.parse import parse_qsl

from flask import Request, request
from werkzeug.exceptions import HTTPException

from checkout.errors import Code, Refusal

MAX_BODY = 65536
MAX_FIELD = 2048
_MAX_FIELDS = 64

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class BadField(Refusal):
    """A parameter that cannot be read: `problem` is doubled, too_long, control, encoding or type."""

    def __init__(self, field: str, problem: str, message: str) -> None:
        super().__init__(Code.BAD_REQUEST, message)
        self.field = field
        self.problem = problem


def fields(
    asked: Request | None = None, *, known: Collection[str] | None = None, free: Collection[str] = ()
) -> dict[str, str]:
    """The parameters of a request – query, form, multipart or a JSON object – exactly as they were sent.

    Numbers in JSON keep their spelling. Each parameter at most once (query and body may repeat the same value), in
    UTF-8, without control characters, at most 2,048 characters. If `known` is given, parameters with other names are
    ignored unread. `free` names parameters that no signature covers and that strangers may have written: they may hold
    any character (half of a surrogate pair becomes U+FFFD), and JSON's true and false become words. Refused:
    `BadField`, BAD_REQUEST.
    """
    asked = asked or request._get_current_object()  # type: ignore[attr-defined]
    query = _once(_pairs(asked.query_string), known, free)
    if not (asked.content_length or "HTTP_TRANSFER_ENCODING" in asked.environ):
        return query
    return _merged(query, _once(_body_pairs(asked), known, free))


def of_form(encoded: bytes, known: Collection[str]) -> dict[str, str]:
    """As `fields`, for a query or a form alone."""
    return _once(_pairs(encoded), known, ())


def _body_pairs(asked: Request) -> list[tuple[str, object]]:
    if (asked.content_length or 0) > MAX_BODY:
        raise Refusal(Code.BAD_REQUEST, "The body is too long: at most 64 KiB.")
    kind = asked.environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            if None in asked.form:
                raise BadField("", "encoding", "A part of the body has no name.")
            return [(name, value) for name, values in asked.form.lists() for value in values]
        body = asked.get_data(cache=True)
    except HTTPException as error:  # longer than it may be, or broken off
        raise Refusal(Code.BAD_REQUEST, "The body is too long, or ends too early.") from error
    if len(body) > MAX_BODY:
        raise Refusal(Code.BAD_REQUEST, "The body is too long: at most 64 KiB.")
    return _json_pairs(body) if _is_json(kind, body) else _pairs(body)


def _is_json(kind: str, body: bytes) -> bool:
    if kind == "application/x-www-form-urlencoded":
        return False
    return kind.endswith(("/json", "+json")) or body.lstrip()[:1] == b"{"


def _pairs(encoded: bytes) -> list[tuple[str, object]]:
    """Understands clients, too, that send UTF-8 without percent-encoding."""
    if not encoded:
        return []
    try:
        text = encoded.decode()
        return [*parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)]
    except UnicodeDecodeError as error:
        raise BadField("", "encoding", "The parameters are not UTF-8 in URL encoding.") from error
    except ValueError as error:
        raise Refusal(Code.BAD_REQUEST, "There are too many parameters.") from error


class _Object(list[tuple[str, object]]):
    """A JSON object that keeps its names in order, repeated ones included."""


def _json_pairs(body: bytes) -> list[tuple[str, object]]:
    try:
        text = body.decode("utf-8-sig")
        found = json.loads(text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_Object)
    except (ValueError, RecursionError) as error:
        raise Refusal(Code.BAD_REQUEST, "The body is not a JSON object in UTF-8.") from error
    if not isinstance(found, _Object):
        raise Refusal(Code.BAD_REQUEST, "The body is not a JSON object.")
    if len(found) > _MAX_FIELDS:
        raise Refusal(Code.BAD_REQUEST, "There are too many parameters.")
    return [(name, value) for name, value in found if value is not None]


def _once(pairs: Iterable[tuple[str, object]], known: Collection[str] | None, free: Collection[str]) -> dict[str, str]:
    seen: dict[str, str] = {}
    for name, value in pairs:
        if known is not None and name not in known:
            continue
        if name in seen:
            raise BadField(name, "doubled", f"The parameter {_short(name)} occurs twice.")
        seen[name] = _free(name, value) if name in free else _strict(name, value)
    return seen


def _merged(query: dict[str, str], body: dict[str, str]) -> dict[str, str]:
    for name in query.keys() & body.keys():
        if query[name] != body[name]:
            raise BadField(name, "doubled", f"The parameter {_short(name)} differs between query and body.")
    return {**query, **body} if query else body


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadField(name, "type", f"The parameter {_short(name)} must be a string or a number.")
    if len(name) > 64 or len(value) > MAX_FIELD:
        raise BadField(name, "too_long", f"The parameter {_short(name)} is too long.")
    return value


def _free(name: str, value: object) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    return _text(name, value).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _strict(name: str, value: object) -> str:
    value = _text(name, value)
    text = name + value
    if "\ufffd" in text:  # left behind by bytes that are not UTF-8 in a multipart body
        raise BadField(name, "encoding", f"The parameter {_short(name)} is not UTF-8.")
    if _CONTROL.search(text):
        raise BadField(name, "control", f"The parameter {_short(name)} holds control characters.")
    return value


def _short(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:32])

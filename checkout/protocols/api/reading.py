"""Requests read strictly: JSON in UTF-8, each name once, nothing that is not asked for, every fault named at once.

What two readers could read in two ways (a name that occurs twice, half of a surrogate pair, a control character) is
refused, whatever the models say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from flask import request
from msgspec import Struct
from werkzeug.exceptions import HTTPException

from checkout.errors import Code
from checkout.fields import MAX_BODY
from checkout.protocols.api.models import Fault
from checkout.protocols.api.problems import Wrong

Model = TypeVar("Model", bound=Struct)

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_WHOLE = re.compile(r"[0-9]{1,9}")
_PLACE = re.compile(r" - at (?:`(?P<key>key)` in )?`\$(?P<path>[^`]*)`\Z")
_TYPES = {"int": "a whole number", "str": "a string", "object": "an object", "array": "a list", "bool": "true or false"}
_MOST = 20  # faults that are named at once
_DEEP = 16


class _Doubled(ValueError):
    """A name occurs twice in an object."""


def body(model: type[Model]) -> Model:
    """The body as the model has it. Raises `Wrong` (400, 413, 415)."""
    raw = _raw_body()
    if not raw:
        document: Any = {}
    else:
        _check_type()
        document = _parsed(raw)
    if not isinstance(document, dict):
        raise Wrong(400, "The body must be a JSON object.", errors=[Fault("The body must be an object.", pointer="#")])
    if faults := list(_unclean(document, "#")):
        raise _wrong(faults)
    values, faults = _checked(model, document)
    if faults:
        raise _wrong(faults)
    return model(**values)


def query(model: type[Model] | None) -> Model | None:
    """The parameters of the query as the model has them. Raises `Wrong` (400)."""
    pairs = _pairs()
    faults = [Fault("It occurs twice.", parameter=_short(name)) for name in _doubled([name for name, _ in pairs])]
    if model is None:
        faults += [Fault("There is no such parameter.", parameter=_short(name)) for name, _ in pairs]
        if faults:
            raise _wrong(faults)
        return None
    values, more = _checked(model, _typed(model, dict(pairs)))
    faults += [Fault(one.detail.replace("field", "parameter"), parameter=one.pointer[2:]) for one in more]
    faults += [
        Fault("It holds control characters.", parameter=_short(name)) for name, text in pairs if _CONTROL.search(text)
    ]
    if faults:
        raise _wrong(faults)
    return model(**values)


def _raw_body() -> bytes:
    if (request.content_length or 0) > MAX_BODY:
        raise Wrong(413, "The body is too long: at most 64 KiB.")
    try:
        raw = request.get_data(cache=True)
    except HTTPException as error:  # broken off, or longer than any request may be
        raise Wrong(error.code or 400, "The body is too long, or ends too early.") from error
    if len(raw) > MAX_BODY:
        raise Wrong(413, "The body is too long: at most 64 KiB.")
    return raw


def _check_type() -> None:
    if request.mimetype != "application/json" or request.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
        raise Wrong(415, "The body must be JSON in UTF-8: send Content-Type: application/json.")


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode(), object_pairs_hook=_object, parse_constant=_constant)
    except _Doubled as error:
        raise Wrong(400, str(error), errors=[Fault(str(error), pointer="#")]) from error
    except (ValueError, RecursionError) as error:
        raise Wrong(400, "The body is not JSON in UTF-8.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Doubled(f"The name {_short(_doubled([name for name, _ in pairs])[0])} occurs twice in an object.")
    return found


def _constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON.")


def _doubled(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []


def _unclean(value: Any, pointer: str, depth: int = 0) -> Iterator[Fault]:
    """Texts that hold what no text may hold, and what lies too deep."""
    if depth > _DEEP:
        yield Fault("It is nested too deeply.", pointer=pointer)
    elif isinstance(value, str) and _CONTROL.search(value):
        yield Fault("It holds control characters, or half a character.", pointer=pointer)
    elif isinstance(value, dict):
        for name, item in value.items():
            if _CONTROL.search(name):
                yield Fault("A name in it holds control characters, or half a character.", pointer=pointer)
            else:
                yield from _unclean(item, f"{pointer}/{_escaped(name)}", depth + 1)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _unclean(item, f"{pointer}/{place}", depth + 1)


def _checked(model: type[Struct], document: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """The fields as the model types them, and all that is wrong: a list that is mended in one go."""
    values, faults = {}, []
    known = msgspec.structs.fields(model)
    for field in known:
        if field.name not in document:
            if field.required:
                faults.append(Fault("It is missing.", pointer=f"#/{field.name}"))
            continue
        try:
            values[field.name] = msgspec.convert(document[field.name], field.type)
        except msgspec.ValidationError as error:
            faults.append(_fault(field.name, str(error)))
    names = {field.name for field in known}
    faults += [
        Fault("There is no such field.", pointer=f"#/{_escaped(_short(name))}")
        for name in document
        if name not in names
    ]
    return values, faults


def _fault(name: str, message: str) -> Fault:
    found = _PLACE.search(message)
    path = found["path"].replace("[...]", "").replace(".", "/") if found else ""
    what = message[: found.start()] if found else message
    if what.startswith("Object contains unknown field"):
        path += "/" + _escaped(_short(what.split("`")[1]))
    return Fault(_sentence(what, found is not None and bool(found["key"])), pointer=f"#/{name}{path}")


def _sentence(what: str, is_key: bool) -> str:
    """msgspec's words without its types' names."""
    subject = "One of its names" if is_key else "It"
    if "matching regex" in what:
        return f"{subject} has a character, or a form, that is not allowed here."
    if what.startswith("Invalid enum value"):
        return f"{subject} is none of the values that are allowed here."
    if what.startswith("Object contains unknown field"):
        return "There is no such field."
    if what.startswith("Object missing required field"):
        return f"The field {what.split('`')[1]} is missing."
    for kind, words in _TYPES.items():
        what = re.sub(rf"(Expected |\| |, got )`{kind}( \| null)?`", rf"\1{words}", what)
    return f"{what[0].upper()}{what[1:]}.".replace("`", "")


def _typed(model: type[Struct], texts: dict[str, str]) -> dict[str, Any]:
    """Whole numbers as numbers; everything else in a query is text."""
    numbers = {field.name for field in msgspec.structs.fields(model) if isinstance(field.default, int)}
    return {name: int(text) if name in numbers and _WHOLE.fullmatch(text) else text for name, text in texts.items()}


def _pairs() -> list[tuple[str, str]]:
    try:
        text = request.query_string.decode()
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=64)
    except ValueError as error:
        raise Wrong(400, "The query is not UTF-8 in URL encoding, or too long.") from error


def _wrong(faults: list[Fault]) -> Wrong:
    first = faults[0]
    where = first.parameter or first.pointer.removeprefix("#/") or "The body"
    more = f" ({len(faults)} faults in all: see errors.)" if len(faults) > 1 else ""
    return Wrong(400, f"{where}: {first.detail}{more}", code=Code.BAD_REQUEST.value, errors=faults[:_MOST])


def _escaped(name: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _short(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:64])

"""The OpenAPI 3.1 document, made from the table of operations and the models that check and answer."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from flask import Response
from msgspec import Struct

from checkout import __version__
from checkout.protocols.api import models
from checkout.protocols.api.entry import Operation
from checkout.protocols.api.operations import OPERATIONS
from checkout.protocols.api.problems import MIMETYPE, PREFIX
from checkout.web import url_for_buyers

_REF = "#/components/schemas/{name}"
_ALWAYS = (400, 401, 403, 429, 500, 503)
_MEANINGS = {
    200: "Done.", 201: "Made.", 400: "The request is wrong: `errors` says where.", 401: "No valid key.",
    403: "The key, or its merchant, may not do this.", 404: "There is no such thing, or it is another merchant's.",
    409: "The state of things does not allow it, or the number or the idempotency key is taken.",
    413: "The body is longer than 64 KiB.", 415: "The body is not JSON.", 429: "Too many requests: see Retry-After.",
    500: "A fault of ours; nothing was booked.", 502: "The gateway refused.", 503: "Try again: see Retry-After.",
}  # fmt: skip
_PATHS = {
    "order": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "product": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"},
    "payment": {"type": "string", "pattern": "^[a-z0-9_]{1,64}$"},
    "receipt": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key with the same request has one effect and gets the same answer for 24 hours, with the"
    " header Idempotency-Replayed. A request that was refused has had no effect and may be sent again.",
    "schema": {"type": "string", "pattern": "^[!-+\\x2d-~]{1,255}$"},
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 0}}}
_RECEIPT = {
    "operationId": "get_receipt", "summary": "Look at a receipt", "tags": ["receipts"], "security": [],
    "description": "Needs no key: whoever holds the receipt's token may look, from any site (CORS *).",
}  # fmt: skip


def document() -> Response:
    return Response(_encoded(url_for_buyers(PREFIX)), mimetype="application/json")


def described(server: str) -> dict[str, Any]:
    """The document; `server` is the address that the paths are below."""
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    paths["/receipts/{receipt}"] = {"get": _receipt()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Checkout",
            "version": __version__,
            "description": "Money is fen, times are RFC 3339, errors are problem documents: decide by `code`.",
        },
        "servers": [{"url": server}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "checkout key add MERCHANT makes a key."}
            },
        },
    }


@lru_cache(maxsize=4)
def _encoded(server: str) -> bytes:
    return msgspec.json.encode(described(server))


def _operation(one: Operation) -> dict[str, Any]:
    is_write = one.method == "POST"
    found: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "tags": [one.path.split("/")[1]],
        "security": [{"key": [str(one.scope)] if one.scope else []}],
        "parameters": [
            *_path_parameters(one.path),
            *_query_parameters(one.query),
            *([_IDEMPOTENCY] if is_write else []),
        ],
        "responses": _responses(one),
    }
    if one.about:
        found["description"] = one.about
    if one.body is not None:
        schema = {"$ref": _REF.format(name=one.body.__name__)}
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return found


def _receipt() -> dict[str, Any]:
    responses = {
        "200": _json(200, models.Receipt),
        **{str(status): _problem(status) for status in (404, 429, 500, 503)},
    }
    return {**_RECEIPT, "parameters": _path_parameters("/receipts/{receipt}"), "responses": responses}


def _responses(one: Operation) -> dict[str, Any]:
    wrong = {*_ALWAYS, *one.refusals, *((413, 415) if one.method == "POST" else ())}
    return {str(status): _json(status, one.answer) for status in sorted({one.status, *one.also})} | {
        str(status): _problem(status) for status in sorted(wrong)
    }


def _json(status: int, answer: type[Struct]) -> dict[str, Any]:
    schema = {"$ref": _REF.format(name=answer.__name__)}
    return {"description": _MEANINGS[status], "content": {"application/json": {"schema": schema}}}


def _problem(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": _MEANINGS[status],
        "content": {MIMETYPE: {"schema": {"$ref": _REF.format(name="Problem")}}},
    }
    return {**found, "headers": _RETRY_AFTER} if status in (429, 503) else found


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [step[1:-1] for step in path.split("/") if step.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": _PATHS[name]} for name in names]


def _query_parameters(model: type[Struct] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    ((_,), schemas) = msgspec.json.schema_components([model], ref_template=_REF)
    properties: dict[str, dict[str, Any]] = schemas[model.__name__]["properties"]
    return [{"name": name, "in": "query", "schema": _without_null(schema)} for name, schema in properties.items()]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query has no null: the parameter is left out."""
    kept = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf" and value is not None}
    return {**kept[0], **rest} if len(kept) == 1 else rest


def _schemas() -> dict[str, Any]:
    used: list[type[Struct]] = [models.Problem, models.Receipt]
    for one in OPERATIONS:
        used += [model for model in (one.body, one.answer, one.query) if model is not None]
    _, found = msgspec.json.schema_components(used, ref_template=_REF)
    queries = {one.query.__name__ for one in OPERATIONS if one.query is not None}
    found = {name: schema for name, schema in found.items() if name not in queries}
    found["NewOrder"]["anyOf"] = [
        {"required": ["price"], "properties": {"price": {"type": "object"}}},
        {"required": ["product"], "properties": {"product": {"type": "string"}}},
    ]
    return found

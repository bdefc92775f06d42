"""Forms as shops' HTTP clients send them, and what they read from the address of the checkout page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode, urlsplit

from flask import Flask

from tests.clients.wire import Reply, Wire

FORM = "application/x-www-form-urlencoded"
BOUNDARY = "----a-shops-boundary"


def post(wire: Wire, path: str, values: Mapping[str, str]) -> Reply:
    return send(wire, path, urlencode(values).encode())


def get(wire: Wire, path: str, values: Mapping[str, str] | None = None) -> Reply:
    return wire("GET", f"{path}?{urlencode(values)}" if values else path, {}, b"")


def post_multipart(wire: Wire, path: str, values: Mapping[str, str]) -> Reply:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in values.items()
    ]
    return send(
        wire, path, "".join([*parts, f"--{BOUNDARY}--\r\n"]).encode(), f"multipart/form-data; boundary={BOUNDARY}"
    )


def members(reply: Reply) -> dict[str, Any]:
    """The JSON object that every answer of these dialects is."""
    assert reply.status == 200, reply.status
    assert reply.headers["content-type"].startswith("application/json")
    found = reply.json()
    assert isinstance(found, dict)
    return found


def send(wire: Wire, path: str, body: bytes, content_type: str = FORM) -> Reply:
    return wire("POST", path, {"Content-Type": content_type}, body)


def token_of(url: str) -> str:
    """The order's token in the address of the checkout page."""
    folder, _, token = urlsplit(url).path.rpartition("/")
    assert folder.endswith("/pay")
    return token


def raw_path(app: Flask) -> Wire:
    """As servers hand paths over: also those that begin with two slashes, which a URL parser would take for a host."""

    def send(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        path, _, query = target.partition("?")
        environ = {"PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query}
        found = app.test_client().open(
            method=method, headers=dict(headers), data=body or None, environ_overrides=environ
        )
        return Reply(found.status_code, {name.lower(): value for name, value in found.headers}, found.data)

    return send

"""How the tests' clients reach a server: through Flask's test client, or over a real connection."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from flask import Flask


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        """As a strict client reads it: UTF-8, each name once."""
        return json.loads(self.body.decode("utf-8"), object_pairs_hook=_each_once)


class Wire(Protocol):
    def __call__(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply: ...


def to_app(app: Flask) -> Wire:
    def send(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        path, _, query = target.partition("?")
        # As a server hands it over: the path decoded, the query as it came.
        found = app.test_client().open(
            path=path, query_string=query, method=method, headers=dict(headers), data=body or None
        )
        return Reply(found.status_code, {name.lower(): value for name, value in found.headers}, found.data)

    return send


def to_server(base_url: str, *, trust: str | None = None, source: str = "") -> Wire:
    """One connection for each request, as most PHP clients have it. `trust` is the file of an authority for https,
    `source` the address that the client has."""
    place = urlsplit(base_url)
    assert place.hostname
    tls = ssl.create_default_context(cafile=trust) if trust else None

    def send(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        connection = _connection(place.hostname or "", place.port, tls, (source, 0) if source else None)
        try:
            connection.request(method, place.path + target, body or None, dict(headers))
            found = connection.getresponse()
            named = {name.lower(): value for name, value in found.getheaders()}
            return Reply(found.status, named, found.read())
        finally:
            connection.close()

    return send


def _connection(
    host: str, port: int | None, tls: ssl.SSLContext | None, source: tuple[str, int] | None
) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection(host, port, timeout=10, source_address=source)
    return http.client.HTTPSConnection(host, port, timeout=10, source_address=source, context=tls)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({name for name, _ in pairs}) == len(pairs), "a name occurs twice"
    return dict(pairs)

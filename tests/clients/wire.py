"""How the tests' clients reach a server: through Flask's test client, or over a real connection."""

from __future__ import annotations

import http.client
import json
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


def to_server(base_url: str) -> Wire:
    """One connection for each request, as most PHP clients have it."""
    place = urlsplit(base_url)
    assert place.hostname

    def send(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
        try:
            connection.request(method, place.path + target, body or None, dict(headers))
            found = connection.getresponse()
            named = {name.lower(): value for name, value in found.getheaders()}
            return Reply(found.status, named, found.read())
        finally:
            connection.close()

    return send


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({name for name, _ in pairs}) == len(pairs), "a name occurs twice"
    return dict(pairs)

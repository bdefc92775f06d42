"""A request to another server and its answer, as records; how a request is written and why one fails (RFC 9112).

Pure: `checkout.http.client` sends them, and is where other modules import them from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct, field

from checkout.http.targets import Target

_METHOD = re.compile(r"[A-Z]{1,16}")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~]*")
_SET_HERE = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"}
)


class Reason(StrEnum):
    """Why there is no answer. The first four come as `Forbidden`: nothing was sent."""

    URL = "url"  # not in the plain form
    PORT = "port"
    ADDRESS = "address"  # not public
    REQUEST = "request"  # a method or header that cannot be sent
    DNS = "dns"
    CONNECT = "connect"  # refused, unreachable, or broken off by the other side
    TLS = "tls"
    TIMEOUT = "timeout"
    ANSWER = "answer"  # not HTTP, cut off, or a head too long


class Unreachable(Exception):
    """There is no answer. `message` is one sentence; it names the host, never the query."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Forbidden(Unreachable):
    """The request may not be sent, and was not."""


class Outgoing(Struct, frozen=True):
    """One request to send. A `#fragment` in the URL is not sent; Host, Connection and lengths are added."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Answer(Struct, frozen=True):
    """What came back, of any status. `headers` finds names in either case; the body is cut, never decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_ms: int


class Headers(Mapping[str, str]):
    """Names in either case; the values of a repeated one joined by `, `."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in pairs:
            known = self._values.get(name.lower())
            self._values[name.lower()] = value if known is None else f"{known}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def written(request: Outgoing, target: Target, user_agent: str) -> bytes:
    """The request as HTTP/1.1 on the wire. Raises `Forbidden`: a method or header that cannot be sent."""
    given = {name.lower() for name in request.headers}
    defaults = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}
    headers = {name: value for name, value in defaults.items() if name.lower() not in given}
    headers.update(request.headers)
    if not (_METHOD.fullmatch(request.method) and given.isdisjoint(_SET_HERE) and _plain(headers)):
        raise Forbidden(Reason.REQUEST, "The request has a method or header that cannot be sent.")
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        headers["Content-Length"] = str(len(request.body))
    start = f"{request.method} {target.path} HTTP/1.1\r\nHost: {target.authority}\r\nConnection: close\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{start}{lines}\r\n".encode("ascii") + request.body


def _plain(headers: Mapping[str, str]) -> bool:
    return all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers.items())

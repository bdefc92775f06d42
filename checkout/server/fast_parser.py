"""Requests as browsers and programs send them all day, read and answered at a third of what gunicorn's parser takes.

Only what can be read in one way alone is read here: GET or POST, printable ASCII, nothing encoded in the path, each
field once, a body as long as the head says. For anything else `read` gives None, and gunicorn, which knows all of
RFC 9112, answers or refuses it. For what is read here both give the same environment (PEP 3333).
"""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, NamedTuple

from checkout.front import joined

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

Address = tuple[Any, ...]  # as the socket module gives it: host, port …

_MOST_HEAD = 8190  # bytes; what gunicorn allows for a line
_MOST_FIELDS = 64
_POLL = re.compile(rb"GET [^ ?]*/pay/[0-9a-f]{32}/poll\?")
_PLAIN = re.compile(rb"(?:GET|POST) [^ ?]*/(?:createOrder|appPush)[ ?]")
_HEAD = re.compile(rb"[\t -~]+(?:\r\n[\t -~]+)*")
_FIELDS = re.compile(r"(?:[\t -~\x80-\xff]+\r\n)*")
_LINE = re.compile(r"(GET|POST) ((/(?!/)[^ \t?#%]*)(?:\?([^ \t?#][^ \t#]*)?)?) (HTTP/1\.[01])")
_NAME = re.compile(r"[!#$%&'*+.^`|~0-9A-Za-z-]+")  # gunicorn drops those with an underscore
_PECULIAR = frozenset({"EXPECT", "TRANSFER-ENCODING", "UPGRADE", "HTTP2-SETTINGS"})
_BARE = {"CONTENT-TYPE": "CONTENT_TYPE", "CONTENT-LENGTH": "CONTENT_LENGTH"}  # without HTTP_ before them
_MOST_NAMES = 512

_keys: dict[str, str] = {}  # what a name is called in the environment, by its spelling; "": none of ours
_date = (0, "")


class Answer(NamedTuple):
    """What an application has said; `fields` are the lines of its headers."""

    status: str
    fields: str
    body: bytes

    def written(self, *, goes_on: bool) -> bytes:
        """As it goes to the client, who is told whether the connection stays open."""
        wish = "keep-alive" if goes_on else "close"
        head = f"{self.status}\r\nServer: gunicorn\r\nDate: {_now()}\r\nConnection: {wish}\r\n{self.fields}\r\n"
        return head.encode("latin-1") + self.body


def is_poll(request: bytes) -> bool:
    return _POLL.match(request) is not None


def is_plain(request: bytes) -> bool:
    """Whether it asks for what `checkout.plain` answers."""
    return _PLAIN.match(request) is not None


def read(request: bytes, client: Address, server: Address) -> WSGIEnvironment | None:
    """The environment of a request that is all here and nothing more."""
    head, _, body = request.partition(b"\r\n\r\n")
    if len(head) > _MOST_HEAD or not _HEAD.fullmatch(head):
        return None
    line, *fields = head.decode("ascii").split("\r\n")
    asked = _LINE.fullmatch(line)
    if asked is None or len(fields) > _MOST_FIELDS:
        return None
    method, target, path, query, protocol = asked.groups("")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method, "RAW_URI": target, "PATH_INFO": path, "QUERY_STRING": query, "SCRIPT_NAME": "",
        "SERVER_PROTOCOL": protocol, "SERVER_NAME": server[0], "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0], "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True, "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
    }  # fmt: skip
    for field in fields:
        name, colon, value = field.partition(":")
        key = _keys.get(name) or _key_of(name)
        if not (key and colon) or key in environ:
            return None
        environ[key] = value.strip(" \t")
    known = environ.get("HTTP_CONNECTION", "close").lower() in ("close", "keep-alive")
    return environ if known and _is_whole(environ, body) else None


def goes_on(environ: WSGIEnvironment) -> bool:
    """Whether the client keeps the connection for its next request."""
    wish: str = environ.get("HTTP_CONNECTION", "")
    return wish.lower() != "close" if wish else environ["SERVER_PROTOCOL"] != "HTTP/1.0"


def answered(app: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """Raises what the application raises, and ValueError for a header that cannot be sent."""
    return begun(app, environ)()


def begun(app: WSGIApplication, environ: WSGIEnvironment) -> Callable[[], Answer]:
    """Calls the application, and returns what reads its answer: what it has left for then is done then. Both raise as
    `answered`."""
    began: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]], _: object = None) -> Any:
        began[:] = [(status, headers)]
        return None

    pieces = app(environ, start)

    def read() -> Answer:
        body = joined(pieces)
        ((status, headers),) = began
        return _answer(environ["SERVER_PROTOCOL"], status, headers, body)

    return read


def _answer(protocol: str, status: str, headers: list[tuple[str, str]], body: bytes) -> Answer:
    lines = [f"{name}: {value}\r\n" for name, value in headers if name.lower() != "content-length"]
    if status[:3] in ("204", "304"):
        body = b""
    else:
        lines.append(f"Content-Length: {len(body)}\r\n")
    head = "".join(lines)
    if head.count("\n") != len(lines) or not _FIELDS.fullmatch(head):
        raise ValueError("A header of the answer holds what cannot be sent.")
    return Answer(f"{protocol} {status}", head, body)


def _key_of(name: str) -> str:
    upper = name.upper()
    if not _NAME.fullmatch(name) or upper in _PECULIAR:
        return ""
    key = _BARE.get(upper) or "HTTP_" + upper.replace("-", "_")
    if len(_keys) < _MOST_NAMES:
        _keys[name] = key
    return key


def _is_whole(environ: WSGIEnvironment, body: bytes) -> bool:
    length: str | None = environ.get("CONTENT_LENGTH")
    if length is None:
        return not body and environ["REQUEST_METHOD"] == "GET"
    return length.isdigit() and len(length) < 10 and int(length) == len(body)


def _now() -> str:
    """The moment as HTTP writes it (RFC 9110, 5.6.7)."""
    global _date
    second, text = _date
    now = int(time.time())
    if now != second:
        text = formatdate(now, usegmt=True)
        _date = (now, text)
    return text

"""A small HTTP server on 127.0.0.1 for what stands in for a gateway; it answers, keeps silent or takes its time."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from checkout.http.client import Client, Outgoing, Unreachable

MAX_BODY = 1_000_000
_STYLE = (
    "body{max-width:22em;margin:12vh auto;padding:0 16px;font:16px/1.5 system-ui,sans-serif;text-align:center}"
    "button{width:100%;min-height:48px;border:0;border-radius:10px;background:#1553c0;color:#fff;font:inherit}"
    ":root{color-scheme:light dark}"
)
_CLIENT = Client(allow_private=True, ports=None)


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]  # names in lower case
    certified: bool = False  # the client showed a certificate that `tls` trusts


@dataclass(frozen=True)
class Answered:
    body: bytes
    status: int = 200
    mimetype: str = "text/html;charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Handle = Callable[[Asked], Answered | None]  # None: no answer until the server is closed


class Serving:
    """Answers requests as `handle` says, from `with` to its end; `url` has no slash at its end. With `tls` by https."""

    def __init__(self, handle: Handle, port: int = 0, *, tls: ssl.SSLContext | None = None) -> None:
        self.closing = threading.Event()
        serving = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(min(length, MAX_BODY))
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                certified = isinstance(self.connection, ssl.SSLSocket) and bool(self.connection.getpeercert())
                answer = handle(Asked(self.command, parts.path, parts.query, body, headers, certified))
                if answer is None:
                    serving.closing.wait(60)
                    return
                self.send_response(answer.status)
                for name, value in {"Content-Type": answer.mimetype, **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_POST = do_GET  # noqa: N815 - the library's name

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: tests read what came from the fake."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Clients that hang up early are part of the tests."""

        self._server = Server(("127.0.0.1", port), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def leave(self) -> None:
        """Gives the port to the process that was forked."""
        self._server.socket.close()

    def __enter__(self) -> Serving:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def once(encoded: str) -> dict[str, str] | None:
    """The pairs of a form or query, None where a name occurs twice."""
    pairs = parse_qsl(encoded, keep_blank_values=True, strict_parsing=bool(encoded))
    found = dict(pairs)
    return found if len(found) == len(pairs) else None


def post(
    url: str, body: bytes, mimetype: str = "application/x-www-form-urlencoded", headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Sends a notice; gives the status and what was answered to the letter. OSError: there is no answer."""
    assert urlsplit(url).hostname == "127.0.0.1", "these gateways speak to this machine only"
    try:
        answer = _CLIENT.send(Outgoing("POST", url, {"Content-Type": mimetype, **(headers or {})}, body))
    except Unreachable as problem:
        raise OSError(problem.message) from problem
    return answer.status, answer.body


def cashier(title: str, yuan: str, action: str) -> Answered:
    """The page on which a buyer pays, or does not."""
    button = f'<form method="post" action="{escape(action)}"><button id="pay">付款 Pay ¥{escape(yuan)}</button></form>'
    note = "<p>模拟网关，不会产生真实付款。<br>A simulated gateway: no money moves.</p>"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    return Answered(f"<!doctype html>{head}<title>Cashier</title><h1>{escape(title)}</h1>{button}{note}".encode())


def paid(back: str = "") -> Answered:
    """After it: back to where the buyer came from, where that is known."""
    if back:
        return Answered(b"", 303, headers={"Location": back})
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    note = "<p>可以关闭本页，回到收银台。<br>You can close this page and go back to the checkout.</p>"
    return Answered(f"<!doctype html>{head}<title>Paid</title><h1>✓ 已付款 Paid</h1>{note}".encode())

"""A real server in a process of its own, and a merchant's web server for its callbacks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.conftest import postgres_server
from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
START_S = 30
KINDS = ("sqlite", "postgres")
Receive = Callable[[str, str, str, bytes], bytes]


@dataclass(frozen=True)
class Place:
    """A server's folder, and where its database is."""

    folder: Path
    database: str

    @property
    def settings(self) -> dict[str, str]:
        secret = {"secret": "s" * 64} if self.database.startswith("postgresql:") else {}
        return {"database": self.database, **secret}


@contextmanager
def placed(kind: str, folder: Path) -> Iterator[Place]:
    """A new one, in `folder` or on a real PostgreSQL."""
    if kind == "sqlite":
        yield Place(folder, str(folder / "data" / "checkout.db"))
        return
    server = postgres_server()
    address = server.create()
    yield Place(folder, address)
    server.drop(address)


@contextmanager
def serving(place: Place, **settings: str) -> Iterator[str]:
    """`checkout serve` there, with settings by their name; gives its address."""
    folder, settings = place.folder, {**place.settings, **settings}
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CHECKOUT_")}
    environ |= {"CHECKOUT_BASE_URL": address, "CHECKOUT_ALLOW_PRIVATE": "1", "PYTHONPATH": str(ROOT)}
    environ |= {f"CHECKOUT_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "checkout", "serve", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "log")
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=START_S)


class Shops:
    """A merchant's web server: each path has a page that receives callbacks."""

    def __init__(self, pages: Mapping[str, Receive]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(pages, self._answered))
        self._arrived = threading.Condition()
        self._count = 0
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def wait_for(self, count: int, timeout_s: int = 10) -> bool:
        """Whether so many callbacks have been answered by then."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self._count >= count, timeout_s)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answered(self) -> None:
        with self._arrived:
            self._count += 1
            self._arrived.notify_all()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text(errors="replace"))


def _handler(pages: Mapping[str, Receive], answered: Callable[[], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            page = pages[self.path.partition("?")[0]]
            said = page(self.command, self.path, self.headers.get("Content-Type", ""), body)
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
            answered()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler

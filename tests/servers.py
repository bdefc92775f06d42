"""Real servers as processes of their own, on free ports of 127.0.0.1."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from flask import Flask
from werkzeug.serving import make_server

ROOT = Path(__file__).resolve().parent.parent
CHECKOUT = (sys.executable, "-m", "checkout")
_START_S = 60  # machines that test are busy
_END_S = 60


@dataclass(frozen=True)
class Reply:
    status: int
    headers: HTTPMessage
    text: str


def free_port() -> int:
    """One below those that the kernel gives to clients, which could be taken again before a server listens on it."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as sock, suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", port))
            return port


def until(holds: Callable[[], object]) -> None:
    """Waits for what other processes bring about."""
    deadline = time.monotonic() + _START_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.01)


@contextmanager
def on_loopback(app: Flask) -> Iterator[str]:
    """An application of this process behind real HTTP: its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(url: str, form: Mapping[str, str] | None = None) -> Reply:
    """GET, or POST with a form; redirects are not followed."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=10)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
    body = urlencode(form) if form is not None else None
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("GET" if form is None else "POST", path or "/", body, headers)
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read().decode())
    finally:
        connection.close()


class Server:
    """A process that serves; `log` is what it has written."""

    def __init__(self, command: tuple[str, ...], environ: Mapping[str, str], log: Path, cwd: Path) -> None:
        self._log = log
        own = {name: value for name, value in os.environ.items() if not name.startswith(("CHECKOUT_", "COVERAGE_"))}
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, env={**own, "PYTHONPATH": str(ROOT), **environ}, cwd=cwd, stdout=file,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_until_ready(self, url: str) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log
            with suppress(OSError):
                if ask(url).status == 200:
                    return
            time.sleep(0.02)
        raise AssertionError(f"{url} did not answer: {self.log}")

    def stop(self) -> int:
        """Asks it to end, as an init system does; gives its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Waits until it has ended by itself; whatever it leaves behind is killed."""
        try:
            return self.process.wait(_END_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def children(self) -> list[int]:
        """Its workers: all processes below it, the oldest first."""
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = re.sub(r"\(.*\)", "x", stat.read_text()).split()
                parents[int(fields[0])] = int(fields[3])
        found = [self.process.pid]
        for one in found:
            found += sorted(child for child, parent in parents.items() if parent == one)
        return found[1:]


@contextmanager
def serving(
    tmp_path: Path,
    *command: str,
    environ: Mapping[str, str] | None = None,
    port: int | None = None,
    path: str = "/healthz",
) -> Iterator[tuple[Server, str]]:
    """Starts `command` (with {port} in it), waits until it answers, and stops it at the end."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    database = str(tmp_path / "data" / "checkout.db")
    values = {"CHECKOUT_DATABASE": database, "CHECKOUT_ALLOW_PRIVATE": "1", "CHECKOUT_BASE_URL": url, **(environ or {})}
    started = Server(tuple(word.format(port=port) for word in command), values, tmp_path / f"{port}.log", ROOT)
    try:
        started.wait_until_ready(url + path)
        yield started, url
    finally:
        started.stop()


__all__ = ["CHECKOUT", "ROOT", "Reply", "Server", "ask", "free_port", "serving"]

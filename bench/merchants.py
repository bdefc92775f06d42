"""Merchants' servers, in a process of their own so that they take no time from the driver.

`python -m bench.merchants HOST SECONDS` answers `success` to every callback after that time. It prints its port,
and then for each callback the monotonic clock, which all processes share, and the address asked for.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from bench.servers import ROOT


class MerchantServer:
    """`wait_for` gives when the callback of an order came, by its number at the merchant's."""

    def __init__(self, process: subprocess.Popen[str], host: str) -> None:
        assert process.stdout is not None
        self._lines = process.stdout
        self.address = f"http://{host}:{int(self._lines.readline())}/notify"
        self._came: dict[str, float] = {}
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, number: str, timeout: float = 30) -> float:
        """On the clock of time.perf_counter()."""
        with self._news:
            if not self._news.wait_for(lambda: number in self._came, timeout):
                raise RuntimeError(f"The callback of {number} did not come within {timeout} s.")
            return self._came[number]

    def _read(self) -> None:
        for line in self._lines:
            at, _, target = line.strip().partition(" ")
            number = parse_qs(urlsplit(target).query).get("payId", [""])[0]
            with self._news:
                self._came.setdefault(number, float(at))
                self._news.notify_all()


@contextlib.contextmanager
def merchant_server(host: str = "127.0.0.1", delay_s: float = 0) -> Iterator[MerchantServer]:
    """`host`: callbacks to one host take turns, so merchants that are not to share need different ones (127.0.0.2)."""
    command = [sys.executable, "-m", "bench.merchants", host, str(delay_s)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield MerchantServer(process, host)
    finally:
        process.kill()
        process.wait()


def _serve(host: str, delay_s: float) -> None:
    listener = socket.create_server((host, 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        words = connection.recv(65536).split()
        sys.stdout.write(f"{time.perf_counter()} {words[1].decode() if words else ''}\n")
        sys.stdout.flush()
        if delay_s:
            threading.Thread(target=_acknowledge, args=(connection, delay_s), daemon=True).start()
        else:
            _acknowledge(connection)


def _acknowledge(connection: socket.socket, delay_s: float = 0) -> None:
    time.sleep(delay_s)
    with connection, contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nsuccess")


if __name__ == "__main__":
    _serve(sys.argv[1], float(sys.argv[2]))

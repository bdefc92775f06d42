"""The servers under test, each a process of its own, pinned to one CPU; the driver runs on the other."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SERVER_CPU = 0
DRIVER_CPU = (os.cpu_count() or 2) - 1


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    started_s: float  # exec → first 200
    database: str = ""

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def memory_mb(self) -> tuple[float, float]:
        """(RSS, PSS) of the server and its children, in MB."""
        return memory_mb(self.process.pid)

    def cpu_s(self) -> float:
        """Seconds of CPU that the server and its children have used so far."""
        return cpu_s(self.process.pid)


@contextlib.contextmanager
def hello(workers: int = 1) -> Iterator[Server]:
    """The baseline: Flask hello under gunicorn gthread, pinned as ours is."""
    with _gunicorn("bench.hello:app", "/", workers) as server:
        yield server


@contextlib.contextmanager
def plain() -> Iterator[Server]:
    """Checkout as nothing but a Flask application, under the gunicorn of the baseline."""
    with _gunicorn("bench.plain:app", "/healthz") as server:
        yield server


@contextlib.contextmanager
def checkout(*, cpus: set[int] | None = None, **settings: str) -> Iterator[Server]:
    """`checkout serve`, on a new database unless one is named."""
    environ = {f"CHECKOUT_{name.upper()}": value for name, value in {"allow_private": "1", **settings}.items()}
    command = [sys.executable, "-m", "checkout", "serve", "--port"]
    with _running(lambda port: [*command, str(port)], "/healthz", environ, cpus or {SERVER_CPU}) as server:
        yield server


def command(server: Server, *words: str) -> Any:
    """Runs `checkout … --json` on the server's database; the parsed answer."""
    environ = {**os.environ, "CHECKOUT_DATABASE": server.database, "PYTHONPATH": str(ROOT)}
    environ |= {"CHECKOUT_ALLOW_PRIVATE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "checkout", *words, "--json"], env=environ, check=True, capture_output=True
    )
    return json.loads(done.stdout)


@contextlib.contextmanager
def existing_database() -> Iterator[str]:
    """Of a server that has run before: the first start of all makes the tables, which no other one does."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/checkout.db"
        with checkout(database=path):
            pass
        yield path


def pin_driver() -> None:
    os.sched_setaffinity(0, {DRIVER_CPU})


def all_cpus() -> set[int]:
    return set(range(os.cpu_count() or 2))


def memory_mb(pid: int) -> tuple[float, float]:
    """(RSS, PSS) of a process and all below it, in MB."""
    rss = pss = 0
    for one in family(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            name, *rest = line.split()
            rss += int(rest[0]) if name == "Rss:" else 0
            pss += int(rest[0]) if name == "Pss:" else 0
    return rss / 1024, pss / 1024


def cpu_s(pid: int) -> float:
    """Seconds of CPU, user and system, of the threads of a process and of all below it."""
    nanoseconds = 0
    for one in family(pid):
        for thread in Path(f"/proc/{one}/task").iterdir():
            with contextlib.suppress(OSError):  # it has just ended
                nanoseconds += int((thread / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def family(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in found for one in family(int(child)))]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def _gunicorn(app: str, path: str, workers: int = 1) -> Iterator[Server]:
    command = [sys.executable, "-m", "gunicorn", app, "--worker-class", "gthread", "--workers", str(workers)]
    command += ["--threads", "4", "--log-level", "error", "--no-control-socket"]
    with _running(
        lambda port: [*command, "--bind", f"127.0.0.1:{port}"], path, {"CHECKOUT_ALLOW_PRIVATE": "1"}, {SERVER_CPU}
    ) as server:
        yield server


@contextlib.contextmanager
def _running(
    command: Callable[[int], list[str]], path: str, environ: Mapping[str, str], cpus: set[int]
) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        env |= {"CHECKOUT_DATABASE": f"{folder}/checkout.db", "PYTHONPATH": str(ROOT), **environ}
        started = time.perf_counter()
        process = subprocess.Popen(
            command(port), cwd=folder, env=env, stdout=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )  # fmt: skip
        try:
            began = _first_answer(process, port, path) - started
            yield Server(process, port, Path(folder), began, env["CHECKOUT_DATABASE"])
        finally:
            process.terminate()
            process.wait(20)


def _first_answer(process: subprocess.Popen[bytes], port: int, path: str) -> float:
    """When the server answered with 200 for the first time."""
    for _ in range(24_000):
        if process.poll() is not None:
            raise RuntimeError("The server did not start.")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                if answer.status == 200:
                    return time.perf_counter()
        except OSError:
            time.sleep(0.005)
    raise RuntimeError("The server did not answer within two minutes.")

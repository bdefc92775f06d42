"""The power cut at any moment: disks as they may look then, made from what a real server wrote and synced.

The server runs under strace. What it wrote to the database and its log before the last sync of that file is on the
disk for certain; of what it wrote after it, any part may be, and the last write may be torn at a sector. Each such disk
is opened as a restart would: it must be sound, and hold all that a client had been told before the cut. This is what
synchronous=FULL promises; with NORMAL the same test finds losses.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from checkout.money import fen
from tests.servers import ROOT, Server, free_port
from tests.soak import crash

CONNECTIONS = 4
SECTOR = 512
_CALLS = "accept4,sendto,pwrite64,ftruncate,fdatasync,fsync"
_LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>(.*)|(\w+)\((.*))$", re.DOTALL)
_FILE = re.compile(r"\d+<((?:->|[^>])*)>(.*)", re.DOTALL)
_HEX = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True, slots=True)
class Event:
    """A system call of the server. `name` is the file's, or the client's port for an answer."""

    call: str  # write | truncate | sync | answer
    name: str
    at: int = 0  # offset of a write, new size of a truncated file
    data: bytes = b""


@dataclass
class Recording:
    start: dict[str, bytes]  # the files as they were before the server wrote
    events: list[Event]
    told: dict[str, list[tuple[str, str]]]  # by the client's port: what each answer told it, in order


@dataclass
class Report:
    images: int
    acknowledged: int  # what was told in all images together
    lost: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)


def record(folder: Path, orders: int, *, synchronous: str = "FULL") -> Recording:
    """A server takes so many orders, and the money for them, from several clients at once."""
    ledger = crash.Ledger()
    database = folder / "data" / "checkout.db"
    crash.set_up(database, "")
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    start = {path.name: path.read_bytes() for path in (database, Path(f"{database}-wal")) if path.exists()}
    trace, port = folder / "trace", free_port()
    server = _start(folder, database, trace, port, synchronous)
    told: dict[str, list[tuple[str, str]]] = {}
    try:
        server.wait_until_ready(f"http://127.0.0.1:{port}/healthz")
        threads = [
            threading.Thread(target=_shop, args=(port, ledger, orders // CONNECTIONS, str(number), told))
            for number in range(CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()
    assert ledger.unexpected == []
    return Recording(start, list(_events(trace.read_text(), database.name, told)), told)


def cut(recording: Recording, folder: Path, images: int, seed: int = 1) -> Report:
    """Makes and opens `images` disks, each as it may look after a cut at a random moment."""
    dice, report, disk = random.Random(seed), Report(0, 0), Disk(recording)
    for moment in sorted(dice.randrange(1, len(recording.events)) for _ in range(images)):
        disk.go_on(moment)
        told = disk.told()
        report.images, report.acknowledged = report.images + 1, report.acknowledged + len(told)
        image = folder / "image"
        image.mkdir()
        for name, content in disk.after_a_cut(dice).items():
            (image / name).write_bytes(content)
        _look(image / "checkout.db", told, f"cut at event {moment}", report)
        shutil.rmtree(image)
    return report


class Disk:
    """What is on the disk for certain, and the writes since, of which any part may be."""

    def __init__(self, recording: Recording) -> None:
        self._recording, self._moment = recording, 0
        self._safe = {name: bytearray(content) for name, content in recording.start.items()}
        self._open: list[Event] = []
        self._answers = dict.fromkeys(recording.told, 0)

    def go_on(self, moment: int) -> None:
        for one in self._recording.events[self._moment : moment]:
            if one.call == "answer":
                self._answers[one.name] += 1
            elif one.call == "sync":
                for safe in [each for each in self._open if each.name == one.name]:
                    _apply(self._safe.setdefault(one.name, bytearray()), safe, safe.data)
                self._open = [each for each in self._open if each.name != one.name]
            else:
                self._open.append(one)
        self._moment = moment

    def told(self) -> list[tuple[str, str]]:
        return [fact for port, count in self._answers.items() for fact in self._recording.told[port][:count]]

    def after_a_cut(self, dice: random.Random) -> dict[str, bytes]:
        files = {name: bytearray(content) for name, content in self._safe.items()}
        share = dice.choice([0.0, 0.5, 1.0])
        for one in self._open:
            if dice.random() < share:
                whole = dice.random() < 0.7
                data = one.data if whole else one.data[: dice.randrange(len(one.data) // SECTOR + 1) * SECTOR]
                _apply(files.setdefault(one.name, bytearray()), one, data)
        return {name: bytes(content) for name, content in files.items()}


def _start(folder: Path, database: Path, trace: Path, port: int, synchronous: str) -> Server:
    """strace follows threads and forks; the paths of the files are in its lines."""
    environ = {"CHECKOUT_DATABASE": str(database), "CHECKOUT_ALLOW_PRIVATE": "1",
               "CHECKOUT_BASE_URL": f"http://127.0.0.1:{port}"}  # fmt: skip
    program = (
        "from checkout.store import sqlite; from checkout.cli import main;"
        f" sqlite._PRAGMAS = tuple(one.replace('synchronous = FULL', 'synchronous = {synchronous}')"
        " for one in sqlite._PRAGMAS); main()"
    )
    command = ("strace", "-f", "-yy", "-xx", "-s", "70000", "--seccomp-bpf", "-e", f"trace={_CALLS}", "-o", str(trace),
               sys.executable, "-c", program, "serve", "--port", str(port))  # fmt: skip
    return Server(command, environ, folder / "server.log", ROOT)


def _shop(port: int, ledger: crash.Ledger, orders: int, name: str, told: dict[str, list[tuple[str, str]]]) -> None:
    dice = random.Random(name)
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    with closing(connection), suppress(OSError, HTTPException):
        connection.connect()
        mine = told.setdefault(str(connection.sock.getsockname()[1]), [])
        for number in range(orders):
            price = f"{dice.randint(1, 30_000)}.{dice.randint(0, 99):02d}"
            token, due = crash.open_order(connection, ledger, f"{name}-{number}", price) or ("", "")
            mine.append(("order", token))
            t = str(1_790_000_000_000 + int(name) * 1_000_000 + number)
            crash.push(connection, ledger, due, t, f"{name}-{number}")
            mine.append(("payment", f"phone:{crash.kind_of(f'{name}-{number}')}:{fen(due)}:{t}"))


def _events(trace: str, database: str, told: dict[str, list[tuple[str, str]]]) -> Iterator[Event]:
    """The calls that matter, in the order in which they count: a sync when it has returned, an answer when it
    begins to leave the house, a write when it begins."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        process, resumed, rest, call, arguments = match.groups()
        if call and arguments.endswith("<unfinished ...>"):
            begun[process] = arguments
            if call not in ("fdatasync", "fsync"):
                yield from _event(call, arguments, database, told)
        elif call:
            yield from _event(call, arguments, database, told)
        elif resumed in ("fdatasync", "fsync") and "= 0" in rest:
            yield from _event(resumed, begun.pop(process), database, told)


def _event(call: str, arguments: str, database: str, told: dict[str, list[tuple[str, str]]]) -> Iterator[Event]:
    match = _FILE.match(arguments)
    if match is None:
        return
    where, rest = match.groups()
    if call == "sendto":
        port = where.rpartition(":")[2].rstrip("]")
        if port in told and _bytes(rest).startswith(b"HTTP/1.1 200"):
            yield Event("answer", port)
        return
    name = bytes.fromhex(where.replace("\\x", "")).rpartition(b"/")[2].decode() if "\\x" in where else where
    if name not in (database, f"{database}-wal"):
        return
    if call == "pwrite64":
        offset = re.search(r'", \d+, (\d+)', rest)
        assert offset is not None, rest[-80:]
        yield Event("write", name, int(offset[1]), _bytes(rest))
    elif call == "ftruncate":
        size = re.match(r", (\d+)", rest)
        assert size is not None
        yield Event("truncate", name, int(size[1]))
    elif call in ("fdatasync", "fsync"):
        yield Event("sync", name)


def _bytes(text: str) -> bytes:
    found = _HEX.search(text)
    return bytes.fromhex(found[1].replace("\\x", "")) if found else b""


def _apply(content: bytearray, one: Event, data: bytes) -> None:
    if len(content) < one.at:
        content.extend(bytes(one.at - len(content)))
    if one.call == "truncate":
        del content[one.at :]
    else:
        content[one.at : one.at + len(data)] = data


def _look(database: Path, told: list[tuple[str, str]], when: str, report: Report) -> None:
    try:
        with closing(sqlite3.connect(database)) as db:
            sound = db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            orders = {row[0] for row in db.execute("SELECT token FROM orders")}
            payments = {row[0] for row in db.execute("SELECT reference FROM payments")}
    except sqlite3.DatabaseError as error:
        report.corrupt.append(f"{when}: {error}")
        return
    if not sound:
        report.corrupt.append(when)
    report.lost += [f"{when}: {kind} {name}" for kind, name in told
                    if name not in (orders if kind == "order" else payments)]  # fmt: skip

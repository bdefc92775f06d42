"""A server in trouble with its database: what it says meanwhile, and how soon it goes on afterwards."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers import CHECKOUT, Server, serving
from tests.soak import crash

RECOVERY_S = 60  # takes a second or two; a busy machine may have other things to do


@dataclass
class Trouble:
    """A server with its shop and phone; `ledger` holds what they were told."""

    server: Server
    url: str
    folder: Path
    ledger: crash.Ledger

    @property
    def database(self) -> Path:
        return self.folder / "data" / "checkout.db"

    def open(self, number: str, price: str) -> tuple[str, str] | None:
        with closing(self._connection()) as connection:
            return crash.open_order(connection, self.ledger, number, price)

    def push(self, due: str, number: str) -> None:
        with closing(self._connection()) as connection:
            crash.push(connection, self.ledger, due, "1790000000000", number)

    def recovers(self, number: str) -> tuple[str, str]:
        """The first order that is taken again."""
        deadline = time.monotonic() + RECOVERY_S
        while time.monotonic() < deadline:
            opened = self.open(number, "50.00")
            if opened is not None:
                return opened
            time.sleep(0.1)
        raise AssertionError(self.ledger.unexpected[-1])

    def stored(self) -> set[str]:
        with closing(sqlite3.connect(self.database)) as db:
            return {row[0] for row in db.execute("SELECT number FROM orders")}

    def paid(self) -> set[str]:
        with closing(sqlite3.connect(self.database)) as db:
            return {row[0] for row in db.execute("SELECT number FROM orders WHERE state = 'paid'")}

    def _connection(self) -> HTTPConnection:
        return HTTPConnection(urlsplit(self.url).netloc, timeout=20)


@contextmanager
def served(folder: Path) -> Iterator[Trouble]:
    """A new shop in `folder`, which sells down to the last byte."""
    crash.set_up(folder / "data" / "checkout.db", "")
    room = {"CHECKOUT_MIN_FREE_DISK": "0"}
    with serving(folder, *CHECKOUT, "serve", "--port", "{port}", environ=room) as (server, url):
        yield Trouble(server, url, folder, crash.Ledger())


def sell_until_refused(trouble: Trouble) -> None:
    for number in range(400):  # what SQLite has room for in its log is kept, as it says
        trouble.open(f"full-{number}", f"{number + 100}.00")
        if trouble.ledger.unexpected:
            break
    assert trouble.ledger.unexpected


@contextmanager
def failing(trouble: Trouble) -> Iterator[None]:
    """A quota, or a disk that fails in the middle of a write: SQLite calls it something else than a full disk."""
    _limit(trouble.server, Path(f"{trouble.database}-wal").stat().st_size + 40_000)
    sell_until_refused(trouble)
    yield
    _limit(trouble.server, resource.RLIM_INFINITY)


@contextmanager
def locked(trouble: Trouble) -> Iterator[None]:
    with closing(sqlite3.connect(trouble.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def moved_away(trouble: Trouble) -> Iterator[None]:
    kept = trouble.database.with_name("kept.db")
    trouble.database.rename(kept)
    yield
    kept.rename(trouble.database)


KINDS: dict[str, Callable[[Trouble], AbstractContextManager[None]]] = {
    "a disk that failed": failing,
    "a lock of another program": locked,
    "a database that was moved away": moved_away,
}


def recoveries(folder: Path, kind: str, times: int) -> list[float]:
    """Seconds from the end of each trouble to the answer to the first order that is taken again."""
    found: list[float] = []
    with served(folder) as trouble:
        for number in range(times):
            with KINDS[kind](trouble):
                assert trouble.open(f"meanwhile-{number}", "9.90") is None
            began = time.monotonic()
            trouble.recovers(f"after-{number}")
            found.append(time.monotonic() - began)
            trouble.ledger.unexpected.clear()
    return found


def _limit(server: Server, size: int) -> None:
    """How large a file may become that a worker writes."""
    for worker in server.children():
        _, most = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (most if size == resource.RLIM_INFINITY else size, most))

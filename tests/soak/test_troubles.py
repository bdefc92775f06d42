"""A real server on a disk that fills up or turns read-only, and beside a process that locks the database.

Nothing is acknowledged that is not kept; when the trouble is over the server goes on by itself, and the phone, which
repeats what was not acknowledged, loses nothing.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from checkout.store import open_store
from tests.conftest import skip_or_fail
from tests.servers import CHECKOUT, ROOT, ask, free_port, serving
from tests.soak import crash

RECOVERY_S = 60  # takes a second or two; a busy machine may have other things to do


@dataclass
class Trouble:
    """A server with its shop and phone; `ledger` holds what they were told."""

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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        skip_or_fail("mount", "a small disk cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def trouble(small_disk: Path) -> Iterator[Trouble]:
    crash.set_up(small_disk / "data" / "checkout.db", "")
    with serving(small_disk, *CHECKOUT, "serve", "--port", "{port}", environ={"CHECKOUT_MIN_FREE_DISK": "0"}) as (
        _,
        url,
    ):
        yield Trouble(url, small_disk, crash.Ledger())


def test_on_a_full_disk_nothing_is_acknowledged_and_afterwards_all_goes_on(trouble: Trouble) -> None:
    first = trouble.open("before", "9.90")
    assert first is not None
    filler = trouble.folder / "filler"
    _fill(filler)
    for number in range(400):  # what SQLite has room for in its log is kept, as it says
        trouble.open(f"full-{number}", f"{number + 100}.00")
        if trouble.ledger.unexpected:
            break
    assert trouble.ledger.unexpected
    trouble.push(first[1], "before")
    assert ask(trouble.url + "/healthz").status == 503
    filler.unlink()
    assert set(trouble.ledger.orders) <= trouble.stored()
    trouble.recovers("after")
    trouble.push(first[1], "before")
    assert trouble.ledger.pushes
    assert trouble.paid() == {"before"}
    assert set(trouble.ledger.orders) <= trouble.stored()
    _expect_sound(trouble.database)


def test_on_a_read_only_disk_the_server_says_why_it_does_not_start(small_disk: Path) -> None:
    crash.set_up(small_disk / "data" / "checkout.db", "")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CHECKOUT_")}
    environ |= {"CHECKOUT_DATABASE": str(small_disk / "data" / "checkout.db"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*CHECKOUT, "serve", "--port", str(free_port())], env=environ, cwd=small_disk, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    (sentence,) = done.stderr.strip().splitlines()
    assert "read-only" in sentence.lower() or "cannot be written" in sentence


def test_beside_a_process_that_locks_the_database_the_phone_hears_no_success(trouble: Trouble) -> None:
    first = trouble.open("before", "9.90")
    assert first is not None
    with closing(sqlite3.connect(trouble.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        trouble.push(first[1], "before")
        assert not trouble.ledger.pushes
        assert "busy" in trouble.ledger.unexpected[-1]
        other.execute("ROLLBACK")
    trouble.recovers("after")
    trouble.push(first[1], "before")
    assert trouble.paid() == {"before"}


def test_a_log_that_was_damaged_while_the_server_was_down_is_found_or_left_out_and_never_believed(
    tmp_path: Path,
) -> None:
    """SQLite takes of its log what has the right checksums, up to the first fault, as if the rest had not been."""
    database = tmp_path / "data" / "checkout.db"
    crash.set_up(database, "")
    ledger = crash.Ledger()
    with serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}") as (server, url):
        shop = Trouble(url, tmp_path, ledger)
        for number in range(20):
            shop.open(f"N{number}", f"{number + 1}.00")
        server.process.kill()
        server.process.wait()
    log = Path(f"{database}-wal")
    content = bytearray(log.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 600] = os.urandom(600)
    log.write_bytes(content)
    with serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}") as (_, url):
        after = Trouble(url, tmp_path, crash.Ledger())
        kept = after.stored()
        assert kept == {f"N{number}" for number in range(len(kept))}
        assert after.open("again", "77.00") is not None
    _expect_sound(database)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        piece = 65_536
        while piece:
            try:
                file.write(bytes(piece))
            except OSError:
                piece //= 2


def _expect_sound(database: Path) -> None:
    with closing(open_store(str(database))) as opened:
        opened.check()

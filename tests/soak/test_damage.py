"""A real server on a database that is damaged in the middle and too large to be read before the first answer."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.servers import ROOT, ask, free_port, serving
from tests.soak import crash

# Every file is a large one to this server.
SERVE = "from checkout.store import guard; guard.CHECKED_AT_START = 0; from checkout.cli import main; main()"
COMMAND = (sys.executable, "-c", SERVE, "serve", "--port", "{port}")
FIRST_PAGE = "/static/checkout.js"
PATIENCE_S = 120


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A shop with a long book of what was done by hand."""
    place = tmp_path / "data" / "checkout.db"
    crash.set_up(place, "")
    with closing(sqlite3.connect(place)) as raw:
        raw.executemany(
            "INSERT INTO audit (id, at, actor, action, subject, detail) VALUES (?, ?, 'me', 'order.confirm', ?, '{}')",
            ((f"aud_{number:08d}", number, f"order-{number}-") for number in range(5000)),
        )
        raw.commit()
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return place


@pytest.fixture
def connection(tmp_path: Path, large: Path) -> Iterator[HTTPConnection]:
    with serving(tmp_path, *COMMAND, path=FIRST_PAGE) as (_, url), connected(url) as opened:
        yield opened


def connected(url: str) -> closing[HTTPConnection]:
    return closing(HTTPConnection(urlsplit(url).netloc, timeout=60))


def damage(large: Path) -> None:
    """In the page that holds one row of many; SQLite opens it and reads the rest as ever."""
    content = bytearray(large.read_bytes())
    page = content.index(b"order-2500-") // 4096 * 4096
    content[page : page + 4096] = b"\xa5" * 4096
    large.write_bytes(content)


def until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_a_sound_one_takes_orders(connection: HTTPConnection, large: Path) -> None:
    ledger = crash.Ledger()
    assert crash.open_order(connection, ledger, "N1", "9.90")
    assert crash.open_order(connection, ledger, "N2", "9.90")
    assert not large.with_name("checkout.db.damaged").exists()


def test_a_damaged_one_takes_no_order_any_more_but_money_and_does_not_start_again(tmp_path: Path, large: Path) -> None:
    ledger = crash.Ledger(excused=frozenset({503}))
    with serving(tmp_path, *COMMAND) as (_, url), connected(url) as connection:
        waiting = crash.open_order(connection, ledger, "before", "9.90")
    assert waiting is not None
    damage(large)
    with serving(tmp_path, *COMMAND, path=FIRST_PAGE) as (server, url):
        until(lambda: ask(f"{url}/healthz").status == 503, "the damage was not found")
        with connected(url) as connection:
            assert crash.open_order(connection, ledger, "after", "9.90") is None
            assert crash.push(connection, ledger, waiting[1], "1790000000000", "before")
        until(lambda: told(large), "the owner is not told")
        assert "checkout restore FILE" in server.log
    done = subprocess.run(
        [word.format(port=free_port()) for word in COMMAND], cwd=ROOT, capture_output=True, text=True,
        env={"CHECKOUT_DATABASE": str(large), "PATH": "", "PYTHONPATH": str(ROOT)}, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 1
    (sentence,) = done.stderr.strip().splitlines()
    assert "is damaged (Page " in sentence
    assert "checkout restore FILE" in sentence


def told(large: Path) -> bool:
    with closing(sqlite3.connect(large)) as raw:
        return bool(raw.execute("SELECT 1 FROM troubles WHERE name = 'database'").fetchall())

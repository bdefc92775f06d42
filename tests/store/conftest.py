"""Two servers on one PostgreSQL, of which the first has done its work and not yet committed when the second comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from checkout.store import open_store, postgres
from checkout.store.invariants import PROMISES, broken
from tests.conftest import postgres_server
from tests.relay import Relay
from tests.shop import Shop

REAL_COMMIT = postgres._commit
_WAITS = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype IN ('tuple', 'transactionid')"


class Pair:
    """One shop as two servers see it."""

    def __init__(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.address = address
        self.one, self.two = (Shop(open_store(address)) for _ in range(2))
        self.two._numbers = iter(range(1000, 2000))  # type: ignore[assignment]
        self._arrived, self._go, self._held = threading.Event(), threading.Event(), ""
        monkeypatch.setattr(postgres, "_commit", self._commit)

    def close(self) -> None:
        self._go.set()
        for shop in (self.one, self.two):
            shop.store.close()

    def run(self, first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any, bool]:
        """What both gave or raised, and whether the second ended before the first had committed."""
        with ThreadPoolExecutor(1, "first") as one, ThreadPoolExecutor(1, "second") as two:
            self._held = "first"
            running = one.submit(first)
            assert self._arrived.wait(60)
            following = two.submit(second)
            self._until_it_waits_or_ends(following)
            is_beside = following.done()
            self._go.set()
            return _outcome(running), _outcome(following), is_beside

    def again(self) -> None:
        """Before another `run`."""
        self._arrived.clear()
        self._go.clear()

    def _commit(self, line: Any) -> None:
        if self._held and threading.current_thread().name.startswith(self._held):
            self._held = ""
            self._arrived.set()
            assert self._go.wait(60)
        REAL_COMMIT(line)

    def _until_it_waits_or_ends(self, following: Future[Any]) -> None:
        deadline = time.monotonic() + 60
        with psycopg.connect(self.address, autocommit=True) as connection:
            while not following.done():
                if connection.execute(_WAITS).fetchone():
                    return
                assert time.monotonic() < deadline
                time.sleep(0.01)


def _outcome(future: Future[Any]) -> Any:
    error = future.exception(60)
    return error if error is not None else future.result()


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """Two accounts, each with a phone of its own."""
    made = Pair(postgres_server().emptied(), monkeypatch)
    made.one.fill()
    made.one.change_account(disabled_at=1)
    for name in ("a", "b"):
        made.one.add_account(id=name, code=f"wxp://{name}")
        made.one.add_device(f"phone-{name}", [name])
    yield made
    with made.one.store.read() as db:
        assert {one.name for one in PROMISES if broken(db, one, made.one.now)} == set()
    made.close()


@pytest.fixture
def relay() -> Iterator[Relay]:
    """The cable to the tests' PostgreSQL, which can be cut."""
    made = Relay(postgres_server().port)
    yield made
    made.close()

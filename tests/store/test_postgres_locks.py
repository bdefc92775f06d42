"""What the one writer at a time is for: rules that look at many rows, which no index and no row lock can keep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from checkout import accounts, amounts
from checkout import store as stores
from checkout.interfaces import Rows, Store
from checkout.store import migrations, open_store
from tests import postgres
from tests.conftest import postgres_server
from tests.world import START, account, device, merchant

UNLOCKED = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT 1"


@pytest.fixture(scope="module")
def server() -> postgres.Server:
    return postgres_server()


@pytest.fixture
def address(server: postgres.Server) -> str:
    return server.emptied()


@pytest.fixture
def two(address: str) -> Iterator[tuple[Store, Store]]:
    """The stores of two processes."""
    first, second = open_store(address), open_store(address)
    with first.transaction() as db:
        stores.merchants.add(db, merchant())
        for name in ("a", "b"):
            stores.accounts.add(db, account(id=name))
        stores.devices.add(db, device(), ["a", "b"])
    yield first, second
    first.close()
    second.close()


def side_by_side(two: tuple[Store, Store], address: str, *work: Callable[[Rows], int]) -> list[int]:
    """Runs the first work, then the second in the other process before the first has committed."""
    found: list[int] = []

    def second() -> None:
        with two[1].transaction() as db:
            found.append(work[1](db))

    thread = threading.Thread(target=second)
    with two[0].transaction() as db:
        found.append(work[0](db))
        thread.start()
        until_it_waits_or_ends(address, thread)
    thread.join(30)
    return found


def until_it_waits_or_ends(address: str, thread: threading.Thread) -> None:
    deadline = time.monotonic() + 30
    with psycopg.connect(address, autocommit=True) as connection:
        while thread.is_alive() and not connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            assert time.monotonic() < deadline
            time.sleep(0.01)


def amount_beside(other: str, token: str) -> Callable[[Rows], int]:
    """Takes an amount for ¥9.90 on an account that is not `other`."""

    def take(db: Rows) -> int:
        rest = amounts.rest_of_unshown(START + 300)
        return accounts.take_slot(db, "wechat", 990, token, rest, 180, START, without={other})[1]

    return take


def test_accounts_of_one_phone_never_give_one_amount_to_two_orders(two: tuple[Store, Store], address: str) -> None:
    assert side_by_side(two, address, amount_beside("b", "1" * 32), amount_beside("a", "2" * 32)) == [990, 991]


def test_without_locks_they_would(two: tuple[Store, Store], address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above sees what it should: the pushes of these two orders could not be told apart."""
    monkeypatch.setattr(migrations.postgres, "LOCK_ALL", UNLOCKED)
    monkeypatch.setattr(migrations.postgres, "LOCKS", 1)
    assert side_by_side(two, address, amount_beside("b", "1" * 32), amount_beside("a", "2" * 32)) == [990, 990]

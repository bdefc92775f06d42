"""A database that hangs, or that the cable no longer reaches: everybody is told within seconds, and nothing is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from checkout import ids
from checkout import store as stores
from checkout.app import create_app
from checkout.errors import StoreError
from checkout.interfaces import Store
from checkout.model.orders import State
from checkout.settings import Settings
from checkout.store import lines, open_store
from checkout.store.lines import READERS, Line
from checkout.store.postgres import PostgresStore
from tests.conftest import postgres_server
from tests.relay import Relay
from tests.shop import Shop
from tests.world import DEVICE_KEY, START, FakeClock, Outside, World, account, md5

IN_S = 0.5  # how long an answer may take while the cable is cut


@pytest.fixture
def address() -> str:
    return postgres_server().emptied()


@pytest.fixture
def far(relay: Relay, address: str) -> str:
    """The same database, at the other end of the cable."""
    return address.replace(f":{postgres_server().port}/", f":{relay.port}/") + "?connect_timeout=2"


@pytest.fixture
def store(far: str) -> Iterator[PostgresStore]:
    """That of a server."""
    opened = open_store(far, serving=True)
    assert isinstance(opened, PostgresStore)
    yield opened
    opened.close()


@contextmanager
def in_a_hurry() -> Iterator[None]:
    """Servers have little patience; only for what is asked of a cut cable, as a slow machine may take long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "ANSWER_S", IN_S)
        patch.setattr(lines, "PATIENCE_S", IN_S)
        yield


@pytest.fixture
def hurried_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Line.execute

    def execute(line: Line, query: Any, *more: Any, **options: Any) -> Any:
        with in_a_hurry() if query == "COMMIT" else nullcontext():
            return real(line, query, *more, **options)

    monkeypatch.setattr(Line, "execute", execute)


def names(store: Store) -> list[str]:
    with store.read() as db:
        return sorted(one.id for one in stores.accounts.all_of(db))


def test_a_cut_cable_is_told_and_forgotten_when_it_is_mended(store: PostgresStore, relay: Relay) -> None:
    assert names(store) == []
    with store.transaction() as db:
        stores.accounts.add(db, account())
    relay.cut()
    with in_a_hurry():
        with pytest.raises(StoreError, match="does not answer"):
            names(store)
        with pytest.raises(StoreError, match=r"does not answer|cannot be reached"), store.transaction():
            pass
    relay.mend()
    with store.transaction() as db:
        stores.accounts.add(db, account(id="b"))
    assert names(store) == ["b", "wx-main"]


def test_while_one_looks_for_the_database_the_others_are_told_at_once(store: PostgresStore, relay: Relay) -> None:
    names(store)
    relay.cut()
    outage, looked = store._lines.outage, threading.Event()

    def look() -> None:
        with outage.looking():
            looked.wait(60)

    with in_a_hurry(), ThreadPoolExecutor(1) as pool:
        with pytest.raises(StoreError, match="does not answer"):
            names(store)
        looks = pool.submit(look)
        until(outage._looks.locked)
        for _ in range(READERS + 1):
            with pytest.raises(StoreError, match="does not answer"):
                names(store)
            with pytest.raises(StoreError, match="does not answer"), store.transaction():
                pass
        looked.set()
        looks.result()
    assert not outage.is_long


def test_a_writer_that_waits_for_its_turn_in_vain_is_told(store: PostgresStore, address: str) -> None:
    """The database is well; another thread of the same server does not come to an end."""
    store._lines.patience_s = 1
    entered, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with store.transaction() as db:
            stores.accounts.add(db, account())
            entered.set()
            leave.wait(60)

    with ThreadPoolExecutor(1) as pool:
        stays = pool.submit(stay)
        assert entered.wait(60)
        with pytest.raises(StoreError, match="busy"), store.transaction():
            pass
        leave.set()
        stays.result()
    assert names(store) == ["wx-main"]


def test_a_server_waits_for_no_statement_long_and_a_command_does(address: str) -> None:
    serving, command = (open_store(address, serving=serving) for serving in (True, False))
    try:
        for opened, expected in ((serving, {"6s"}), (command, {"0"})):
            with opened.transaction() as writing, opened.read() as reading:
                assert {db.all("SHOW statement_timeout")[0][0] for db in (writing, reading)} == expected
        with serving.transaction() as db:
            assert db.one("SHOW lock_timeout") == ("5s",)
            assert db.one("SHOW idle_in_transaction_session_timeout") == ("4s",)
            db.run("SET LOCAL statement_timeout = '10ms'")
            with pytest.raises(StoreError, match="too long"):
                db.one("SELECT pg_sleep(60)")
            raise LookupError  # what follows an error cannot be committed
    except LookupError:
        pass
    finally:
        serving.close()
        command.close()


@pytest.mark.usefixtures("hurried_commits")
@pytest.mark.parametrize("fate", ["never arrives", "arrives late", "is done"])
def test_a_commit_into_a_cut_cable_is_safe_to_repeat(
    store: PostgresStore, address: str, relay: Relay, fate: str
) -> None:
    """The server gives up, and whoever asked repeats it, here at another server: paid once, told once."""
    shop = Shop(store).fill()
    order = shop.open("N1", 990)
    relay.cut_at(b"COMMIT\0", answer=fate == "is done")
    with pytest.raises(StoreError, match="does not answer"):
        shop.push(990, at=START * 1000)
    assert relay.is_cut
    with closing(open_store(address)) as opened, ThreadPoolExecutor(1) as pool:
        other = Shop(opened)
        other.new_id = lambda prefix: f"{prefix}_other"  # type: ignore[method-assign]
        again = pool.submit(other.push, 990, at=START * 1000)
        until(lambda: again.done() or somebody_waits(address))
        relay.mend() if fate == "arrives late" else relay.break_all()
        again.result()
        assert [one.order_token for one in other.payments()] == [order.token]
        assert other.order(order).state is State.PAID
        assert len(other.deliveries(order)) == 1


def test_buyer_shop_and_phone_hear_503_while_the_cable_is_cut(far: str, relay: Relay, tmp_path: Path) -> None:
    """More of them than the server has lines or threads; none is left waiting."""
    settings = Settings(database=far, folder=tmp_path, allow_private=True, secret="s" * 64)
    app = create_app(settings, clock=FakeClock(), new_id=ids.new_id, send=Outside().send, work=False)
    world = World.set_up(app, FakeClock(), Outside())
    token = world.create("N1")["data"]["orderId"]
    money = {"type": "1", "price": "9.90", "t": f"{START}000", "sign": md5("1", "9.90", f"{START}000", DEVICE_KEY)}
    asks = [f"/pay/{token}", f"/pay/{token}/poll?rev=0", "/healthz", f"/appPush?{urlencode(money)}"]
    relay.cut()
    with in_a_hurry(), ThreadPoolExecutor(len(asks) * READERS) as pool:
        answers = list(pool.map(lambda path: world.client.get(path).status_code, asks * READERS))
    assert answers == [503] * len(answers)
    relay.mend()
    assert world.push("9.90", t=START * 1000)["code"] == 1
    assert world.order(token).state is State.PAID
    assert len(world.payments()) == 1
    world.store.close()


def somebody_waits(address: str) -> bool:
    with psycopg.connect(address, autocommit=True) as connection:
        return connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone() is not None


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)

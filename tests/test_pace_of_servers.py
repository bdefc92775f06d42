"""Two real servers on one PostgreSQL: who asks both too often is known to both, and phones are never turned away."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest

from checkout import ids
from checkout.app import create_app
from checkout.model.orders import State
from checkout.rates import FULL, LOT, PAGE
from checkout.settings import Settings
from tests import servers
from tests.conftest import postgres_server
from tests.world import DEVICE_KEY, START, FakeClock, Outside, World, md5

BUYER, OTHER, PHONE = "1.2.3.4", "1.2.3.5", "1.2.3.6"
_THREADS = 4


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    address, folder = postgres_server().create(), tmp_path_factory.mktemp("pace")
    settings = Settings(database=address, folder=folder, allow_private=True, secret="s" * 64)
    made = World.set_up(create_app(settings, clock=FakeClock(), new_id=ids.new_id, work=False), FakeClock(), Outside())
    yield made
    made.store.close()
    postgres_server().drop(address)


@pytest.fixture(scope="module")
def two(world: World) -> Iterator[list[str]]:
    """The places of two servers, for which it is always `START`."""
    with ExitStack() as running:
        yield [running.enter_context(_standing(world)) for _ in range(2)]


def test_the_clients_of_both_together_do_not_exceed_the_limit(two: list[str]) -> None:
    """One server's bucket, the tenth that the other has to itself, and what went on credit while somebody asked."""
    most = FULL + LOT + 2 * LOT
    answers = _ask_all(two, most // PAGE + 100, BUYER)
    assert set(answers) == {404, 429}
    assert FULL + LOT <= answers.count(404) * PAGE <= most
    for place in two:
        assert ask(place, "/receipt/0", BUYER) == 429
        assert ask(place, "/receipt/0", OTHER) == 404


def test_a_phone_at_an_address_that_asks_too_often_is_heard_at_both(two: list[str], world: World) -> None:
    orders = [world.create("N1", "9.90"), world.create("N2", "9.90")]
    _ask_all(two, (FULL + 3 * LOT) // PAGE + 50, PHONE)
    for place, order in zip(two, orders, strict=True):
        assert ask(place, "/receipt/0", PHONE) == 429
        price, t = f"{order['data']['reallyPrice']}", str(START * 1000)
        form = {"type": "1", "price": price, "t": t, "sign": md5("1", price, t, DEVICE_KEY)}
        assert ask(place, f"/appPush?{urlencode(form)}", PHONE) == 200
        assert world.order(order["data"]["orderId"]).state is State.PAID


def ask(place: str, path: str, address: str) -> int:
    with closing(HTTPConnection(place, timeout=60)) as connection:
        connection.request("GET", path, headers={"X-Forwarded-For": address})
        answer = connection.getresponse()
        answer.read()
        return answer.status


def _ask_all(places: list[str], times: int, address: str) -> list[int]:
    """Several at once, each of both in turn."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda at: ask(places[at % len(places)], "/receipt/0", address), range(times)))


@contextmanager
def _standing(world: World) -> Iterator[str]:
    settings = world.parts.settings
    environ = {
        "CHECKOUT_DATABASE": settings.database, "CHECKOUT_SECRET": settings.secret or "",
        "CHECKOUT_TRUSTED_PROXIES": "127.0.0.1/32",
    }  # fmt: skip
    command = (sys.executable, "-m", "tests.standing", "{port}")
    with servers.serving(settings.folder, *command, environ=environ) as (_, url):
        yield url.removeprefix("http://")

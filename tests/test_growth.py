"""What is asked again and again costs the database as many steps over many ended orders as over few.

Steps of SQLite's machine are counted, not time: a statement that reads a table from end to end takes some for each row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from itertools import count

import pytest

from checkout.store import sqlite as driver
from checkout.worker import Worker
from tests.world import START, World

FEW, MANY = 20, 1500
ROOM = 50  # a page more or less of an index, which is no growth
_ENDED = "WITH RECURSIVE ended (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM ended WHERE n + 1 < :last)"
_PUT = """
INSERT INTO orders (token, merchant, dialect, number, state, method, account, channel, price, really_price, title,
  content, param, buyer, price_text, notify_url, return_url, extra, asked, product, created_at, expires_at, paid_at)
{ended} SELECT printf('%032x', n), 1001, 'vmq', 'old-' || n, iif(n % 10 < 7, 'paid', 'expired'), 'wechat', 'wx-main',
  'personal', 990, 990, '', '', '', '', '', '', '', '{{}}', '', '', :at + n, :at + n + 300,
  iif(n % 10 < 7, :at + n, NULL) FROM ended;
INSERT INTO payments (id, channel, reference, device, method, amount, judgement, order_token, account, raw,
  happened_at, received_at, judged_at, merchant)
{ended} SELECT 'pay_old_' || n, 'phone', 'old-' || n, 'phone', 'wechat', 990, 'matched', printf('%032x', n), 'wx-main',
  '', :at + n, :at + n, :at + n, 1001 FROM ended WHERE n % 10 < 7;
INSERT INTO deliveries (id, order_token, merchant, dialect, event, url, state, attempts, due_at, created_at, done_at)
{ended} SELECT 'msg_old_' || n, printf('%032x', n), 1001, 'vmq', 'order.paid', '', 'delivered', 1, :at + n, :at + n,
  :at + n FROM ended WHERE n % 10 < 7;
INSERT INTO slots (account, amount, order_token, free_at, rested_at)
{ended} SELECT 'wx-main', 100000 + n, printf('%032x', n), :at + n, :at + n FROM ended
"""


class Steps:
    """How many steps the databases of this process have taken."""

    def __init__(self) -> None:
        self.taken = 0

    def step(self) -> int:
        self.taken += 1
        return 0

    def of(self, work: Callable[[], object]) -> int:
        before = self.taken
        work()
        return self.taken - before


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    counted, connect = Steps(), driver.SqliteStore._connect

    def counting(self: driver.SqliteStore) -> sqlite3.Connection:
        made = connect(self)
        made.set_progress_handler(counted.step, 1)
        return made

    monkeypatch.setattr(driver.SqliteStore, "_connect", counting)
    return counted


def put(world: World, first: int, last: int) -> None:
    """Orders of three days ago that have ended, seven of ten with their money and message; each had an amount of its
    own."""
    with world.store.transaction() as db:
        for statement in _PUT.format(ended=_ENDED).split(";"):
            db.run(statement, first=first, last=last, at=START - 3 * 86_400)


def test_what_is_done_by_the_minute_does_not_grow(steps: Steps, world: World) -> None:
    worker: Worker = world.app.extensions["checkout.worker"]
    looks, worker._chores = worker._chores, ()

    def cost() -> list[int]:
        for one in [*looks] * 5:  # what is to be summed up is summed up
            one(world.clock())
        return [steps.of(partial(one, world.clock())) for one in looks] + [steps.of(worker.turn)]

    put(world, 0, FEW)
    few = cost()
    put(world, FEW, MANY)
    many = cost()
    assert sum(few) > 0
    assert [taken for taken, before in zip(many, few, strict=True) if taken > before + ROOM] == []


@pytest.mark.parametrize("asked", ["create", "push", "page", "poll", "beat"])
def test_a_request_does_not_grow(steps: Steps, world: World, asked: str) -> None:
    numbers = count(1)

    def cost() -> int:
        world.beat()
        orders = [world.create(f"N{next(numbers)}", "20.00")["data"] for _ in range(2)]
        token = orders[0]["orderId"]
        work = {
            "create": lambda: world.create(f"N{next(numbers)}", "30.00"),
            "push": lambda: world.push(orders[0]["reallyPrice"]),
            "page": lambda: world.client.get(f"/pay/{token}"),
            "poll": lambda: world.client.get(f"/pay/{token}/poll?rev=0"),
            "beat": world.beat,
        }
        world.client.get(f"/pay/{token}")
        taken = steps.of(work[asked])
        world.clock.go(86_400)
        return taken

    put(world, 0, FEW)
    cost()
    few = cost()
    put(world, FEW, MANY)
    many = cost()
    assert few > 0
    assert many <= few + ROOM

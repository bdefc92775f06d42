"""Every kind of alert, from its cause to a service of the owner: real Apprise, real HTTP on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from checkout import store as stores
from checkout.alerts import texts, troubles
from checkout.alerts.telling import AGAIN_AFTER_S, STOCK_EVERY_S, Watch
from checkout.interfaces import Store
from checkout.outbox import endpoints
from checkout.settings import Settings
from tests.hooks import Listener
from tests.loopback import Loopback, answering, ok, serving
from tests.world import FakeClock, Outside, answer

GONE = "https://gone.example/in"
RAISED = {
    "phone": "Phone phone is offline",
    "callback": "The shop shop refuses its messages",
    "webhook": f"The webhook {GONE} was paused",
    "event": "The webhook https://hooks.example/in refuses its events",
    "review": "Payments that fit no order: 1.",
    "late": "Orders paid after their time in the last day: 1.",
    "stock": "Only 1 left of 书",
    "disk": "The disk is nearly full: 100 MB left",
    "damage": "New orders are refused, money is still noted: Page 7.",
    "backup": "The backup failed: The disk is full.",
    "gateway": "The gateway wechat does not answer",
}
OVER = {
    "phone": "Phone phone is back online.",
    "callback": "The shop shop has all its messages.",
    "webhook": f"The webhook {GONE} is in use again.",
    "event": "The webhook https://hooks.example/in has all its events.",
    "review": "No payment waits for review any more.",
    "stock": "书 is in stock again.",
    "disk": "There is room on the disk again.",
    "damage": "The database is sound; orders are taken again.",
    "backup": "The backup succeeded.",
    "gateway": "The gateway wechat answers again.",
}


@pytest.fixture
def seen() -> list[bytes]:
    return []


@pytest.fixture
def service(seen: list[bytes]) -> Iterator[Loopback]:
    with serving(answering(ok(b"{}"), seen=seen)) as running:
        yield running


class Trouble:
    """A shop where everything goes wrong at once, and then nothing any more."""

    def __init__(self, listener: Listener, outside: Outside) -> None:
        self.listener, self.store, self.outside, self.clock = listener, listener.store, outside, listener.clock

    def raise_all(self) -> None:
        gone, self.hooks = self.listener.add("order.paid", url=GONE), self.listener.add("order.paid")
        self.outside.reply = lambda request: answer(410 if request.url == GONE else 500)
        late = self.listener.shop.open("N1", 100)
        self.listener.shop.go(400)
        self.clock.go(400)
        self.listener.shop.push(late.really_price)
        self.listener.shop.push(4711)
        self.listener.work_until(self.clock() + 600)
        assert self.listener.now(gone).pause == "gone"
        self.gone = gone
        with self.store.transaction() as db:
            db.run("UPDATE deliveries SET attempts = 5 WHERE endpoint = ''")
            db.run(
                "INSERT INTO products (id, merchant, title_zh, title_en, price, stock, low_stock, created_at)"
                " VALUES ('book', 1001, '书', 'Book', 100, 1, 5, 0)"
            )
            stores.devices.beat(db, "phone", self.clock() - 500)
        troubles.note(self.store, troubles.DATABASE, "Page 7.", self.clock() - 500)
        troubles.note(self.store, troubles.BACKUP, "The disk is full.", self.clock() - 500)
        troubles.note(self.store, troubles.of_gateway("wechat"), "Connection refused.", self.clock() - 500)

    def mend_all(self) -> None:
        self.outside.reply = lambda request: answer(200)
        endpoints.resume(self.store, self.gone.id, **self.listener.by)
        self.listener.work_until(self.clock() + 86_400)
        with self.store.transaction() as db:
            db.run("UPDATE deliveries SET state = 'delivered', done_at = :now WHERE endpoint = ''", now=self.clock())
            db.run("UPDATE payments SET judgement = 'ignored' WHERE judgement IN ('unmatched', 'suspected')")
            db.run("UPDATE products SET stock = 50")
            stores.devices.beat(db, "phone", self.clock())
        troubles.over(self.store, troubles.DATABASE)
        troubles.over(self.store, troubles.BACKUP)
        troubles.over(self.store, troubles.of_gateway("wechat"))


def test_each_kind_is_told_once_and_once_that_it_is_over_and_nothing_by_night(
    store: Store, clock: FakeClock, outside: Outside, settings: Settings, service: Loopback, seen: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert set(RAISED) == set(texts.KINDS)
    room = [100]
    monkeypatch.setattr(store, "free_bytes", lambda: room[0] * 2**20)
    # The clock starts at 22:13 in the owner's zone.
    settings = replace(
        settings, alerts=(f"json://127.0.0.1:{service.port}/in",), language="en", min_free_disk=50 * 2**20,
        alerts_quiet="22:00-23:00",
    )  # fmt: skip
    watch, trouble = Watch(store, settings), Trouble(Listener(store, clock, outside), outside)

    def look() -> list[str]:
        watch.look(clock())
        told = [_text(one) for one in seen]
        seen.clear()
        return told

    trouble.raise_all()
    assert look() == []
    clock.go(3600)
    (told,) = look()
    assert [kind for kind, words in RAISED.items() if words not in told] == []
    clock.go(30)
    assert look() == []
    room[0] = 500
    trouble.mend_all()
    clock.go(max(AGAIN_AFTER_S, STOCK_EVERY_S))
    with store.transaction() as db:
        stores.devices.beat(db, "phone", clock())
    (over,) = look()
    assert [kind for kind, words in OVER.items() if words not in over] == []
    assert set(RAISED) - set(OVER) == {kind for kind in RAISED if not texts.says_when_over(kind)}
    clock.go(30)
    assert look() == []


def _text(request: bytes) -> str:
    """What the owner reads of a message that Apprise posted as JSON."""
    sent: dict[str, Any] = json.loads(request.partition(b"\r\n\r\n")[2])
    return str(sent["message"])

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from checkout import payments
from checkout import store as stores
from checkout.alerts import texts, troubles
from checkout.alerts.messenger import Handed
from checkout.alerts.telling import AGAIN_AFTER_S, LEASE_S, STOCK_EVERY_S, Plan, Watch
from checkout.errors import StoreError
from checkout.interfaces import Store
from checkout.model.owner import Alert
from checkout.outbox import deliveries, endpoints
from checkout.settings import Settings
from checkout.store import open_store
from tests.hooks import Listener
from tests.world import START, FakeClock, Outside, answer

LOOK_EVERY_S = 30
NTFY = "ntfy://ntfy.example/a-secret-topic"


@dataclass
class Phone:
    """The owner's: what arrived there; `taken` says whether the next message is."""

    taken: bool = True
    arrived: list[str] = field(default_factory=list)

    def __call__(self, urls: Sequence[str], title: str, body: str) -> list[Handed]:
        self.arrived.append(f"{title}\n{body}")
        return [Handed("ntfy", self.taken, "" if self.taken else "error=500") for _ in urls]


class Shop:
    """A listener with an owner who is told."""

    def __init__(self, listener: Listener, settings: Settings) -> None:
        self.listener, self.clock = listener, listener.clock
        self.owner = Phone()
        self.settings = replace(settings, alerts=(NTFY,), language="en", min_free_disk=0)
        self.watch = Watch(listener.store, self.settings, hand_over=self.owner)

    def set(self, **changes: Any) -> None:
        self.settings = replace(self.settings, **changes)
        self.watch = Watch(self.listener.store, self.settings, hand_over=self.owner)

    def look(self, after: int = LOOK_EVERY_S) -> list[str]:
        """What arrives when a while has gone by, without the headline and the address of the pages."""
        self.clock.go(after)
        before = len(self.owner.arrived)
        self.watch.look(self.clock())
        texts = (arrived.split("\n", 1)[1].split("\n\n") for arrived in self.owner.arrived[before:])
        return [line for text in texts for line in text if not line.startswith("http")]

    def beat(self, at: int | None = None) -> None:
        with self.listener.store.transaction() as db:
            stores.devices.beat(db, "phone", self.clock() if at is None else at)

    def forget_phone(self) -> None:
        """It reported money, and is not what the test is about."""
        with self.listener.store.transaction() as db:
            db.run("UPDATE devices SET beat_at = NULL")

    def open(self) -> list[Alert]:
        with self.listener.store.read() as db:
            return stores.alerts.open_ones(db)


@pytest.fixture
def shop(store: Store, clock: FakeClock, outside: Outside, settings: Settings) -> Shop:
    return Shop(Listener(store, clock, outside), settings)


def begins(texts: Iterable[str]) -> list[str]:
    return [" ".join(text.split()[:3]) for text in texts]


# Once, and once more when it is over


def test_nothing_is_told_while_nothing_is_wrong(shop: Shop) -> None:
    shop.beat()
    assert shop.look() == []
    assert shop.open() == []


def test_a_phone_that_falls_silent_is_told_once_and_once_more_when_it_is_back(shop: Shop) -> None:
    shop.beat()
    assert shop.look(179) == []
    (told,) = shop.look(1)
    assert told.startswith("Phone phone is offline, last heard of at 09-21 22:13.")
    assert shop.look() == shop.look(7200) == []
    shop.beat()
    assert shop.look() == ["Phone phone is back online."]
    assert shop.look() == []
    assert shop.open() == []


def test_a_restart_repeats_nothing(shop: Shop) -> None:
    shop.beat()
    assert len(shop.look(300)) == 1
    shop.set()
    assert shop.look() == []
    shop.beat()
    shop.set()
    assert shop.look() == ["Phone phone is back online."]


def test_of_two_processes_one_tells_it(shop: Shop) -> None:
    second = open_store(shop.settings.database)
    others = Phone()
    other = Watch(second, shop.settings, hand_over=others)
    shop.beat()
    shop.clock.go(300)

    def meanwhile(urls: Sequence[str], title: str, body: str) -> list[Handed]:
        other.look(shop.clock())
        return shop.owner(urls, title, body)

    Watch(shop.listener.store, shop.settings, hand_over=meanwhile).look(shop.clock())
    other.look(shop.clock())
    second.close()
    assert len(shop.owner.arrived) + len(others.arrived) == 1


def test_a_phone_that_comes_and_goes_is_told_every_half_hour_at_most(shop: Shop) -> None:
    told = []
    for _ in range(12):  # two hours: five minutes there, five minutes gone
        shop.beat()
        told += [shop.look(1), shop.look(299), shop.look(300)]
    raised = [text for texts in told for text in texts if "offline" in text]
    assert 1 <= len(raised) <= 4
    assert sum(len(texts) for texts in told) <= 8


def test_what_is_over_before_it_was_told_is_never_told(shop: Shop) -> None:
    shop.set(alerts_quiet="21:00-23:00")
    shop.beat()
    assert shop.look(300) == []
    assert len(shop.open()) == 1
    shop.beat()
    assert shop.look() == []
    assert shop.open() == []


def test_several_things_arrive_as_one_message(shop: Shop) -> None:
    shop.beat()
    shop.listener.shop.push(4711)
    assert len(shop.look(300)) == 2
    (arrived,) = shop.owner.arrived
    assert arrived.startswith("Checkout: 2 things need you\n")
    assert arrived.endswith("\n\nhttp://127.0.0.1:8000/admin")


# Quiet hours


@pytest.mark.parametrize(
    ("quiet", "zone", "expected"),
    [
        ("22:00-08:00", "Asia/Shanghai", True),  # START is 22:13:20 there
        ("22:14-08:00", "Asia/Shanghai", False),
        ("08:00-22:13", "Asia/Shanghai", False),
        ("22:13-22:14", "Asia/Shanghai", True),
        ("22:00-08:00", "UTC", False),
        ("14:00-15:00", "UTC", True),
        ("00:00-00:00", "UTC", False),
        ("", "UTC", False),
    ],
)
def test_the_quiet_hours_are_those_of_the_zone(settings: Settings, quiet: str, zone: str, expected: bool) -> None:
    assert Plan.of(replace(settings, alerts_quiet=quiet, alerts_zone=zone)).is_quiet(START) is expected


def test_what_lasts_through_the_night_is_told_in_the_morning(shop: Shop) -> None:
    shop.set(alerts_quiet="22:00-08:00")
    shop.beat()
    assert shop.look(300) == []
    assert len(shop.look(10 * 3600)) == 1


def test_what_ended_in_the_night_is_told_in_the_morning(shop: Shop) -> None:
    shop.set(alerts_quiet="22:30-08:00")
    shop.beat()
    assert len(shop.look(300)) == 1
    shop.clock.go(3600)
    shop.beat()
    assert shop.look() == []
    shop.clock.go(10 * 3600)
    shop.beat()
    assert shop.look() == ["Phone phone is back online."]


# What is told


def test_money_that_fits_nothing_is_told_and_more_of_it_after_half_an_hour(shop: Shop) -> None:
    shop.listener.shop.push(4711)
    assert shop.look() == ["Payments that fit no order: 1. Look at them under “Review”."]
    shop.listener.shop.now = shop.clock()
    shop.listener.shop.push(4712)
    shop.forget_phone()
    assert shop.look() == []
    assert shop.look(AGAIN_AFTER_S) == ["Payments that fit no order: 2. Look at them under “Review”."]
    for payment in shop.listener.shop.payments(review=True):
        payments.ignore(shop.listener.store, payment.id, reason="my own", **shop.listener.by)
        assert shop.look() in ([], ["No payment waits for review any more."])
    assert shop.open() == []


def test_late_money_is_told_once_and_says_nothing_when_the_day_is_over(shop: Shop) -> None:
    order = shop.listener.shop.open()
    shop.listener.shop.go(400)
    shop.clock.go(400)
    shop.listener.shop.push(order.really_price)
    shop.forget_phone()
    (told,) = shop.look()
    assert told.startswith("Orders paid after their time in the last day: 1.")
    assert shop.look(86_400) == []
    assert shop.open() == []


def test_a_shop_that_refuses_its_messages_is_told_of_then_that_one_was_given_up_then_that_all_arrived(
    shop: Shop,
) -> None:
    order = shop.listener.paid()
    shop.forget_phone()
    assert shop.look() == []
    with shop.listener.store.transaction() as db:
        db.run("UPDATE deliveries SET attempts = 4")
    assert begins(shop.look()) == ["The shop shop"]
    with shop.listener.store.transaction() as db:
        db.run("UPDATE deliveries SET state = 'failed', done_at = :now", now=shop.clock())
    (told,) = shop.look(AGAIN_AFTER_S)
    assert told == "Messages to the shop shop given up: 1. Mend the shop, then send them again."
    (owed,) = shop.listener.shop.deliveries(order)
    with shop.listener.store.transaction() as db:
        stores.deliveries.acknowledge(db, owed.id, shop.clock())
    assert shop.look() == ["The shop shop has all its messages."]


def test_an_endpoint_that_paused_itself_is_told_of_and_one_that_the_owner_paused_is_not(shop: Shop) -> None:
    own = shop.listener.add()
    endpoints.pause(shop.listener.store, own.id, **shop.listener.by)
    assert shop.look() == []
    one = shop.listener.add(url="https://hooks.example/in?token=hidden")
    with shop.listener.store.transaction() as db:
        stores.endpoints.pause(db, one.id, "gone", shop.clock())
    (told,) = shop.look()
    assert told.startswith("The webhook https://hooks.example/in was paused because it failed")
    endpoints.resume(shop.listener.store, one.id, **shop.listener.by)
    assert shop.look() == ["The webhook https://hooks.example/in is in use again."]


def test_a_message_given_up_later_is_told_although_the_one_before_still_waits_for_its_owner(shop: Shop) -> None:
    """The second buyer's goods are not sent either."""
    one, two = shop.listener.paid("N1"), shop.listener.paid("N2")
    shop.forget_phone()
    for number, order in enumerate((one, two), start=1):
        with shop.listener.store.transaction() as db:
            db.run(
                "UPDATE deliveries SET state = 'failed', done_at = :now WHERE order_token = :token",
                now=shop.clock(), token=order.token,
            )  # fmt: skip
        assert shop.look(AGAIN_AFTER_S) == [
            f"Messages to the shop shop given up: {number}. Mend the shop, then send them again."
        ]


def test_one_event_that_a_healthy_endpoint_never_took_is_told_of(shop: Shop, outside: Outside) -> None:
    """It is refused again and again, while others arrive: nothing pauses the endpoint, and nobody else would say."""
    one = shop.listener.add("order.paid")
    outside.reply = lambda request: answer(500 if b'"N1"' in (request.body or b"") else 200)
    shop.listener.paid("N1")
    shop.forget_phone()
    refused = shop.listener.owed(one)[0]
    shop.listener.work_until(shop.clock() + 600)
    assert shop.look() == [f"The webhook {one.url} refuses its events; being tried again: 1. Check its receiver."]
    for day in (2, 3, 4, 5):
        shop.listener.paid(f"N{day}")
        shop.forget_phone()
        shop.listener.work_until(shop.clock() + 86_400)
    assert (shop.listener.now(one).pause, shop.listener.owed(one)[0].state) == ("", "failed")
    told = f"Events for the webhook {one.url} given up: 1. Mend the receiver, then send them again."
    assert shop.look() == [told]
    assert shop.look(86_400) == []
    outside.reply = lambda request: answer(200)
    deliveries.resend(shop.listener.store, refused.id, shop.clock())
    shop.listener.work()
    assert shop.look() == [f"The webhook {one.url} has all its events."]
    assert shop.open() == []


def test_an_endpoint_that_pauses_has_not_got_its_events(shop: Shop, outside: Outside) -> None:
    one = shop.listener.add("order.paid", url="https://hooks.example/in")
    outside.reply = lambda request: answer(500)
    shop.listener.paid()
    shop.forget_phone()
    shop.listener.work_until(shop.clock() + 600)
    assert begins(shop.look()) == ["The webhook https://hooks.example/in"]
    outside.reply = lambda request: answer(410)
    shop.listener.work_until(shop.clock() + 86_400)
    (told,) = shop.look()
    assert "was paused because it failed" in told
    assert [alert.kind for alert in shop.open()] == ["webhook"]
    endpoints.remove(shop.listener.store, one.id, **shop.listener.by)
    assert shop.look(AGAIN_AFTER_S) == []


def test_a_full_disk_is_told_in_two_steps(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.set(min_free_disk=50 * 2**20)
    room = iter([300, 199, 49, 500])
    monkeypatch.setattr(shop.listener.store, "free_bytes", lambda: next(room) * 2**20)
    assert shop.look() == []
    assert begins(shop.look()) == ["The disk is"]
    (told,) = shop.look(AGAIN_AFTER_S)
    assert told.startswith("The disk is full (49 MB left)")
    assert shop.look() == ["There is room on the disk again."]


def test_a_failed_backup_is_told_until_one_succeeds(shop: Shop) -> None:
    troubles.note(shop.listener.store, troubles.BACKUP, "There is no folder /mnt/backup.", START)
    (told,) = shop.look()
    assert told == "The backup failed: There is no folder /mnt/backup. Then run checkout backup again."
    troubles.over(shop.listener.store, troubles.BACKUP)
    assert shop.look() == ["The backup succeeded."]


def test_damage_is_told_until_the_database_is_sound(shop: Shop) -> None:
    troubles.note(shop.listener.store, troubles.DATABASE, "The database checkout.db is damaged (page 7).", START)
    (told,) = shop.look()
    assert told == "New orders are refused, money is still noted: The database checkout.db is damaged (page 7)."
    troubles.over(shop.listener.store, troubles.DATABASE)
    assert shop.look() == ["The database is sound; orders are taken again."]


def test_a_gateway_is_told_of_after_two_minutes_of_silence(shop: Shop) -> None:
    name = troubles.of_gateway("wechat")
    troubles.note(shop.listener.store, name, "It did not answer in time.", START)
    troubles.note(shop.listener.store, name, "Connection refused.", START + 60)
    assert shop.look(119) == []
    assert shop.look(1) == [
        "The gateway wechat does not answer: Connection refused. Check the network and its notices."
    ]
    troubles.over(shop.listener.store, name)
    assert shop.look() == ["The gateway wechat answers again."]


def test_low_stock_is_told_then_that_it_is_sold_out(shop: Shop) -> None:
    with shop.listener.store.transaction() as db:
        db.run(
            "INSERT INTO products (id, merchant, title_zh, title_en, price, stock, created_at)"
            " VALUES ('book', 1001, '书', 'Book', 100, 9, 0)"
        )

    def left(pieces: int) -> list[str]:
        with shop.listener.store.transaction() as db:
            db.run("UPDATE products SET stock = :pieces", pieces=pieces)
        return shop.look(AGAIN_AFTER_S)

    assert left(5) == []
    assert left(4) == ["Only 4 left of 书. Add more."]
    assert left(3) == []
    assert left(0) == ["书 is sold out. Add more, or take it off sale."]
    assert left(9) == ["书 is in stock again."]


def test_the_stock_is_counted_every_five_minutes_only(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    def stock(db: object, now: int) -> Iterator[Any]:
        counted.append(now)
        return iter(())

    monkeypatch.setattr("checkout.alerts.conditions.stock", stock)
    for _ in range(STOCK_EVERY_S // LOOK_EVERY_S):
        shop.look()
    assert len(counted) == 1
    shop.look()
    assert len(counted) == 2


def test_what_is_gone_altogether_is_no_good_news(shop: Shop) -> None:
    one = shop.listener.add()
    with shop.listener.store.transaction() as db:
        stores.endpoints.pause(db, one.id, "failing", shop.clock())
        db.run(
            "INSERT INTO products (id, merchant, title_zh, title_en, price, stock, created_at)"
            " VALUES ('book', 1001, '书', 'Book', 100, 1, 0)"
        )
    shop.beat()
    assert len(shop.look(300)) == 3
    endpoints.remove(shop.listener.store, one.id, **shop.listener.by)
    with shop.listener.store.transaction() as db:
        stores.devices.revoke(db, "phone", shop.clock())
        db.run("UPDATE products SET disabled_at = 1")
    assert shop.look(STOCK_EVERY_S) == []
    assert shop.open() == []


@pytest.mark.parametrize("language", ["zh-CN", "zh-TW", "en"])
def test_every_kind_has_its_words_in_every_language(settings: Settings, language: str) -> None:
    details = {
        "name": "n", "since": START, "waiting": 1, "failed": 1, "about": "a", "count": 1, "title": "t", "left": 1,
        "free": 1, "least": 1, "said": "s.", "channel": "c",
    }  # fmt: skip
    zone = Plan.of(settings).zone
    for kind in texts.KINDS:
        for level in (1, 2):
            one = Alert("a", kind, kind, level, json.dumps(details), START, START, 1, None, None, 0)
            over = replace(one, cleared_at=START)
            said = texts.sentence(one, language, zone)
            assert "{" not in said
            assert said != texts.sentence(over, language, zone) or not texts.says_when_over(kind)
    assert texts.test(language)


def test_words_of_strangers_are_text_and_nothing_else(shop: Shop) -> None:
    with shop.listener.store.transaction() as db:
        db.run("UPDATE devices SET name = '{count} <b>{0.__class__}</b>'")
    shop.beat()
    (told,) = shop.look(300)
    assert told.startswith("Phone {count} <b>{0.__class__}</b> is offline")


def test_what_the_owner_edits_counts_at_the_next_look(shop: Shop) -> None:
    shop.beat()
    with shop.listener.store.transaction() as db:
        db.run(
            "INSERT INTO preferences (name, value, changed_at) VALUES"
            " ('language', 'zh-CN', 0), ('device_offline_after', '600', 0), ('shop_name', '小店', 0)"
        )
    assert shop.look(300) == []
    (told,) = shop.look(300)
    assert told.startswith("手机「phone」离线了")
    assert shop.owner.arrived[0].startswith("小店: 需要您处理\n")


# A service that does not take it


def test_a_failing_service_is_logged_once_and_asked_again_after_a_while(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.owner.taken = False
    shop.beat()
    with caplog.at_level(logging.WARNING):
        assert len(shop.look(300)) == 1
        assert shop.look(59) == []
        for wait in (1, 300, 1800, 3600, 3600):
            assert len(shop.look(wait)) == 1
    assert [record.getMessage() for record in caplog.records] == ["An alert was not taken by ntfy: error=500"]
    assert "secret" not in caplog.text
    shop.owner.taken = True
    assert len(shop.look(3600)) == 1
    assert shop.look(3600) == []


def test_a_process_that_died_while_telling_is_followed_by_another(shop: Shop) -> None:
    def dies(urls: Sequence[str], title: str, body: str) -> list[Handed]:
        raise KeyboardInterrupt

    shop.beat()
    shop.clock.go(300)
    with pytest.raises(KeyboardInterrupt):
        Watch(shop.listener.store, shop.settings, hand_over=dies).look(shop.clock())
    assert shop.look(LEASE_S - 1) == []
    assert len(shop.look(1)) == 1


def test_what_is_over_while_it_is_being_told_is_told_to_be_over(shop: Shop) -> None:
    def back_meanwhile(urls: Sequence[str], title: str, body: str) -> list[Handed]:
        shop.beat()
        Watch(shop.listener.store, replace(shop.settings, alerts=())).look(shop.clock())
        return shop.owner(urls, title, body)

    shop.beat()
    shop.clock.go(300)
    Watch(shop.listener.store, shop.settings, hand_over=back_meanwhile).look(shop.clock())
    assert shop.look() == ["Phone phone is back online."]


def test_without_a_service_alerts_are_kept_and_told_when_there_is_one(shop: Shop) -> None:
    shop.set(alerts=())
    shop.beat()
    assert shop.look(300) == []
    assert [one.kind for one in shop.open()] == ["phone"]
    shop.set(alerts=(NTFY,))
    assert len(shop.look()) == 1


def test_a_plan_shows_no_address(settings: Settings) -> None:
    secret = replace(settings, alerts=(NTFY,))
    assert "topic" not in repr(secret) + repr(Plan.of(secret))


def test_a_look_at_which_nothing_has_changed_writes_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.beat()
    shop.look(300)

    def none() -> None:
        pytest.fail("a transaction was begun")

    monkeypatch.setattr(shop.listener.store, "transaction", none)
    assert shop.look() == []


def test_alerts_wait_for_a_database_that_cannot_be_used(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise StoreError("The database is locked.")

    monkeypatch.setattr(shop.listener.store, "read", broken)
    assert shop.look() == []
    assert "Alerts wait for the database: The database is locked." in caplog.text

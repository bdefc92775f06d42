"""The phone app of V免签, played by a client that behaves as the published apps do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from checkout import ids
from checkout import store as stores
from checkout.app import create_app
from checkout.model.accounts import Method
from checkout.model.orders import State
from checkout.model.payments import Judgement
from checkout.settings import Settings
from tests.clients.phone import Phone, java_double
from tests.clients.wire import to_app
from tests.dump import dump
from tests.world import DEVICE_KEY, START, FakeClock, Outside, World, account, device, md5

MS = START * 1000
GOOD = {"code": 1, "msg": "成功", "data": None}
WRONG_SIGN = {"code": -1, "msg": "签名校验不通过", "data": None}
SECOND_KEY = "e" * 64


@pytest.fixture
def phone(world: World) -> Phone:
    return Phone(to_app(world.app), f"pay.example:8000/{DEVICE_KEY}")


@pytest.fixture
def second(world: World, phone: Phone) -> Phone:
    """Another phone, with an account of its own."""
    with world.store.transaction() as db:
        stores.accounts.add(db, account(id="wx-two", method=Method.WECHAT, code="wxp://two", weight=1))
        stores.devices.add(db, device(id="second", key=SECOND_KEY, token="u" * 32), ["wx-two"])
    return Phone(phone.wire, f"pay.example/{SECOND_KEY}")


def beat_at(world: World, name: str = "phone") -> int | None:
    with world.store.read() as db:
        found = stores.devices.get(db, name)
    assert found is not None
    return found.beat_at


def change_device(world: World, **changes: object) -> None:
    with world.store.transaction() as db:
        stores.devices.set_key(db, device(**changes))


def judgements(world: World) -> list[Judgement]:
    return [payment.judgement for payment in reversed(world.payments())]


# Signs of life


def test_a_heartbeat_is_noted_with_our_own_clock(world: World, phone: Phone) -> None:
    assert beat_at(world) is None
    assert phone.heart(1_600_000_000_000) == GOOD
    assert beat_at(world) == START


def test_a_push_is_a_sign_of_life_too(world: World, phone: Phone) -> None:
    assert phone.push(1, "1.00", MS) == GOOD
    assert beat_at(world) == START


def test_a_replayed_push_is_none(world: World, phone: Phone) -> None:
    phone.push(1, "1.00", MS)
    world.clock.go(100)
    before = dump(world)
    assert phone.push(1, "1.00", MS) == GOOD
    assert dump(world) == before


@pytest.mark.parametrize("wrong", ["", "f" * 64, DEVICE_KEY.upper(), DEVICE_KEY[:-1]])
def test_a_heartbeat_with_another_key_is_refused(world: World, phone: Phone, wrong: str) -> None:
    stranger = replace(phone, pairing=f"pay.example/{wrong}")
    assert stranger.heart(MS) == stranger.push(1, "1.00", MS) == WRONG_SIGN
    assert beat_at(world) is None
    assert world.payments() == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_both_routes_take_get_and_post(world: World, method: str) -> None:
    heart = {"t": str(MS), "sign": md5(str(MS), DEVICE_KEY)}
    push = {"t": str(MS), "type": "1", "price": "1.0", "sign": md5("1", "1.0", str(MS), DEVICE_KEY)}
    for path, values in (("/appHeart", heart), ("/appPush", push)):
        sent = {"query_string": values} if method == "GET" else {"data": values}
        assert world.client.open(path, method=method, **sent).get_json() == GOOD  # type: ignore[arg-type]


@pytest.mark.parametrize(("policy", "open_for_business"), [("block", False), ("warn", True), ("sell", True)])
def test_after_180_seconds_without_a_beat_the_account_does_as_it_was_told(
    world: World, phone: Phone, policy: str, open_for_business: bool
) -> None:
    with world.store.transaction() as db:
        stores.accounts.update(db, account(offline=policy))
    phone.heart(MS)
    world.clock.go(179)
    assert world.create("N1")["code"] == 1
    world.clock.go(2)
    answer = world.create("N2")
    assert (answer["code"] == 1) is open_for_business
    if not open_for_business:
        assert answer["msg"] == "监控端状态异常，请检查"
        phone.heart(MS)
        assert world.create("N2")["code"] == 1


def test_an_account_that_blocks_waits_for_the_first_beat(world: World, phone: Phone) -> None:
    with world.store.transaction() as db:
        stores.accounts.update(db, account(offline="block"))
    assert world.create("N1")["msg"] == "监控端状态异常，请检查"
    phone.push(1, "1.00", MS)
    assert world.create("N1")["code"] == 1


def test_an_account_that_blocks_asks_for_its_own_phone(world: World, phone: Phone, second: Phone) -> None:
    with world.store.transaction() as db:
        stores.accounts.update(db, account(offline="block"))
        stores.accounts.update(db, account(id="wx-two", code="wxp://two", offline="block"))
    second.heart(MS)
    assert {world.create(f"N{i}")["data"]["payUrl"] for i in range(8)} == {"wxp://two"}


# Money


@pytest.mark.parametrize(
    ("price", "amount"),
    [
        ("1.1", 110), ("12.0", 1200), ("25.0", 2500), ("0.10", 10), ("0.01", 1), ("5", 500), ("9.90", 990),
        ("1.23456789E7", 1_234_567_890), ("1.0E7", 1_000_000_000), ("9.9999999999E8", 99_999_999_999),
    ],
)  # fmt: skip
def test_the_prices_seen_on_the_wire_are_read_to_the_fen(world: World, phone: Phone, price: str, amount: int) -> None:
    assert phone.push(1, price, MS) == GOOD
    assert [(payment.amount, payment.judgement) for payment in world.payments()] == [(amount, Judgement.UNMATCHED)]


AMOUNTS = [*range(1, 120), 999, 1000, 1001, 10**6 + 7, 999_999_999, 10**9, 10**9 + 1, 1_234_567_890, 99_999_999_999]


@pytest.mark.parametrize("amount", AMOUNTS)
def test_every_form_of_javas_double_is_read_back(amount: int) -> None:
    from checkout.money import fen_from_phone

    assert fen_from_phone(java_double(amount)) == amount


@pytest.mark.parametrize(
    "price",
    [
        "0.001",
        "1.0E-4",
        "0.0",
        "NaN",
        "Infinity",
        "-1.0",
        "1,160.00",
        "1.005",
        "¥1.00",
        "1.0元",
        "一元",
        "null",
        "1e3",
        "9" * 300,
    ],
)
def test_a_price_that_cannot_be_read_is_kept_for_review_and_answered_with_success(
    world: World, phone: Phone, price: str
) -> None:
    world.create("N1", "1.00")
    assert phone.push(1, price, MS) == GOOD
    (payment,) = world.payments()
    assert (payment.amount, payment.judgement) == (None, Judgement.UNREADABLE)
    assert json.loads(payment.raw)["price"] == price
    assert payment.note
    before = dump(world)
    assert phone.push(1, price, MS) == GOOD
    assert dump(world) == before


def test_what_the_phone_said_is_kept_without_its_signature(world: World, phone: Phone) -> None:
    phone.push(2, "3.0", MS + 7, force_push="true")
    (payment,) = world.payments()
    assert json.loads(payment.raw) == {"t": str(MS + 7), "type": "2", "price": "3.0", "force_push": "true"}
    assert (payment.method, payment.device, payment.happened_at, payment.received_at) == (
        "alipay", "phone", START, START,
    )  # fmt: skip


def test_a_push_pays_the_order_that_has_its_amount_and_owes_one_message(world: World, phone: Phone) -> None:
    token = world.create("N1", "9.90")["data"]["orderId"]
    assert phone.push(1, "9.9", MS) == GOOD
    assert world.order(token).state is State.PAID
    assert judgements(world) == [Judgement.MATCHED]
    assert world.work() == 1


def test_the_phone_is_answered_before_any_merchant_is_told(world: World, phone: Phone) -> None:
    world.create("N1", "9.90")
    phone.push(1, "9.9", MS)
    assert world.outside.sent == []


@pytest.mark.parametrize(("kind", "price"), [(2, "9.9"), (1, "9.91"), (1, "9.89"), (1, "99.0"), (1, "0.99")])
def test_money_that_matches_nothing_is_kept_and_answered_with_success(
    world: World, phone: Phone, kind: int, price: str
) -> None:
    token = world.create("N1", "9.90")["data"]["orderId"]
    assert phone.push(kind, price, MS) == GOOD
    assert world.order(token).state is State.PENDING
    assert judgements(world) == [Judgement.UNMATCHED]


def test_money_of_a_method_that_the_phone_has_no_account_for_is_kept(world: World, second: Phone) -> None:
    world.create("N1", "9.90", "2")
    assert second.push(2, "9.9", MS) == GOOD
    assert judgements(world) == [Judgement.UNMATCHED]


def test_a_phone_pays_orders_of_its_own_accounts_only(world: World, phone: Phone, second: Phone) -> None:
    """Both accounts may give out the same amount: who saw the money decides."""
    with world.store.transaction() as db:
        stores.accounts.update(db, account(disabled_at=START))
    theirs = world.create("N1", "9.90")["data"]
    with world.store.transaction() as db:
        stores.accounts.update(db, account())
        stores.accounts.update(db, account(id="wx-two", code="wxp://two", disabled_at=START))
    mine = world.create("N2", "9.90")["data"]
    assert (mine["reallyPrice"], theirs["reallyPrice"]) == ("9.90", "9.90")
    second.push(1, "9.9", MS)
    assert (world.order(mine["orderId"]).state, world.order(theirs["orderId"]).state) == (State.PENDING, State.PAID)
    phone.push(1, "9.9", MS)
    assert world.order(mine["orderId"]).state is State.PAID


# The same push again


def test_five_repeats_with_the_same_time_change_nothing(world: World, phone: Phone) -> None:
    world.create("N1", "9.90")
    phone.push(1, "9.9", MS)
    world.clock.go(1)
    before = dump(world)
    for _ in range(5):
        assert phone.push(1, "9.9", MS, force_push="true") == GOOD
    assert dump(world) == before


def test_another_spelling_of_the_same_push_is_the_same_push(world: World, phone: Phone) -> None:
    phone.push(1, "12.5", MS)
    before = dump(world)
    for price in ("12.50", "12.5", "1.25E1"):
        assert phone.push(1, price, MS) == GOOD
    assert dump(world) == before


def test_a_repeat_with_a_new_time_pays_no_second_order(world: World, phone: Phone) -> None:
    world.create("N1", "9.90")
    phone.push(1, "9.9", MS)
    world.clock.go(1)
    assert phone.push(1, "9.9", MS + 1000) == GOOD
    assert judgements(world) == [Judgement.MATCHED, Judgement.SUSPECTED]
    assert world.work() == 1


@pytest.mark.parametrize(("kind", "price", "t"), [(2, "9.9", MS), (1, "9.8", MS), (1, "9.9", MS + 1)])
def test_another_type_price_or_time_is_another_push(world: World, phone: Phone, kind: int, price: str, t: int) -> None:
    phone.push(1, "9.9", MS)
    phone.push(kind, price, t)
    assert len(world.payments()) == 2


def test_two_phones_may_say_the_same(world: World, phone: Phone, second: Phone) -> None:
    assert phone.push(1, "9.9", MS) == second.push(1, "9.9", MS) == GOOD
    assert sorted(payment.device for payment in world.payments()) == ["phone", "second"]


def test_a_repeat_after_the_key_was_changed_is_still_the_same_push(world: World, phone: Phone) -> None:
    phone.push(1, "9.9", MS)
    change_device(world, key=SECOND_KEY, previous_key=DEVICE_KEY, previous_key_until=START + 86_400)
    before = dump(world)
    assert replace(phone, pairing=f"pay.example/{SECOND_KEY}").push(1, "9.9", MS) == GOOD
    assert dump(world) == before


# Keys


def test_a_revoked_phone_is_refused(world: World, phone: Phone) -> None:
    with world.store.transaction() as db:
        stores.devices.revoke(db, "phone", START)
    before = dump(world)
    assert phone.heart(MS) == phone.push(1, "9.9", MS) == WRONG_SIGN
    assert dump(world) == before


def test_a_changed_key_and_the_one_before_are_valid_for_a_day(world: World, phone: Phone) -> None:
    change_device(world, key=SECOND_KEY, previous_key=DEVICE_KEY, previous_key_until=START + 86_400)
    fresh = replace(phone, pairing=f"pay.example/{SECOND_KEY}")
    world.clock.go(86_399)
    assert phone.heart(MS) == fresh.heart(MS) == GOOD
    world.clock.go(1)
    assert (phone.heart(MS), fresh.heart(MS)) == (WRONG_SIGN, GOOD)


def test_a_device_of_another_kind_is_no_vmq_phone(world: World, phone: Phone) -> None:
    with world.store.transaction() as db:
        stores.devices.add(db, device(id="script", kind="generic", key=SECOND_KEY, token="u" * 32), ["wx-main"])
    assert replace(phone, pairing=f"pay.example/{SECOND_KEY}").push(1, "9.9", MS) == WRONG_SIGN


def test_what_an_app_sends_besides_is_ignored_however_it_looks(world: World, phone: Phone) -> None:
    """Some builds add the text of the notification."""
    assert phone.push(1, "9.9", MS, title="微信支付", content="收款\n9.90元\x00", extra="x" * 5000) == GOOD
    assert set(json.loads(world.payments()[0].raw)) == {"t", "type", "price"}


# The window


@pytest.fixture
def narrow(tmp_path: Path, clock: FakeClock, outside: Outside) -> Iterator[World]:
    """A server with push_window_s = 60."""
    settings = Settings(database=str(tmp_path / "n" / "c.db"), folder=tmp_path, allow_private=True, push_window_s=60)
    app: Flask = create_app(settings, clock=clock, new_id=ids.new_id, send=outside.send, work=False)
    world = World.set_up(app, clock, outside)
    yield world
    world.store.close()


def test_by_default_any_time_will_do(world: World, phone: Phone) -> None:
    for t in (1_000_000_000_000, MS - 10**9, MS + 10**9, 9_999_999_999_999):
        assert phone.push(1, "1.00", t) == phone.heart(t) == GOOD


def test_with_a_window_older_messages_are_refused(narrow: World) -> None:
    phone = Phone(to_app(narrow.app), f"pay.example/{DEVICE_KEY}")
    late = {"code": -1, "msg": "客户端时间错误", "data": None}
    before = dump(narrow)
    assert phone.push(1, "1.00", MS - 61_000) == phone.heart(MS - 61_000) == late
    assert dump(narrow) == before
    assert phone.push(1, "1.00", MS - 60_000) == phone.heart(MS) == GOOD
    narrow.clock.go(121)
    before = dump(narrow)
    assert phone.push(1, "1.00", MS) == late
    assert replace(phone, pairing=f"pay.example/{SECOND_KEY}").push(1, "1.00", MS) == WRONG_SIGN
    assert dump(narrow) == before

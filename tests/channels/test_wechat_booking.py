"""From the notices of WeChat Pay v2 and of its 2014 form to the paid order: through the app, over a real database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from checkout import gateways, ids, inquiries, store
from checkout.channel import Scene
from checkout.model.accounts import Method
from checkout.model.orders import State
from checkout.model.payments import Judgement
from checkout.settings import Settings
from checkout.store.gateways import Watch
from tests.channels import wechat_2014
from tests.channels.orders import TOKEN, order, start
from tests.channels.wechat import API_KEY, APP_ID, MCH_ID, section
from tests.channels.wechat_2014 import SECRETS, at
from tests.fakes.wechat import FakeWechat, accepted
from tests.fakes.wechat_2014 import FakeWechat2014
from tests.world import FakeClock, World, account

ALL_SECRETS = (API_KEY, SECRETS.app_secret, SECRETS.pay_sign_key, SECRETS.partner_key)


@dataclass(frozen=True)
class Side:
    """A generation of WeChat Pay: its section, its buyer, its notices, and what it takes for a yes."""

    name: str
    gateway: FakeWechat | FakeWechat2014
    table: dict[str, object]
    notice: Callable[..., tuple[str, bytes]]  # the query and the body
    yes: Callable[[bytes], bool]
    foreign: dict[str, str]  # makes a notice another app's

    def pay(self) -> None:
        self.gateway.pay(TOKEN)


def v2(folder: Path, gateway: FakeWechat) -> Side:
    return Side(
        "wechat", gateway, section(folder, gateway=gateway.url),
        lambda **changes: ("", gateway.notice(TOKEN, **changes)), accepted, {"appid": "wx0000000000000000"},
    )  # fmt: skip


def of_2014(folder: Path, gateway: FakeWechat2014) -> Side:
    return Side(
        "wechat_2014", gateway, wechat_2014.section(folder, **at(gateway.url)),
        lambda **changes: gateway.notice(TOKEN, **changes), lambda answer: answer == b"success",
        {"AppId": "wx0000000000000000"},
    )  # fmt: skip


@pytest.fixture(params=["v2", "2014"])
def side(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Side]:
    if request.param == "v2":
        with FakeWechat(APP_ID, MCH_ID, API_KEY, clock=clock) as gateway:
            yield v2(tmp_path, gateway)
    else:
        with FakeWechat2014(SECRETS, clock=clock) as older:
            yield of_2014(tmp_path, older)


@pytest.fixture
def settings(settings: Settings, side: Side) -> Settings:
    return replace(settings, channels={side.name: side.table})


@pytest.fixture
def shop(world: World, side: Side) -> World:
    """A shop with an order whose buyer is about to pay."""
    with world.store.transaction() as db:
        store.accounts.add(db, account(id="wx-official", method=Method.WECHAT, channel=side.name, code=""))
        store.orders.add(db, order(method="wechat", account="wx-official", channel=side.name))
    scene = Scene.QR if side.name == "wechat" else Scene.JSAPI
    ask = start(scene, order={"channel": side.name})
    prompt = gateways.prompt_for(world.store, world.parts.channels, ask)
    if isinstance(side.gateway, FakeWechat2014):
        side.gateway.take(prompt.params["package"])
    return world


def told(shop: World, side: Side, **changes: str) -> bool:
    """Whether a notice is taken."""
    query, body = side.notice(**changes)
    answer = shop.client.post(f"/notify/{side.name}?{query}", data=body, content_type="text/xml")
    assert answer.status_code == 200
    return side.yes(answer.data)


def judgements(shop: World) -> list[Judgement]:
    return [payment.judgement for payment in sorted(shop.payments(), key=lambda payment: payment.received_at)]


def ask(shop: World, side: Side) -> None:
    watch = Watch(TOKEN, side.name, shop.clock(), 1, False)
    inquiries.check(shop.store, shop.parts.channels, watch, new_id=ids.new_id, clock=shop.clock)


def test_the_same_notice_eight_times_is_one_payment(shop: World, side: Side) -> None:
    side.pay()
    assert all(told(shop, side) for _ in range(8))
    assert shop.order(TOKEN).state is State.PAID
    assert judgements(shop) == [Judgement.MATCHED]


def test_twenty_notices_and_a_question_at_once_are_one_payment(shop: World, side: Side) -> None:
    side.pay()
    with ThreadPoolExecutor(21) as crowd:
        asked = crowd.submit(ask, shop, side)
        assert all(crowd.map(lambda _: told(shop, side), range(20)))
        asked.result()
    assert judgements(shop) == [Judgement.MATCHED]


def test_without_a_notice_the_question_books_the_money(shop: World, side: Side) -> None:
    ask(shop, side)
    assert shop.order(TOKEN).state is State.PENDING
    side.pay()
    ask(shop, side)
    assert shop.order(TOKEN).state is State.PAID
    assert told(shop, side)
    assert judgements(shop) == [Judgement.MATCHED]


@pytest.mark.parametrize("mischief", ["unsigned", "tampered", "other_key", "other_order", "status"])
def test_a_bad_answer_to_the_question_pays_nothing(shop: World, side: Side, mischief: str) -> None:
    side.pay()
    side.gateway.mischief = mischief
    ask(shop, side)
    assert shop.order(TOKEN).state is State.PENDING
    assert judgements(shop) == []


def test_the_wrong_amount_or_app_is_kept_and_never_booked(shop: World, side: Side) -> None:
    side.pay()
    assert told(shop, side, total_fee="989")
    assert told(shop, side, transaction_id="4200000000000000000000000001", **side.foreign)
    assert shop.order(TOKEN).state is State.PENDING
    assert judgements(shop) == [Judgement.UNMATCHED, Judgement.UNMATCHED]


def test_an_unknown_order_is_asked_for_again(shop: World, side: Side) -> None:
    side.pay()
    assert not told(shop, side, out_trade_no="f" * 32)
    assert judgements(shop) == []


def test_another_key_is_refused_and_changes_nothing(shop: World, side: Side) -> None:
    side.pay()
    assert not told(shop, side, key="0" * 32)
    assert judgements(shop) == []
    assert shop.order(TOKEN).state is State.PENDING


def test_a_second_transaction_for_a_paid_order_is_a_double_payment(shop: World, side: Side) -> None:
    side.pay()
    assert told(shop, side)
    shop.clock.go(1)
    assert told(shop, side, transaction_id="4200009999")
    assert judgements(shop) == [Judgement.MATCHED, Judgement.SUSPECTED]


def test_money_after_the_end_is_booked_as_late(shop: World, side: Side) -> None:
    side.pay()
    shop.clock.go(400)
    assert told(shop, side)
    assert (shop.order(TOKEN).state, shop.order(TOKEN).late) == (State.PAID, True)


def test_an_order_that_ends_is_asked_about_once_more(shop: World, side: Side) -> None:
    shop.clock.go(301)
    ask(shop, side)
    assert shop.order(TOKEN).state_at(shop.clock()) is State.EXPIRED
    paths = [path for path, _ in side.gateway.asked][-2:]
    assert paths[-1] in ("/pay/orderquery", "/gateway/normalorderquery.xml")
    assert side.name == "wechat_2014" or paths[0] == "/pay/closeorder"


def test_long_strange_and_empty_bodies_are_refused(shop: World, side: Side) -> None:
    query, body = side.notice()
    for odd in (b"", b"\x00", "中".encode("gbk"), body[:-3], body + b"<!-- -->", b"<!DOCTYPE xml>" + body):
        answer = shop.client.post(f"/notify/{side.name}?{query}", data=odd)
        assert answer.status_code < 500
        assert not side.yes(answer.data)
    assert shop.client.post(f"/notify/{side.name}?{query}", data=b"x" * 1_000_000).status_code in (400, 413)
    assert judgements(shop) == []


def test_no_secret_reaches_the_database_or_the_log(shop: World, side: Side, caplog: pytest.LogCaptureFixture) -> None:
    side.pay()
    with caplog.at_level(logging.DEBUG):
        told(shop, side, key="0" * 32)
        told(shop, side)
        side.gateway.mischief = "other_key"
        ask(shop, side)
    [payment] = shop.payments()
    assert '"transaction_id"' in payment.raw
    for secret in (*ALL_SECRETS, '"sign"', "AppSignature"):
        assert secret not in payment.raw
    assert not any(secret in caplog.text for secret in ALL_SECRETS)

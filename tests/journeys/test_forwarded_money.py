"""Order, forwarded notification, paid, callback: over real connections, with a server as it is really started."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import pytest

from checkout import store as stores
from checkout.model.accounts import Method
from checkout.model.merchants import Mode
from checkout.model.payments import Judgement
from checkout.monitors import pairing
from checkout.store import open_store
from tests.clients.smsforwarder import ALIPAY, WECHAT, Forwarder, Notification
from tests.clients.vmq import VmqClient
from tests.clients.wire import Wire, to_server
from tests.journeys.server import Place, Shops, serving
from tests.world import MERCHANT_KEY, account, device, md5, merchant

PHONE = device(id="phone", name="phone", kind="smsforwarder", key="5" * 64, token="0123456789abcdef" * 2)
SCRIPT = device(id="script", name="script", kind="generic", key="6" * 64, token="fedcba9876543210" * 2)


@dataclass
class Town:
    place: Place
    wire: Wire
    vmq: VmqClient
    phone: Forwarder
    shops: Shops
    heard: list[str]

    def payments(self) -> list[tuple[Judgement, int | None]]:
        store = open_store(self.place.database)
        with store.read() as db:
            found = [(one.judgement, one.amount) for one in stores.payments.listed(db, review=False)]
        store.close()
        return found


@pytest.fixture(scope="module")
def town(place: Place) -> Iterator[Town]:
    heard = list[str]()

    def notify(method: str, path: str, kind: str, body: bytes) -> bytes:
        heard.append(path)
        return b"success"

    shops = Shops({"/notify": notify})
    _furnish(place, shops.address)
    try:
        with serving(place) as url:
            wire = to_server(url)
            phone = Forwarder(wire, pairing.text(url, PHONE), PHONE.key)
            yield Town(place, wire, VmqClient(wire, MERCHANT_KEY), phone, shops, heard)
    finally:
        shops.close()


def _furnish(place: Place, shop: str) -> None:
    store = open_store(place.database)
    with store.transaction() as db:
        stores.merchants.add(db, merchant(mode=Mode.COMPAT, notify_url=f"{shop}/notify", return_url=f"{shop}/back"))
        stores.accounts.add(db, account(code="wxp://f2f0wechat"))
        stores.accounts.add(db, account(id="ali-main", method=Method.ALIPAY, code="https://qr.alipay.com/fkx"))
        stores.devices.add(db, PHONE, ["wx-main", "ali-main"])
        stores.devices.add(db, SCRIPT, ["wx-main", "ali-main"])
    store.close()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_a_forwarded_notification_pays_an_order_and_the_shop_is_told(town: Town) -> None:
    order = town.vmq.create("F1", "9.90", "1", param="user-1")
    assert town.phone.forward(
        Notification(WECHAT, "微信支付", f"微信支付收款{order['reallyPrice']}元(朋友到店)", now_ms())
    )
    assert town.shops.wait_for(1)
    told = dict(parse_qsl(urlsplit(town.heard[0]).query, keep_blank_values=True))
    assert told["payId"] == "F1"
    assert told["sign"] == md5("F1", "user-1", "1", "9.90", order["reallyPrice"], MERCHANT_KEY)


def test_one_message_sent_eight_times_at_once_is_booked_once(town: Town) -> None:
    seen = Notification(ALIPAY, "收钱码", "张三通过扫码向你付款5.55元", now_ms())
    request = town.phone.request(seen, seen.at_ms)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: town.phone.send(request), range(8)))
    assert {(reply.status, reply.body) for reply in replies} == {(200, b'{"ok":true}')}
    assert town.payments().count((Judgement.UNMATCHED, 555)) == 1


def test_long_and_deep_bodies_are_refused_and_nothing_secret_is_logged(town: Town) -> None:
    paths = [urlsplit(pairing.text("", one)).path for one in (PHONE, SCRIPT)]
    before = town.payments()
    for path in paths:
        for body in (
            b"[" * 65_000,
            b'{"a":' * 13_000,
            b'{"text":"' + b"\\u0041" * 10_900 + b'"}',
            b"a=" + b"%25" * 21_000,
        ):
            for kind in ("application/json", "application/x-www-form-urlencoded"):
                reply = town.wire("POST", path, {"Content-Type": kind}, body)
                assert 400 <= reply.status < 500
                assert json.loads(reply.body)["ok"] is False
    assert town.payments() == before
    log = (town.place.folder / "log").read_text(errors="replace")
    assert not any(secret in log for one in (PHONE, SCRIPT) for secret in (one.key, one.token))

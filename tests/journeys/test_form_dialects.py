"""BufPay and both versions of epay over a real server: create, pay by the phone, be told, return, ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from checkout import ids, merchant_keys, protocols, returns
from checkout import store as stores
from checkout.interfaces import Store
from checkout.model.accounts import Method
from checkout.store import open_store
from tests.clients import bufpay, epay, epay_v2
from tests.clients.forms import post_multipart, token_of
from tests.clients.phone import Phone, java_double
from tests.clients.wire import Wire, to_server
from tests.journeys.server import Place, Shops, serving
from tests.world import DEVICE_KEY, MERCHANT_KEY, account, device, merchant


@dataclass
class Street:
    """A running gateway, the shops that use it, and the phone that watches its accounts."""

    store: Store
    phone: Phone
    shops: Shops
    bufpay: bufpay.Shop
    epay: epay.Shop
    epay_v2: epay_v2.Shop

    def pay(self, price: str, method: str, told: int) -> None:
        """The phone reports the money; gives when so many callbacks have come."""
        kind = 1 if method == "wechat" else 2
        spelling = java_double(int(price.replace(".", "")))
        assert self.phone.push(kind, spelling, time.time_ns() // 1_000_000)["code"] == 1
        assert self.shops.wait_for(told)

    def return_of(self, token: str) -> str:
        with self.store.read() as db:
            order = stores.orders.get(db, token)
        assert order is not None
        found = returns.address(self.store, protocols.dialects(), order, ids.now())
        assert found is not None
        return found


@pytest.fixture(scope="module")
def street(place: Place) -> Iterator[Street]:
    store = open_store(place.database)
    keys = _set_up(store)
    with serving(place) as address:
        wire = to_server(address)
        pair = (keys.merchant_private, keys.platform_public)
        made = (
            bufpay.Shop(wire, "1001", MERCHANT_KEY),
            epay.Shop(wire, "1001", MERCHANT_KEY, folder="//xpay/epay/"),
            epay_v2.Shop(wire, "1001", *pair, clock=ids.now, folder="//"),
        )
        every: list[bufpay.Shop | epay.Shop | epay_v2.Shop] = [*made]
        shops = Shops({f"/{number}": shop.receive for number, shop in enumerate(every)})
        for number, shop in enumerate(every):
            shop.notify_url = f"{shops.address}/{number}"
        try:
            yield Street(store, Phone(wire, f"127.0.0.1/{DEVICE_KEY}"), shops, *made)
        finally:
            shops.close()
    store.close()


def _set_up(store: Store) -> merchant_keys.RsaKeys:
    with store.transaction() as db:
        stores.merchants.add(db, merchant())
        stores.accounts.add(db, account())
        stores.accounts.add(db, account(id="ali-main", method=Method.ALIPAY, code="https://qr.alipay.com/fkx"))
        stores.devices.add(db, device(), ["wx-main", "ali-main"])
    return merchant_keys.set_up(store, 1001, actor="test", new_id=ids.new_id, now=ids.now())


def test_the_roads_of_the_three_dialects(street: Street) -> None:
    one = street.bufpay.create("102", "50.00")
    street.pay(one["really_price"], "wechat", told=1)
    assert [told["aoid"] for told in street.bufpay.told] == [one["aoid"]]
    assert street.return_of(one["aoid"]) == street.bufpay.return_url
    assert _soon(lambda: street.bufpay.status(one["aoid"]) == "success")

    two = street.epay.create("E1", "1.00", param="p&q r")
    street.pay("1.00", "alipay", told=2)
    assert [told["param"] for told in street.epay.told] == ["p&q r"]
    assert street.epay.verified(urlsplit(street.return_of(two["trade_no"])).query) == street.epay.told[0]
    assert street.epay.order("E1")["trade_status"] == "TRADE_SUCCESS"

    three = street.epay_v2.create("V1", "2.00")
    street.pay("2.00", "alipay", told=3)
    assert [told["trade_no"] for told in street.epay_v2.told] == [three["trade_no"]]
    assert street.epay_v2.verified(urlsplit(street.return_of(three["trade_no"])).query) is not None
    assert street.epay_v2.order(out_trade_no="V1")["status"] == 1


def test_browsers_are_sent_to_the_page_whatever_the_slashes(street: Street) -> None:
    shop = street.epay
    for number, folder in enumerate(("/", "//", "/sub/dir//")):
        shop.folder = folder
        assert len(token_of(shop.submit(shop.values(f"B{number}", "3.00")))) == 32
    reply = post_multipart(shop.wire, "//mapi.php", shop.values("M1", "3.00"))
    assert reply.json()["code"] == 1
    token_of(street.epay_v2.submit(street.epay_v2.values("S1", "3.00"), "GET"))
    found = street.bufpay.send(street.bufpay.values("P1", "3.00"), query="")
    assert found.status == 303
    token_of(found.headers["location"])


def test_what_is_wrong_gets_the_dialects_own_failure(street: Street) -> None:
    wire: Wire = street.epay.wire
    for body in (b"\xff\xfe", b"pid=1001&money=%00", b"a=" + b"x" * 70_000):
        reply = wire("POST", "//mapi.php", {"Content-Type": "application/x-www-form-urlencoded"}, body)
        assert street.epay.failure(reply) == -1
    assert wire("GET", "//api.php?act=order", {}, b"").json()["code"] == -3
    assert wire("GET", "/api/query/x", {}, b"").json() == {"status": "not_exist"}


def _soon(is_so: Callable[[], bool]) -> bool:
    """The merchant's answer is booked a moment after it was given."""
    end = time.monotonic() + 5
    while not is_so() and time.monotonic() < end:
        time.sleep(0.02)
    return is_so()

"""The main road over real connections: the server with its worker loop, a merchant's notify page on loopback, and
clients that know us only from documents."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Queue

import pytest
from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS

from checkout import store as stores
from checkout.model.accounts import Method
from checkout.model.merchants import Mode
from checkout.store import open_store
from tests.clients.gogo import GogoClient
from tests.clients.phone import Phone, java_double
from tests.clients.vmq import Refused, VmqClient, cents, query_of
from tests.clients.wire import to_server
from tests.journeys.server import Place, Shops, serving
from tests.world import DEVICE_KEY, MERCHANT_KEY, account, device, merchant

SECOND_KEY = "second-merchants-key-0123456789"
Heard = tuple[str, str, bytes]  # method, URL, body


@dataclass
class Town:
    """Everybody on the main road; `heard` is what the merchant's notify page was sent."""

    url: str
    shop: str
    heard: Queue[Heard]
    vmq: VmqClient
    gogo: GogoClient
    phone: Phone


@pytest.fixture(scope="module")
def town(place: Place) -> Iterator[Town]:
    heard = Queue[Heard]()

    def notify(method: str, path: str, kind: str, body: bytes) -> bytes:
        heard.put((method, shops.address + path, body))
        return b"\xef\xbb\xbfSUCCESS\n"

    shops = Shops({"/notify.php": notify})
    try:
        _furnish(place.database, shops.address)
        with serving(place) as url:
            wire = to_server(url)
            yield Town(
                url, shops.address, heard, VmqClient(wire, MERCHANT_KEY),
                GogoClient(wire, SECOND_KEY, app_id="1002"), Phone(wire, f"{url.partition('://')[2]}/{DEVICE_KEY}"),
            )  # fmt: skip
    finally:
        shops.close()


def _furnish(database: str, shop: str) -> None:
    addresses = {"notify_url": f"{shop}/notify.php", "return_url": f"{shop}/#/order"}
    store = open_store(database)
    with store.transaction() as db:
        stores.merchants.add(db, merchant(mode=Mode.COMPAT, **addresses))
        stores.merchants.add(db, merchant(id=1002, key=SECOND_KEY, **addresses))
        stores.accounts.add(db, account(offline="block"))
        stores.accounts.add(db, account(id="ali", method=Method.ALIPAY, code="https://qr.alipay.com/fkx"))
        stores.devices.add(db, device(), ["wx-main", "ali"])
    store.close()


def milliseconds() -> int:
    return time.time_ns() // 1_000_000


def test_a_vmq_order_goes_all_the_way_over_real_connections(town: Town) -> None:
    with pytest.raises(Refused, match="监控端状态异常，请检查"):
        town.vmq.create("V0", "9.9")
    assert town.phone.heart(milliseconds())["code"] == 1
    assert town.vmq.state(str(milliseconds()))["state"] == "1"
    order = town.vmq.create("V1", "9.9", method="GET", param="用户 1&2=3+4%")
    with pytest.raises(Refused, match="订单未支付"):
        town.vmq.check(order["orderId"])
    assert town.phone.push(1, java_double(cents(order["reallyPrice"])), milliseconds())["msg"] == "成功"
    values = town.vmq.callback(*town.heard.get(timeout=10))
    assert (values["payId"], values["param"], values["price"]) == ("V1", "用户 1&2=3+4%", "9.90")
    _wait_until(lambda: town.vmq.order(order["orderId"])["state"] == 1)
    back = town.vmq.check(order["orderId"])
    assert back.startswith(f"{town.shop}/#/order?payId=V1&param=")
    assert town.vmq.returned(back) == values


def test_a_gogo_order_goes_all_the_way_over_real_connections(town: Town) -> None:
    order = town.gogo.create("G1", "12.5", "2", body="json", title="会员", returnParam="1")
    assert town.phone.push(2, java_double(cents(order["reallyPrice"])), milliseconds())["code"] == 1
    values = town.gogo.callback(*town.heard.get(timeout=10))
    assert (values["payId"], values["price"], values["type"]) == ("G1", "12.50", "2")
    _wait_until(lambda: town.gogo.order(order["orderId"])["state"] == 1)
    _verify_native(town, town.gogo.check(order["orderId"]), order["orderId"], 1250)


def test_a_page_for_browsers_leads_to_an_address_that_answers(town: Town) -> None:
    town.phone.heart(milliseconds())
    address = town.vmq.html("V2", "8.00")
    assert address.startswith(f"{town.url}/pay/")
    assert to_server(town.url)("GET", address.removeprefix(town.url), {}, b"").status == 200
    town.vmq.close(address.rpartition("/")[2], "/index/index/closeOrder")


def test_a_multipart_order_and_a_refusal_over_real_connections(town: Town) -> None:
    town.phone.heart(milliseconds())
    order = town.gogo.create("G2", "3", body="multipart", param="é")
    town.gogo.close(order["orderId"])
    with pytest.raises(Refused, match="请求格式错误"):
        town.gogo.envelope(
            town.gogo.wire("POST", "/createOrder", {"App-Id": "1002", "Content-Type": "application/json"}, b"{")
        )


def _verify_native(town: Town, url: str, token: str, amount: int) -> None:
    """As a static page does: the sorted parameters, ES256, our published keys."""
    values = query_of(url)
    signature = base64.urlsafe_b64decode(values.pop("co_sig") + "==")
    assert (values["co_order"], values["co_state"], values["co_amount"]) == (token, "paid", str(amount))
    assert abs(int(values["co_ts"]) - time.time()) < 900
    published = json.loads(to_server(town.url)("GET", "/.well-known/checkout-keys.json", {}, b"").body)
    (jwk,) = [key for key in published["keys"] if key["kid"] == values["co_kid"]]
    x, y = (int.from_bytes(base64.urlsafe_b64decode(jwk[part] + "==")) for part in "xy")
    text = "&".join(f"{name}={value}" for name, value in sorted(values.items()))
    verifier = DSS.new(ECC.construct(curve="P-256", point_x=x, point_y=y), "fips-186-3")
    verifier.verify(SHA256.new(text.encode()), signature)


def _wait_until(holds: Callable[[], bool]) -> None:
    """The answer of the shop is booked a moment after it was given."""
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)

"""The whole road of every dialect through a real nginx, with the files of deploy/: https, and below another site."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from queue import Queue
from urllib.parse import quote, urlencode, urlsplit

import pytest

from checkout import ids, merchant_keys, protocols, returns
from checkout import store as stores
from checkout.interfaces import Store
from checkout.model.accounts import Method
from checkout.model.merchants import Mode
from checkout.model.orders import Order
from checkout.model.products import Product
from checkout.products import client_digest
from checkout.settings import load, secret_for
from checkout.store import open_store
from tests import certificates, proxies
from tests.clients import bufpay, epay, epay_v2
from tests.clients.gogo import GogoClient
from tests.clients.phone import Phone, java_double
from tests.clients.vmq import VmqClient
from tests.clients.wire import Wire, to_server
from tests.journeys.server import KINDS, Place, Shops, placed, serving
from tests.servers import free_port
from tests.world import DEVICE_KEY, MERCHANT_KEY, START, account, device, merchant

SITES = ("root", "below", "below, prefix taken off")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Front:
    """Checkout behind nginx; `base` is its public address, `backend` the one that nginx calls."""

    base: str
    backend: str
    trust: str
    place: Place
    store: Store
    shops: Shops
    heard: Queue[tuple[str, str, bytes]]
    bufpay: bufpay.Shop
    epay: epay.Shop
    epay_v2: epay_v2.Shop
    phone: Phone

    def wire(self, source: str = "") -> Wire:
        return to_server(self.base, trust=self.trust, source=source)

    def push(self, price: str, kind: int) -> None:
        spelling = java_double(int(price.replace(".", "")))
        assert self.phone.push(kind, spelling, time.time_ns() // 1_000_000)["code"] == 1


@pytest.fixture(scope="module", params=product(SITES, KINDS), ids=", ".join)
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    proxies.required("nginx")
    site, kind = request.param
    with placed(kind, tmp_path_factory.mktemp("front")) as place, served(site, place) as front:
        yield front


@contextmanager
def served(site: str, place: Place) -> Iterator[Front]:
    folder, heard = place.folder, Queue[tuple[str, str, bytes]]()
    authority = certificates.authority(folder)
    certificate = authority.issue(folder, "127.0.0.1")
    public = free_port()
    host = f"127.0.0.1:{public}"
    base = f"https://{host}" + ("" if site == "root" else "/pay")

    def notify(method: str, path: str, kind: str, body: bytes) -> bytes:
        heard.put((method, shops.address + path, body))
        return b"success"

    store = open_store(place.database)
    keys = _furnish(store)
    with serving(place, base_url=base, trusted_proxies="127.0.0.1") as backend:
        wire = to_server(base, trust=str(authority.file))
        pair = (keys.merchant_private, keys.platform_public)
        bufpay_shop = bufpay.Shop(wire, "1001", MERCHANT_KEY)
        epay_shop = epay.Shop(wire, "1001", MERCHANT_KEY, folder="/xpay/epay/")
        v2_shop = epay_v2.Shop(wire, "1001", *pair, clock=ids.now, folder="/")
        pages = {"/b": bufpay_shop.receive, "/e": epay_shop.receive, "/v": v2_shop.receive, "/n": notify}
        shops = Shops(pages)
        bufpay_shop.notify_url, epay_shop.notify_url = f"{shops.address}/b", f"{shops.address}/e"
        v2_shop.notify_url = f"{shops.address}/v"
        phone = Phone(to_server(f"https://{host}", trust=str(authority.file)), f"{host}/{DEVICE_KEY}")
        try:
            with proxies.nginx(folder, _site(site, public, backend, certificate, folder), public):
                yield Front(
                    base, backend, str(authority.file), place, store, shops, heard, bufpay_shop, epay_shop,
                    v2_shop, phone,
                )  # fmt: skip
        finally:
            shops.close()
            store.close()


def _furnish(store: Store) -> merchant_keys.RsaKeys:
    with store.transaction() as db:
        stores.merchants.add(db, merchant(mode=Mode.COMPAT))
        stores.accounts.add(db, account())
        stores.accounts.add(db, account(id="ali-main", method=Method.ALIPAY, code="https://qr.alipay.com/fkx"))
        stores.devices.add(db, device(), ["wx-main", "ali-main"])
        stores.products.add(
            db,
            Product(
                id="ebook", merchant=1001, title_zh="电子书", title_en="Book", price=990, lowest=None, highest=None,
                max_quantity=1, stock=None, per_buyer=None, origins=(), return_url="", deliver="return", goods="",
                low_stock=5, brand="{}", disabled_at=None, created_at=START,
            ),
        )  # fmt: skip
    return merchant_keys.set_up(store, 1001, actor="test", new_id=ids.new_id, now=ids.now())


def _site(site: str, port: int, backend: str, certificate: tuple[str, str], folder: Path) -> str:
    if site == "root":
        return proxies.nginx_site(folder, port, backend, certificate)
    return proxies.nginx_site_below(port, backend, certificate, takes_off="taken off" in site)


def test_every_dialect_walks_its_road(front: Front) -> None:
    one = front.bufpay.create("B1", "50.00")
    assert one["pay_url"].startswith(front.base + "/pay/")
    front.push(one["really_price"], 1)
    assert front.shops.wait_for(1)
    assert [told["aoid"] for told in front.bufpay.told] == [one["aoid"]]

    two = front.epay.create("E1", "1.00")
    assert two["payurl"].startswith(front.base + "/pay/")
    front.push("1.00", 2)
    assert front.shops.wait_for(2)
    assert [told["out_trade_no"] for told in front.epay.told] == ["E1"]
    assert front.epay.order("E1")["status"] == 1

    three = front.epay_v2.create("V1", "2.00")
    front.push("2.00", 2)
    assert front.shops.wait_for(3)
    assert [told["trade_no"] for told in front.epay_v2.told] == [three["trade_no"]]

    vmq = VmqClient(front.wire(), MERCHANT_KEY)
    four = vmq.create("N1", "3.00", notifyUrl=f"{front.shops.address}/n", param="user-1")
    front.push(four["reallyPrice"], 1)
    assert vmq.callback(*front.heard.get(timeout=10))["payId"] == "N1"
    assert vmq.returned(vmq.check(four["orderId"]))["param"] == "user-1"

    gogo = GogoClient(front.wire(), MERCHANT_KEY, app_id="1001")
    five = gogo.create("G1", "4.00", notifyUrl=f"{front.shops.address}/n")
    front.push(five["reallyPrice"], 1)
    assert gogo.callback(*front.heard.get(timeout=10))["payId"] == "G1"


def test_the_page_its_picture_its_poll_and_its_files_lie_below_the_public_address(front: Front) -> None:
    order = VmqClient(front.wire(), MERCHANT_KEY).create("P1", "5.00")
    prefix, wire = urlsplit(front.base).path, front.wire()
    page = wire("GET", f"/pay/{order['orderId']}", {"Accept": "text/html"}, b"")
    assert page.status == 200
    links = set(re.findall(r'(?:src|href|hx-get|action)="([^"#]+)"', page.body.decode()))
    ours = {link for link in links if not link.startswith(("https://cdn.", "data:", "?", "alipays:"))}
    assert ours
    for link in ours:
        assert link.startswith((prefix + "/", front.base + "/")), link
        target = link.removeprefix(front.base).removeprefix(prefix) if prefix else link.removeprefix(front.base)
        if "/pay/" not in target or target.partition("?")[0].endswith(("qr.png", "poll")):
            assert wire("GET", target.replace("&amp;", "&"), {}, b"").status in (200, 204), link


def test_a_browser_is_sent_to_the_public_address(front: Front) -> None:
    shop = front.epay
    location = shop.submit(shop.values("S1", "6.00"))
    assert location.startswith(front.base + "/pay/")
    html = VmqClient(front.wire(), MERCHANT_KEY).html("H1", "6.50")
    assert html.startswith(front.base + "/pay/")
    with front.store.read() as db:
        order = stores.orders.by_number(db, 1001, "E1")
    assert order is not None
    assert returns.address(front.store, protocols.dialects(), order, ids.now())


def test_a_buyers_address_is_his_own_whatever_he_writes(front: Front) -> None:
    environ = {f"CHECKOUT_{name.upper()}": value for name, value in front.place.settings.items()}
    secret = secret_for(load(environ, front.place.folder))
    for claimed in ("", "9.9.9.9", "127.0.0.1", "9.9.9.9, 127.0.0.1", "not an address"):
        order = _buy(front, front.wire(source="127.0.0.2"), claimed)
        assert order.client == client_digest(secret, "127.0.0.2"), claimed
    direct = to_server(front.backend, source="127.0.0.3")  # no proxy of ours: what it forwards counts for nothing
    assert _buy(front, direct, "9.9.9.9").client == client_digest(secret, "127.0.0.3")


def _buy(front: Front, wire: Wire, claimed: str) -> Order:
    headers = {"X-Forwarded-For": claimed} if claimed else {}
    page = wire("GET", "/buy/ebook", {**headers, "Accept": "text/html"}, b"").body.decode()
    hidden = dict(re.findall(r'name="([a-z_]+)"[^>]*value="([^"]*)"', page))
    body = urlencode({**hidden, "method": "wechat"}, quote_via=quote).encode()
    reply = wire("POST", "/buy/ebook", {**FORM, **headers}, body)
    assert reply.status == 303, reply.body.decode()
    assert "/pay/" in reply.headers["location"]
    token = reply.headers["location"].partition("?")[0].rpartition("/")[2]
    with front.store.transaction() as db:
        order = stores.orders.get(db, token)
        stores.orders.close(db, token, ids.now())
    assert order is not None
    return order

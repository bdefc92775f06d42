"""The demo as a newcomer sees it: real processes, real HTTP."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from checkout import devices, store
from checkout.store import open_store
from tests.servers import CHECKOUT, Server, ask, free_port, serving


@dataclass(frozen=True)
class Demo:
    server: Server
    url: str
    shop: str
    folder: Path

    def buy(self, method: str = "wechat", language: str = "en", goods: str = "book") -> str:
        """The address of the checkout page that the shop sends the buyer to."""
        bought = ask(f"{self.shop}/buy?lang={language}", {"goods": goods, "method": method})
        assert bought.status == 303, bought.text
        return str(bought.headers["Location"])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    shop_port = free_port()
    command = (*CHECKOUT, "demo", "--port", "{port}", "--shop-port", str(shop_port), "--data", str(folder / "demo"))
    with serving(folder, *command) as (server, url):
        yield Demo(server, url, f"http://127.0.0.1:{shop_port}", folder / "demo")


def until(what: str, url: str) -> str:
    """Loads a page until it says so."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        page = ask(url).text
        if re.search(what, page):
            return page
        time.sleep(0.05)
    raise AssertionError(f"{url} never said {what}")


def test_it_prints_the_addresses(demo: Demo) -> None:
    for address in (demo.shop, demo.url, f"{demo.url}/demo/phone", f"{demo.url}/admin/first?link=",
                    str(demo.folder / "checkout.db")):  # fmt: skip
        assert address in demo.server.log


@pytest.mark.parametrize(("language", "goods"), [("zh", "book"), ("en", "book"), ("en", "sample")])
def test_a_buyer_is_led_from_the_shop_over_the_checkout_and_the_phone_back_to_the_shop(
    demo: Demo, language: str, goods: str
) -> None:
    assert 'action="/buy' in ask(f"{demo.shop}/?lang={language}").text
    address = demo.buy(language=language, goods=goods)
    page = ask(address).text
    assert "qr.png" in page
    button = re.search(r'action="(/demo/phone/[0-9a-f]{32}\?lang=[A-Za-z-]+)"', page)
    assert button, page
    token = urlsplit(address).path.rpartition("/")[2]
    back = ask(demo.url + button[1], {"from": "page"})
    assert (back.status, urlsplit(back.headers["Location"]).path) == (303, f"/pay/{token}")
    paid = ask(f"{demo.url}/pay/{token}").text
    assert "/demo/phone/" not in paid
    link = re.search(rf'href="({re.escape(demo.shop)}/orders/TEA-[0-9A-F]+)\?', paid)
    assert link, paid
    until('data-paid="yes"', link[1])


def test_the_shop_believes_the_callback_and_not_the_return(demo: Demo) -> None:
    page = ask(demo.buy("alipay", goods="sample")).text
    number = re.search(r"TEA-[0-9A-F]+", page)
    assert number
    returned = ask(f"{demo.shop}/orders/{number[0]}?co_state=paid&trade_status=TRADE_SUCCESS").text
    assert 'data-paid="no"' in returned
    forged = ask(f"{demo.shop}/notify?payId={number[0]}&param=&type=2&price=5.00&reallyPrice=5.00&sign={'0' * 32}")
    assert (forged.status, forged.text) == (400, "refused")


def test_the_book_is_ordered_over_the_native_api_and_the_sample_as_an_old_plugin_does(demo: Demo) -> None:
    dialects = {}
    for goods in ("book", "sample"):
        token = urlsplit(demo.buy(goods=goods)).path.rpartition("/")[2]
        with closing(open_store(str(demo.folder / "checkout.db"))) as db_store, db_store.read() as db:
            order = store.orders.get(db, token)
        assert order is not None
        dialects[goods] = order.dialect
    assert dialects == {"book": "api", "sample": "vmq"}
    assert ask(f"{demo.shop}/webhook", {"type": "order.paid"}).status == 400


def test_the_phone_shows_what_waits_and_hears_of_any_money(demo: Demo) -> None:
    token = urlsplit(demo.buy()).path.rpartition("/")[2]
    assert token in ask(f"{demo.url}/demo/phone").text
    assert ask(f"{demo.url}/demo/phone", {"method": "wechat", "amount": "7.77"}).status == 303
    screen = ask(f"{demo.url}/demo/phone?lang=en").text
    assert "7.77" in screen
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in screen
    assert ask(f"{demo.url}/demo/phone", {"method": "wechat", "amount": "1e2"}).status == 400
    assert ask(f"{demo.url}/demo/phone/{'0' * 32}", {}).status == 404


def test_the_phone_is_online_by_its_heartbeats(demo: Demo) -> None:
    page = ask(demo.buy()).text
    assert "qr.png" in page
    with closing(open_store(str(demo.folder / "checkout.db"))) as db_store:
        (phone,) = devices.all_of(db_store)
    assert phone.device.beat_at is not None


def test_a_second_demo_says_that_the_port_is_taken(demo: Demo, tmp_path: Path) -> None:
    port = urlsplit(demo.url).port
    second = Server((*CHECKOUT, "demo", "--port", str(port), "--data", str(tmp_path)), {}, tmp_path / "log", tmp_path)
    assert second.ended() == 1
    assert "choose another with" in second.log
    assert second.log.count("\n") == 1


def test_a_second_demo_on_the_same_data_is_refused(demo: Demo, tmp_path: Path) -> None:
    ports = ("--port", str(free_port()), "--shop-port", str(free_port()))
    second = Server((*CHECKOUT, "demo", *ports, "--data", str(demo.folder)), {}, tmp_path / "log", tmp_path)
    assert second.ended() == 1
    assert f"process {demo.server.process.pid}" in second.log


def test_the_shop_ends_with_the_demo_even_when_it_is_killed(tmp_path: Path) -> None:
    shop_port = free_port()
    command = (*CHECKOUT, "demo", "--port", "{port}", "--shop-port", str(shop_port), "--data", str(tmp_path / "d"))
    with serving(tmp_path, *command) as (server, _url):
        assert ask(f"http://127.0.0.1:{shop_port}/").status == 200
        server.process.kill()
        server.process.wait()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", shop_port)):
                    break
            time.sleep(0.02)
        else:
            pytest.fail("the shop outlived the demo")


def test_the_database_of_a_real_installation_is_left_alone(demo: Demo) -> None:
    """The environment that it was started with names one."""
    assert not (demo.folder.parent / "data").exists()

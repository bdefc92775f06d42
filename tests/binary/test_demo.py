"""`checkout demo` of the one-file program, for whoever has downloaded it and wants to see it first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.binary.bare import bare, here
from tests.demo.test_demo import Demo, until
from tests.demo.test_official import cashier
from tests.servers import ask, free_port


@contextmanager
def demonstrated(folder: Path, *options: str) -> Iterator[Demo]:
    """As nobody, in a system that is read-only but for the folder that it is started in."""
    port, shop_port, system = free_port(), free_port(), bare(here(), folder)
    words = ("demo", "--shop-port", str(shop_port), *options)
    with system.serving(port, {}, folder / "log", *words) as server:
        yield Demo(server, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{shop_port}", system.data / "data")


def test_a_buyer_is_led_from_the_shop_over_the_phone_to_a_paid_order(program: Path, tmp_path: Path) -> None:
    with demonstrated(tmp_path) as demo:
        page = demo.buy(goods="sample")
        button = re.search(r'action="(/demo/phone/[0-9a-f]{32}\?lang=[A-Za-z-]+)"', ask(page).text)
        assert button, page
        assert ask(demo.url + button[1], {"from": "page"}).status == 303
        until('data-stage="paid"', page)
        assert "/admin/first?link=" in demo.server.log
    assert (demo.folder / "demo" / "checkout.db").is_file()
    assert not list(demo.folder.parent.glob("_MEI*"))


def test_an_order_of_an_official_account_is_paid_at_its_gateway(program: Path, tmp_path: Path) -> None:
    with demonstrated(tmp_path, "--official") as demo:
        page = demo.buy("alipay")
        ask(cashier(until('data-stage="pending"', page)), {})
        until('data-stage="paid"', page)

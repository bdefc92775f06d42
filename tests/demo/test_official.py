"""`checkout demo --official`: the shop is paid through official accounts, at gateways of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from checkout.store import accounts, open_store
from tests.demo.test_demo import Demo, until
from tests.servers import CHECKOUT, ask, free_port, serving


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("official-demo")
    shop_port, data = free_port(), folder / "demo"
    ports = ("--port", "{port}", "--shop-port", str(shop_port))
    with serving(folder, *CHECKOUT, "demo", "--official", *ports, "--data", str(data)) as (server, url):
        yield Demo(server, url, f"http://127.0.0.1:{shop_port}", data)


def cashier(page: str) -> str:
    found = re.search(r'href="(http://127\.0\.0\.1:[0-9]+/cashier/[0-9a-f]{32})"', page)
    assert found, page
    return found[1]


@pytest.mark.parametrize("method", ["alipay", "wechat"])
def test_an_order_is_paid_at_the_gateway_and_the_shop_is_told(demo: Demo, method: str) -> None:
    page = demo.buy(method)
    at_gateway = cashier(until('data-stage="pending"', page))
    assert "Pay" in ask(at_gateway).text
    ask(at_gateway, {})
    until('data-stage="paid"', page)


def test_every_gateway_that_has_a_code_for_a_page_has_an_account(demo: Demo) -> None:
    with closing(open_store(str(demo.folder / "checkout.db"))) as db_store, db_store.read() as db:
        assert {one.id for one in accounts.all_of(db)} == {"alipay", "wechat", "wechat_2014", "wechat_v3"}


def test_its_keys_are_for_their_owner_alone(demo: Demo) -> None:
    keys: list[Path] = list((demo.folder / "keys").iterdir())
    assert keys
    assert {file.stat().st_mode & 0o077 for file in keys} == {0}

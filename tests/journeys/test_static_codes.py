"""A static code is scanned: WeChat asks what the product costs, the order is opened, paid and told of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from checkout import catalogue, ids, store
from checkout.catalogue import Draft
from checkout.channels.static_codes import SellsByCode
from checkout.demo.gateways.wechat_words import read
from checkout.merchants import Reach
from checkout.model.orders import Order, State
from tests.officials import Official, official

OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


@pytest.fixture
def made(tmp_path: Path, database: str) -> Iterator[Official]:
    with official(tmp_path, "wechat", "wechat_2014", database=database) as made:
        draft = Draft(title_zh="茶", title_en="Tea", price=990)
        world = made.world
        catalogue.add(world.store, "tea", draft, Reach(True), actor="test", new_id=ids.new_id, now=world.clock())
        yield made


def code(made: Official, channel: str, product: str = "tea") -> str:
    seller = made.world.parts.channels[channel]
    assert isinstance(seller, SellsByCode)
    return seller.product_code(product, made.world.clock())


def callback(made: Official, channel: str = "wechat") -> str:
    return f"{made.site.url}/notify/{channel}/product"


def orders(made: Official) -> list[Order]:
    with made.world.store.read() as db:
        return store.orders.listed(db, store.orders.Filter())


def test_a_scan_in_mode_one_opens_an_order_that_a_notice_pays(made: Official) -> None:
    answer = made.town.wechat.scan(code(made, "wechat"), callback(made))
    assert answer["result_code"] == "SUCCESS"
    [order] = orders(made)
    assert (order.product, order.price, order.channel, order.title) == ("tea", 990, "wechat", "茶")
    made.town.wechat.pay(order.token)
    assert made.town.wechat.notify(order.token) == 1
    assert made.state(order) is State.PAID


def test_the_same_question_again_is_the_same_order(made: Official) -> None:
    question = made.town.wechat.question("tea", OPENID, "nonce1")
    answers = [read(made.town.wechat.call(callback(made), question)) for _ in range(3)]
    assert {answer["result_code"] for answer in answers} == {"SUCCESS"}
    assert len(orders(made)) == 1


@pytest.mark.parametrize("product", ["nothing", "0" * 32])
def test_a_product_that_is_not_sold_is_answered_with_a_refusal_to_show(made: Official, product: str) -> None:
    answer = read(made.town.wechat.call(callback(made), made.town.wechat.question(product, OPENID)))
    assert (answer["return_code"], answer["result_code"]) == ("SUCCESS", "FAIL")
    assert orders(made) == []


def test_a_question_that_is_not_signed_opens_nothing(made: Official) -> None:
    body = made.town.wechat.question("tea", OPENID).replace(b"tea", b"tee")
    assert b"FAIL" in made.town.wechat.call(callback(made), body)
    assert orders(made) == []


def test_a_scan_in_the_form_of_2014_opens_an_order_that_a_notice_pays(made: Official) -> None:
    old = made.town.wechat_2014
    assert old.scan(code(made, "wechat_2014"), callback(made, "wechat_2014"))["RetCode"] == "0"
    [order] = orders(made)
    assert (order.product, order.channel) == ("tea", "wechat_2014")
    old.pay(order.token)
    assert old.notify(order.token) == 1
    assert made.state(order) is State.PAID


def test_the_code_of_an_order_on_our_page_works_alike(made: Official) -> None:
    with made.world.store.transaction() as db:
        db.run("UPDATE accounts SET disabled_at = 1 WHERE id = 'wechat'")
    order = made.order("wechat_2014")
    page = made.world.client.get(f"/pay/{order.token}")
    assert "qr.png" in page.text
    with made.world.store.read() as db:
        [shown] = store.gateways.prompts(db, order.token, "wechat_2014")
    assert made.town.wechat_2014.scan(shown.text, callback(made, "wechat_2014"))["RetCode"] == "0"
    assert set(made.town.wechat_2014.trades) == {order.token}


def test_an_account_without_static_codes_has_no_such_address(made: Official) -> None:
    assert made.world.client.post("/notify/wechat_v3/product", data=b"x").status_code == 404
    assert made.world.client.post("/notify/nobody/product", data=b"x").status_code == 404

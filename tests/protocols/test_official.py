"""Every dialect, for a shop that is paid through official accounts: strict clients see what they always see."""

from __future__ import annotations

import pytest

from checkout.channel import Prompt, PromptKind
from tests.clients import bufpay, epay
from tests.clients.forms import members, raw_path
from tests.clients.gogo import GogoClient
from tests.clients.wire import to_app
from tests.gateways import DOWN, Till, install
from tests.world import MERCHANT_KEY, World

LINK = Prompt(PromptKind.LINK, "https://cashier.example/?a=1")


@pytest.fixture
def till(world: World) -> Till:
    till = Till("official", method="wechat")
    install(world, till)
    return till


@pytest.fixture
def gogo(world: World) -> GogoClient:
    return GogoClient(to_app(world.app), MERCHANT_KEY, app_id="1001")


@pytest.fixture
def buf(world: World) -> bufpay.Shop:
    return bufpay.Shop(raw_path(world.app), "1001", MERCHANT_KEY)


def test_gogo_has_the_gateways_code_and_the_exact_price(gogo: GogoClient, till: Till) -> None:
    order = gogo.create("N1", "9.90")
    assert order["payUrl"] == f"https://qr.example/{order['orderId'][:8]}"
    assert (order["reallyPrice"], order["isAuto"]) == ("9.90", 0)


def test_bufpay_has_the_gateways_code_and_says_that_it_holds_the_price(buf: bufpay.Shop, till: Till) -> None:
    order = buf.create("N1", "9.90")
    assert (order["qr"], order["qr_price"]) == (f"https://qr.example/{order['aoid'][:8]}", "9.90")


def test_bufpay_has_our_page_where_the_gateway_has_an_address(buf: bufpay.Shop, till: Till) -> None:
    till.prompt = lambda start: LINK
    order = buf.create("N1", "9.90")
    assert order["qr"] == order["pay_url"] == f"http://127.0.0.1:8000/pay/{order['aoid']}"


def test_a_gateway_that_is_down_is_said_in_the_words_of_each(
    world: World, gogo: GogoClient, buf: bufpay.Shop, till: Till
) -> None:
    till.faults = {None: DOWN}
    values = {"payId": "N1", "type": "1", "price": "9.90", "sign": gogo.signature("N1", "", "1", "9.90")}
    refused = gogo.send("/createOrder", values).json()
    assert (refused["code"], refused["msg"]) == (0, "支付网关暂时无法下单，未产生扣款，请稍后重试")
    assert members(buf.send(buf.values("N2", "9.90"))) == {"status": "qr_limit"}


def test_epay_sends_buyers_to_our_page_and_asks_no_gateway_before_they_come(world: World, till: Till) -> None:
    till.faults = {None: DOWN}
    shop = epay.Shop(raw_path(world.app), "1001", MERCHANT_KEY)
    order = shop.create("N1", "9.90", "wxpay")
    assert order["payurl"] == f"http://127.0.0.1:8000/pay/{order['trade_no']}"
    assert till.calls == []

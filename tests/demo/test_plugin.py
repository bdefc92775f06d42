"""The demo's plugin judges callbacks as every plugin should."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import pytest

from checkout.client import Checkout
from checkout.demo.plugin import Plugin
from checkout.demo.shop import Shop, make_shop
from checkout.http.client import Answer, Outgoing, Reason, Unreachable
from tests.world import md5

KEY = "k" * 64
PRICE = "5.00"


class Server:
    """Takes every order, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: dict[str, str] = {}

    def send(self, request: Outgoing) -> Answer:
        self.asked = dict(parse_qsl((request.body or b"").decode(), keep_blank_values=True))
        return Answer(200, {}, json.dumps({"code": 1, "msg": "成功", "data": {"orderId": "t" * 32}}).encode(), 1)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def shop(server: Server) -> Shop:
    plugin = Plugin("http://pay.example", KEY, server.send)
    return Shop("http://shop.example", Checkout("https://pay.example", "ck"), KEY, plugin)


def callback(number: str, **changes: str) -> dict[str, str]:
    values = {"payId": number, "param": "", "type": "1", "price": PRICE, "reallyPrice": "5.01", **changes}
    return {**values, "sign": changes.get("sign", md5(*values.values(), KEY))}


def test_it_signs_what_it_asks_for(shop: Shop, server: Server) -> None:
    assert shop.sell("sample", "wechat", "en") == f"http://pay.example/pay/{'t' * 32}?lang=en"
    number = server.asked["payId"]
    assert server.asked["sign"] == md5(number, "", "1", PRICE, KEY)
    assert server.asked["returnUrl"] == f"http://shop.example/orders/{number}?lang=en"


def test_a_signed_callback_for_its_own_order_is_believed(shop: Shop, server: Server) -> None:
    shop.sell("sample", "wechat", "en")
    number = server.asked["payId"]
    assert shop.hear_plugin(callback(number))
    assert shop.sales[number].is_paid
    assert shop.hear_plugin(callback(number)), "a repeat is acknowledged too"


@pytest.mark.parametrize(
    "changes",
    [{"sign": "0" * 32}, {"sign": ""}, {"price": "0.01"}, {"type": "2"}, {"param": "1"}, {"payId": "TEA-OTHER"},
     {"reallyPrice": ""}, {"reallyPrice": "", "price": "5.005.01"}],
)  # fmt: skip
def test_what_is_not_exactly_its_own_order_is_refused_even_when_it_is_signed(
    shop: Shop, server: Server, changes: dict[str, str]
) -> None:
    shop.sell("sample", "wechat", "en")
    assert not shop.hear_plugin(callback(server.asked["payId"], **changes))
    assert not any(sale.is_paid for sale in shop.sales.values())


def test_the_signature_of_its_own_order_is_no_callback(shop: Shop, server: Server) -> None:
    shop.sell("sample", "wechat", "en")
    asked = server.asked
    assert not shop.hear_plugin({**callback(asked["payId"]), "reallyPrice": "", "sign": asked["sign"]})
    assert not shop.hear_plugin({"payId": asked["payId"] + "1" + PRICE, "sign": asked["sign"]})


def test_missing_and_foreign_values_are_refused_and_never_an_error(shop: Shop) -> None:
    client = make_shop(shop, "http://pay.example").test_client()
    for query in ("", "sign=ä", "payId=x&sign=" + "0" * 32, "a=b&a=c"):
        assert client.get(f"/notify?{query}").status_code == 400
    assert client.post("/notify", data=b"\xff\xfe").status_code == 400


def test_the_buyer_is_told_when_no_order_can_be_made(shop: Shop) -> None:
    def refuses(request: Outgoing) -> Answer:
        return Answer(200, {}, json.dumps({"code": -1, "msg": "订单超出负荷", "data": None}).encode(), 1)

    def fails(request: Outgoing) -> Answer:
        raise Unreachable(Reason.CONNECT, "The connection was refused.")

    for send, told in ((refuses, "订单超出负荷"), (fails, "The connection was refused.")):
        shop.plugin.send = send
        client = make_shop(shop, "http://pay.example").test_client()
        answer = client.post("/buy", data={"goods": "sample", "method": "wechat"})
        assert answer.status_code == 503
        assert told in answer.text

"""A merchant asks for an order by scene and hands its prompt on: to an app, a page inside WeChat, a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checkout.demo.gateways.serving import once
from checkout.demo.gateways.town import WX_APP
from checkout.model.orders import State
from tests.clients.api import Shop
from tests.clients.wire import to_app
from tests.officials import Counter, Official, official
from tests.protocols.api.conftest import key_for

OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
APP = {"appid", "partnerid", "prepayid", "package", "noncestr", "timestamp", "sign"}
JSAPI = {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
WECHATS = ("wechat", "wechat_2014", "wechat_v3")


@pytest.fixture
def made(tmp_path: Path, database: str) -> Iterator[Official]:
    with official(tmp_path, database=database) as made:
        yield made


@pytest.fixture
def shop(made: Official) -> Shop:
    return Shop(to_app(made.world.app), key_for(made.world))


def created(made: Official, shop: Shop, channel: str, scene: str, **more: Any) -> dict[str, Any]:
    made.add_account(channel)
    method = "alipay" if channel.startswith("alipay") else "wechat"
    found: dict[str, Any] = shop.create("N1", method=method, scene=scene, **more)
    assert found["really_price"]["amount"] == found["price"]["amount"]
    return found


@pytest.mark.parametrize("channel", WECHATS)
def test_an_app_gets_exactly_what_wechats_sdk_needs(made: Official, shop: Shop, channel: str) -> None:
    prompt = created(made, shop, channel, "app")["prompt"]
    assert (prompt["kind"], set(prompt["params"])) == ("client", APP)
    assert (prompt["params"]["appid"], prompt["params"]["package"]) == (WX_APP, "Sign=WXPay")


@pytest.mark.parametrize("channel", WECHATS)
def test_a_page_inside_wechat_gets_what_its_bridge_needs(made: Official, shop: Shop, channel: str) -> None:
    prompt = created(made, shop, channel, "jsapi", openid=OPENID)["prompt"]
    assert (prompt["kind"], set(prompt["params"])) == ("client", JSAPI)


@pytest.mark.parametrize("channel", ["wechat", "wechat_v3"])
def test_a_phones_browser_gets_an_address_at_wechat(made: Official, shop: Shop, channel: str) -> None:
    prompt = created(made, shop, channel, "h5", client_ip="203.0.113.5")["prompt"]
    assert prompt["kind"] == "link"
    assert "/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=" in prompt["text"]


@pytest.mark.parametrize("scene", ["page", "h5"])
def test_a_browser_gets_an_address_at_alipay(made: Official, shop: Shop, scene: str) -> None:
    prompt = created(made, shop, "alipay", scene)["prompt"]
    assert prompt["kind"] == "link"
    assert prompt["text"].startswith(made.town.alipay.gateway)


@pytest.mark.parametrize("channel", ["alipay", "alipay_legacy"])
def test_an_app_gets_alipays_order_string(made: Official, shop: Shop, channel: str) -> None:
    order = created(made, shop, channel, "app", title="茶")
    text = order["prompt"]["params"]["order_string"]
    if channel == "alipay":
        assert made.town.alipay.accept_order_string(text).number == order["order"]
        assert (once(text) or {})["method"] == "alipay.trade.app.pay"
    else:
        assert made.town.mapi.accept(text).number == order["order"]
    made.world.client.get(f"/pay/{order['order']}")
    assert made.world.order(order["order"]).account == channel


def test_an_old_apps_order_is_paid_by_a_notice_that_alipay_confirms(made: Official, shop: Shop) -> None:
    order = created(made, shop, "alipay_legacy", "app")
    accepted = made.town.mapi.accept(order["prompt"]["params"]["order_string"])
    assert made.town.mapi.deliver(accepted) == [b"success"]
    assert made.world.order(order["order"]).state is State.PAID


def test_an_order_for_an_app_is_paid_and_told_like_any_other(made: Official, shop: Shop) -> None:
    order = created(made, shop, "wechat_v3", "app")
    counter, found = Counter(made, "wechat_v3"), made.world.order(order["order"])
    counter.pay(found)
    assert counter.deliver(found) == 1
    assert shop.get(order["order"])["state"] == "paid"


def test_the_page_of_an_order_for_an_app_says_where_it_is_paid_and_moves_it_nowhere(made: Official, shop: Shop) -> None:
    order = created(made, shop, "wechat", "app")
    page = made.world.client.get(f"/pay/{order['order']}?lang=en").text
    assert "paid where it was begun" in page
    assert made.world.order(order["order"]).account == "wechat"


def test_the_same_request_again_is_the_same_prompt(made: Official, shop: Shop) -> None:
    order = created(made, shop, "wechat", "app")
    assert shop.create("N1", method="wechat", scene="app")["prompt"] == order["prompt"]
    assert len(made.town.wechat.asked) == 1


def test_a_gateway_that_is_down_is_a_problem_with_a_time_to_try_again(made: Official, shop: Shop) -> None:
    made.add_account("wechat")
    made.town.wechat.mischief = "status"
    body = {"number": "N1", "price": {"amount": 990, "currency": "CNY"}, "method": "wechat", "scene": "app"}
    reply = shop.send("POST", "/orders", body)
    assert (reply.status, reply.headers["retry-after"]) == (502, "10")
    made.town.wechat.mischief = ""
    made.world.clock.go(10)
    assert shop.send("POST", "/orders", body).status == 200

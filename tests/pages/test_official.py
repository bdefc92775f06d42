"""The checkout page of an order that is paid through an official account."""

from __future__ import annotations

import pytest

from checkout.channel import Prompt, PromptKind, Scene
from tests.browser.site import ANDROID
from tests.gateways import DOWN, Till, install
from tests.pages.shop import opened, rev_in, stage_in
from tests.world import World

LINK = Prompt(PromptKind.LINK, "https://cashier.example/?a=1&b=2")


def html(world: World, token: str, agent: str = "", query: str = "?lang=en") -> str:
    return world.client.get(f"/pay/{token}{query}", headers={"User-Agent": agent}).text


def test_a_code_of_a_gateway_is_drawn_like_any_other_and_nobody_types_an_amount(world: World) -> None:
    install(world, Till("ali"))
    order = opened(world, method="alipay")
    page = html(world, order.token)
    assert f"/pay/{order.token}/qr.png" in page
    assert "tell your payment apart" not in page
    assert "you do not have to type it" in page
    assert '<div class="due">' in page, "its cents tell nothing, so they are not marked"
    assert "longer than usual" not in page, "no phone has to watch it"
    assert world.client.get(f"/pay/{order.token}/qr.png").mimetype == "image/png"


def test_an_address_of_a_gateway_is_a_button(world: World) -> None:
    install(world, Till("ali", prompt=lambda start: LINK))
    order = opened(world, method="alipay")
    page = html(world, order.token)
    assert 'href="https://cashier.example/?a=1&amp;b=2"' in page
    assert "qr.png" not in page
    assert world.client.get(f"/pay/{order.token}/qr.png").status_code == 404


def test_a_phone_outside_wechat_gets_the_link_and_one_inside_it_the_code(world: World) -> None:
    def prompt(start: object) -> Prompt:
        return LINK if getattr(start, "scene", None) is Scene.H5 else Prompt(PromptKind.QR, "weixin://wxpay/x")

    scenes = frozenset({Scene.QR, Scene.H5})
    install(world, Till("wx", method="wechat", serves=scenes, phone=Scene.H5, prompt=prompt))
    assert "cashier.example" in html(world, opened(world).token, ANDROID)
    assert "qr.png" in html(world, opened(world, "N2").token, f"{ANDROID} MicroMessenger/8.0")


def test_a_gateway_that_is_down_is_said_in_a_sentence_and_the_page_keeps_trying(world: World) -> None:
    till = Till("ali", faults={None: DOWN})
    install(world, till)
    order = opened(world, method="alipay")
    page = html(world, order.token)
    assert (stage_in(page), "cannot be prepared at the moment" in page) == ("pending", True)
    poll = f"/pay/{order.token}/poll?rev={rev_in(page)}"
    assert world.client.get(poll).status_code == 204
    till.faults = {}
    world.clock.go(10)
    assert "qr.png" in world.client.get(poll).text
    assert till.calls == ["start qr", "start qr"]


def test_looking_by_head_asks_no_gateway(world: World) -> None:
    till = Till("ali")
    install(world, till)
    order = opened(world, method="alipay")
    assert world.client.head(f"/pay/{order.token}").status_code == 200
    assert till.calls == []


def test_the_page_may_carry_what_a_gateway_adds_to_its_return(world: World) -> None:
    install(world, Till("ali"))
    order = opened(world, method="alipay")
    added = "?charset=utf-8&out_trade_no=1&method=alipay.trade.page.pay.return&sign=a%2Bb&trade_no=1&sign_type=RSA2"
    assert stage_in(html(world, order.token, query=added)) == "pending"


@pytest.mark.parametrize("kind", ["1", "2"])
def test_vmq_answers_with_the_gateways_code(world: World, kind: str) -> None:
    method = "wechat" if kind == "1" else "alipay"
    install(world, Till("official", method=method))
    data = world.create(kind=kind)["data"]
    assert data["payUrl"] == f"https://qr.example/{data['orderId'][:8]}"
    assert (data["reallyPrice"], data["isAuto"]) == ("9.90", 0)
    again = world.client.get(f"/getOrder?orderId={data['orderId']}").get_json()["data"]
    assert again["payUrl"] == data["payUrl"]
    assert world.client.get("/enQrcode", query_string={"url": data["payUrl"]}).mimetype == "image/png"


def test_vmq_answers_with_our_page_where_the_gateway_has_an_address(world: World) -> None:
    install(world, Till("official", prompt=lambda start: LINK))
    data = world.create(kind="2")["data"]
    assert data["payUrl"] == f"http://127.0.0.1:8000/pay/{data['orderId']}"


def test_vmq_says_that_the_gateway_is_down_and_the_same_request_works_later(world: World) -> None:
    till = Till("official", faults={None: DOWN})
    install(world, till)
    assert world.create(kind="2") == {"code": -1, "msg": "支付网关暂时无法下单，未产生扣款，请稍后重试", "data": None}
    till.faults = {}
    world.clock.go(10)
    assert world.create(kind="2")["code"] == 1


def test_where_the_choice_is_the_buyers_the_other_method_is_offered_while_a_gateway_is_down(world: World) -> None:
    install(world, Till("ali", faults={None: DOWN}))
    order = opened(world, method="alipay", dialect="embed")
    assert 'name="method" value="wechat"' in html(world, order.token)
    assert 'name="method"' not in html(world, opened(world, "N2", method="alipay").token)

"""An order that came without a method: the buyer takes one."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import TestResponse

from checkout import store
from checkout.model.accounts import Method
from checkout.model.orders import Order
from tests.pages.shop import opened, stage_in
from tests.world import World, account


def choose(world: World, order: Order, method: str = "alipay", **headers: Any) -> TestResponse:
    return world.client.post(
        f"/pay/{order.token}/method", data={"method": method}, headers={"Accept-Language": "en", **headers}
    )


def test_the_page_offers_what_can_be_paid_with(world: World) -> None:
    order = opened(world, method="", title="E-book")
    html = world.client.get(f"/pay/{order.token}", headers={"Accept-Language": "en"}).text
    assert stage_in(html) == "choose"
    assert 'name="method" value="wechat"' in html
    assert 'name="method" value="alipay"' in html
    assert f'action="/pay/{order.token}/method"' in html
    assert world.order(order.token).shown_at is None
    assert "http-equiv" not in html, "no reload under the buyer's finger"


def test_a_method_without_an_account_is_not_offered(world: World) -> None:
    with world.store.transaction() as db:
        store.accounts.update(db, account(id="ali-main", method=Method.ALIPAY, code=""))
    html = world.client.get(f"/pay/{opened(world, method='').token}").text
    assert 'value="wechat"' in html
    assert 'value="alipay"' not in html


def test_without_any_account_the_page_says_so(world: World) -> None:
    with world.store.transaction() as db:
        for one in (account(), account(id="ali-main", method=Method.ALIPAY)):
            store.accounts.update(db, account(id=one.id, method=one.method, disabled_at=1))
    html = world.client.get(f"/pay/{opened(world, method='').token}", headers={"Accept-Language": "en"}).text
    assert "The shop cannot take payments at the moment." in html


def test_the_choice_gives_the_order_its_amount_and_leads_back_to_the_page(world: World) -> None:
    order = opened(world, method="")
    answer = choose(world, order)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/pay/{order.token}")
    after = world.order(order.token)
    assert (after.method, after.account, after.really_price) == ("alipay", "ali-main", 990)
    assert after.shown_at is None
    assert stage_in(world.client.get(f"/pay/{order.token}").text) == "pending"


def test_htmx_gets_the_code_in_the_answer(world: World) -> None:
    order = opened(world, method="")
    answer = choose(world, order, **{"HX-Request": "true"})
    assert answer.status_code == 200
    assert stage_in(answer.text) == "pending"
    assert 'id="poll"' in answer.text
    assert world.order(order.token).shown_at == world.clock()


def test_the_same_choice_twice_is_one_choice(world: World) -> None:
    order = opened(world, method="")
    choose(world, order)
    before = world.order(order.token)
    assert choose(world, order).status_code == 303
    assert world.order(order.token) == before


def test_another_choice_later_shows_the_first(world: World) -> None:
    order = opened(world, method="")
    choose(world, order, "alipay")
    assert choose(world, order, "wechat").headers["Location"] == f"/pay/{order.token}"
    assert world.order(order.token).method == "alipay"


def test_a_choice_after_the_end_shows_the_end(world: World) -> None:
    order = opened(world, method="")
    world.clock.go(300)
    assert choose(world, order).status_code == 303
    assert stage_in(world.client.get(f"/pay/{order.token}").text) == "expired"
    assert world.order(order.token).method == ""


def test_when_every_amount_is_taken_the_page_says_when_to_try_again(world: World) -> None:
    with world.store.transaction() as db:
        store.accounts.update(db, account(max_offset=0))
    opened(world, "A")
    order = opened(world, "B", method="")
    answer = choose(world, order, "wechat")
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query == {"refused": ["busy"], "wait": ["300"]}
    html = world.client.get(answer.headers["Location"], headers={"Accept-Language": "en"}).text
    assert "Please try again in 300 seconds." in html
    assert 'value="alipay"' in html
    fragment = choose(world, order, "wechat", **{"HX-Request": "true"}).text
    assert "Please try again in 300 seconds." in fragment


def test_a_silent_phone_whose_account_blocks_is_told_in_words(world: World) -> None:
    with world.store.transaction() as db:
        store.accounts.update(db, account(offline="block"))
    order = opened(world, method="")
    answer = choose(world, order, "wechat")
    assert "refused=phone_offline" in answer.headers["Location"]
    html = world.client.get(answer.headers["Location"], headers={"Accept-Language": "en"}).text
    assert "This way of paying is not available at the moment." in html


@pytest.mark.parametrize("method", ["", "paypal", "WECHAT", "wechat ", "微信", "x" * 3000])
def test_a_method_that_does_not_exist_changes_nothing(world: World, method: str) -> None:
    order = opened(world, method="")
    assert choose(world, order, method).status_code == 400
    assert world.order(order.token) == order


def test_a_missing_or_doubled_method_changes_nothing(world: World) -> None:
    order = opened(world, method="")
    assert world.client.post(f"/pay/{order.token}/method").status_code == 400
    doubled = world.client.post(f"/pay/{order.token}/method", data={"method": ["wechat", "alipay"]})
    assert doubled.status_code == 400
    assert world.order(order.token) == order


def test_choosing_for_an_unknown_order_is_404(world: World) -> None:
    answer = world.client.post(f"/pay/{'0' * 32}/method", data={"method": "wechat"})
    assert answer.status_code == 404


def test_a_get_never_chooses(world: World) -> None:
    order = opened(world, method="")
    assert world.client.get(f"/pay/{order.token}/method?method=wechat").status_code == 405
    assert world.order(order.token) == order


@pytest.mark.parametrize("query", ["refused=<b>", "refused=other", "refused=busy&wait=<b>", "refused=busy&wait=soon"])
def test_only_our_own_words_come_from_the_address(world: World, query: str) -> None:
    html = world.client.get(f"/pay/{opened(world, method='').token}?{query}").text
    assert "<b>" not in html.replace("<b>.90</b>", "")
    assert "soon" not in html

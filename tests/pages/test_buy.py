"""The page of a product: looking is free, the form opens one order, bad input gets a plain page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from checkout import catalogue, ids
from checkout import store as stores
from checkout.catalogue import Draft
from checkout.merchants import Reach
from checkout.model.orders import Order
from tests.pages.shop import settled
from tests.world import World, account

SITE = "https://shop.example"
HTML = {"Accept": "text/html"}


def add(world: World, **wanted: Any) -> None:
    draft = Draft(**{"title_zh": "电子书", "title_en": "E-book", "price": 990, "add_origins": (SITE,), **wanted})
    catalogue.add(world.store, "ebook", draft, Reach(True), actor="test", new_id=ids.new_id, now=world.clock())


def change(world: World, **wanted: Any) -> None:
    catalogue.change(
        world.store, "ebook", Draft(**wanted), Reach(True), actor="test", new_id=ids.new_id, now=world.clock()
    )


def look(world: World, query: str = "?lang=en") -> TestResponse:
    return world.client.get(f"/buy/ebook{query}", headers=HTML)


def form_of(page: TestResponse) -> str:
    found = re.search(r'name="form" value="([^"]+)"', page.text)
    assert found
    return found[1]


def send(world: World, form: str | None = None, query: str = "?lang=en", **values: str) -> TestResponse:
    data = {"form": form or form_of(look(world)), "method": "wechat", **values}
    return world.client.post(f"/buy/ebook{query}", data=data, headers=HTML)


def orders(world: World) -> list[Order]:
    with world.store.read() as db:
        return stores.orders.listed(db, stores.orders.Filter())


def test_a_hundred_looks_open_nothing(world: World) -> None:
    add(world)
    assert {look(world).status_code for _ in range(100)} == {200}
    assert world.client.head("/buy/ebook").status_code == 200
    assert orders(world) == []


def test_the_form_opens_an_order_and_goes_to_its_page(world: World) -> None:
    add(world)
    answer = send(world, ref="user-42")
    (order,) = orders(world)
    assert (answer.status_code, answer.location) == (303, f"/pay/{order.token}?lang=en")
    assert (order.product, order.buyer, order.method, order.price) == ("ebook", "user-42", "wechat", 990)
    assert order.client
    assert "127.0.0.1" not in order.client


def test_a_double_click_opens_one_order(world: World) -> None:
    add(world)
    form = form_of(look(world))
    places = {send(world, form).location for _ in range(3)} | {send(world, form, method="alipay").location}
    assert len(places) == len(orders(world)) == 1


def test_two_forms_open_two_orders(world: World) -> None:
    add(world)
    assert send(world).location != send(world).location


@pytest.mark.parametrize(
    "form", ["", "x", "0" * 16 + ".1.2", "0123456789abcdef.6aaa0000." + "0" * 32, "é", "../" * 9, "a" * 2000]
)
def test_a_form_that_is_not_ours_is_shown_again_and_opens_nothing(world: World, form: str) -> None:
    add(world)
    answer = world.client.post("/buy/ebook", data={"form": form, "method": "wechat", "quantity": "1", "ref": "me"})
    assert (answer.status_code, answer.location) == (303, "/buy/ebook?method=wechat&quantity=1&ref=me")
    assert orders(world) == []


def test_a_form_is_good_for_two_hours_and_for_its_product(world: World) -> None:
    add(world)
    form = form_of(look(world))
    catalogue.add(
        world.store, "other", Draft(title_zh="x", price=1), Reach(), actor="t", new_id=ids.new_id, now=world.clock()
    )
    assert world.client.post("/buy/other", data={"form": form, "method": "wechat"}).location.startswith("/buy/other")
    world.clock.go(7201)
    assert send(world, form).location.startswith("/buy/ebook")
    assert orders(world) == []


def test_an_unknown_product_is_a_plain_page(world: World) -> None:
    for path in ("/buy/nothing", "/buy/Nothing", "/buy/..", f"/buy/{'a' * 500}", "/buy/%00"):
        answer = world.client.get(path, headers=HTML)
        assert answer.status_code == 404
        assert "<h1>" in answer.text
    assert world.client.post("/buy/nothing", data={"method": "wechat"}).status_code == 404


def test_a_closed_product_says_so_and_takes_no_order(world: World) -> None:
    add(world)
    form = form_of(look(world))
    change(world, enabled=False)
    page = look(world)
    assert (page.status_code, "no longer sold" in page.text, "<form" in page.text) == (410, True, False)
    assert send(world, form).status_code == 409
    assert orders(world) == []


def test_a_product_that_is_sold_out_says_so(world: World) -> None:
    add(world, stock=1)
    form = form_of(look(world))
    send(world)
    page = look(world)
    assert (page.status_code, "Sold out" in page.text, "<form" in page.text) == (409, True, False)
    assert send(world, form).status_code == 409
    assert len(orders(world)) == 1


def test_fewer_pieces_than_asked_for_can_be_corrected(world: World) -> None:
    add(world, stock=2, max_quantity=5)
    answer = send(world, quantity="3")
    assert (answer.status_code, "Only 2 are left" in answer.text, "<form" in answer.text) == (409, True, True)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"quantity": "0"}, "number of pieces"), ({"quantity": "4"}, "number of pieces"),
        ({"quantity": "1.5"}, "number of pieces"), ({"quantity": "１"}, "number of pieces"),
        ({"quantity": "99999"}, "number of pieces"), ({"amount": "0.01"}, "is fixed"), ({"amount": "1e2"}, "is fixed"),
        ({"amount": "0"}, "is fixed"), ({"return": "https://evil.test/"}, "does not belong"),
        ({"return": "javascript:alert(1)"}, "does not belong"), ({"return": f"{SITE}.evil.test"}, "does not"),
    ],
)  # fmt: skip
def test_bad_values_get_a_page_that_says_what_to_do(world: World, values: dict[str, str], says: str) -> None:
    add(world, max_quantity=3)
    for answer in (send(world, **values), world.client.get("/buy/ebook", query_string={**values, "lang": "en"})):
        assert answer.status_code == 400
        assert says in answer.text
        assert "<form" in answer.text
    assert orders(world) == []


@pytest.mark.parametrize("values", [{"ref": "x" * 2049}, {"ref": "a\x00b"}, {"ref": "\x1b"}, {"lang": "\x7f"}])
def test_values_that_nobody_can_read_are_400(world: World, values: dict[str, str]) -> None:
    add(world)
    assert world.client.get("/buy/ebook", query_string=values).status_code == 400
    assert send(world, **values).status_code == 400
    doubled = world.client.get("/buy/ebook?ref=a&ref=b")
    assert doubled.status_code == 400
    assert orders(world) == []


def test_a_long_ref_is_refused_and_left_out_of_the_next_try(world: World) -> None:
    add(world)
    assert send(world, ref="x" * 200).status_code == 303
    refused = send(world, ref="x" * 201)
    assert refused.status_code == 400
    assert "without it" in refused.text
    assert 'name="ref"' not in refused.text
    assert send(world, form_of(refused)).status_code == 303


def test_a_buyer_can_name_the_price_within_bounds(world: World) -> None:
    add(world, lowest=100, highest=2000)
    assert 'name="amount"' in look(world).text
    assert send(world, amount="0.99").status_code == 400
    assert send(world, amount="5.50").status_code == 303
    assert orders(world)[0].price == 550


def test_a_return_address_on_the_products_site_is_kept(world: World) -> None:
    add(world)
    send(world, **{"return": f"{SITE}/thanks?a=1"})
    assert orders(world)[0].return_url == f"{SITE}/thanks?a=1"


def test_when_amounts_run_short_the_buyer_is_told_when_to_come_back(world: World) -> None:
    add(world)
    with world.store.transaction() as db:
        stores.accounts.update(db, account(max_offset=0))
    assert send(world).status_code == 303
    answer = send(world)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "300"
    assert "try again in 300 seconds" in answer.text
    assert "<form" in answer.text


def test_without_an_account_nothing_can_be_chosen(world: World) -> None:
    add(world)
    form = form_of(look(world))
    with world.store.transaction() as db:
        stores.accounts.update(db, account(disabled_at=1))
        stores.accounts.update(db, account(id="ali-main", method="alipay", disabled_at=1))
    assert "cannot take payments" in look(world).text
    assert send(world, form).status_code == 503


def test_text_of_owners_and_pages_stays_text(world: World) -> None:
    add(world, title_en='<img src=x onerror=alert(1)>"', brand_name="<b>&amp;")
    page = look(world, "?lang=en&ref=%22%3E%3Cscript%3E")
    assert "<img" not in page.text
    assert "<script>" not in page.text
    assert "&lt;b&gt;&amp;amp;" in page.text


def test_titles_follow_the_language(world: World) -> None:
    add(world)
    assert "<h1><bdi>E-book</bdi></h1>" in look(world).text
    assert "<h1><bdi>电子书</bdi></h1>" in look(world, "?lang=zh-CN").text


def test_only_listed_sites_may_frame(world: World) -> None:
    add(world, add_origins=(SITE, "http://localhost:8001"))
    listed = look(world, f"?embed={SITE}")
    assert f"frame-ancestors {SITE} http://localhost:8001;" in listed.headers["Content-Security-Policy"]
    assert listed.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert listed.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert f'data-origin="{SITE}"' in listed.text
    for other in (
        "",
        "?embed=https://evil.test",
        f"?embed={SITE}.evil.test",
        f"?embed={SITE}/",
        "?embed=*",
        "?embed=null",
    ):
        page = look(world, other)
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert "frame.js" not in page.text


def test_the_frame_stays_a_frame_through_the_purchase(world: World) -> None:
    add(world)
    place = send(world, query=f"?lang=en&embed={SITE}").location
    page = world.client.get(place, headers=HTML)
    assert f"frame-ancestors {SITE};" in page.headers["Content-Security-Policy"]
    assert f'data-origin="{SITE}"' in page.text


def test_orders_of_a_merchant_may_be_framed_by_its_own_sites(world: World) -> None:
    token = world.create()["data"]["orderId"]
    world.change_merchant(allow_hosts=("more.example",))
    for origin, may in ((SITE, True), ("https://more.example", True), ("https://evil.test", False)):
        policy = world.client.get(f"/pay/{token}?embed={origin}").headers["Content-Security-Policy"]
        assert ("frame-ancestors 'none'" not in policy) is may


def test_no_page_of_the_checkout_sets_a_cookie(world: World) -> None:
    add(world)
    place = send(world).location
    for answer in (look(world), send(world), world.client.get(place)):
        assert "Set-Cookie" not in answer.headers


def test_the_language_of_a_product_goes_before_the_browsers_and_the_address_before_both(world: World) -> None:
    add(world, lang="en")
    chinese = {"Accept": "text/html", "Accept-Language": "zh-CN"}
    shown = world.client.get("/buy/ebook", headers=chinese)
    assert '<html lang="en">' in shown.text
    assert "E-book" in shown.text
    assert '<html lang="zh-TW">' in world.client.get("/buy/ebook?lang=zh-TW", headers=chinese).text
    change(world, lang="")
    assert '<html lang="zh-CN">' in world.client.get("/buy/ebook", headers=chinese).text


def test_the_language_of_a_product_holds_from_the_order_to_the_receipt(world: World) -> None:
    add(world, lang="en")
    form = form_of(world.client.get("/buy/ebook"))
    place = world.client.post("/buy/ebook", data={"form": form, "method": "wechat"}, headers=HTML).location
    assert '<html lang="en">' in world.client.get(place).text
    (order,) = orders(world)
    assert order.title == "E-book"
    settled(world, order)
    changed = world.client.get(f"{place}/poll?rev=x").text
    assert "Payment received" in changed
    with world.store.read() as db:
        receipt = stores.receipts.of_order(db, order.token)
    assert receipt
    assert '<html lang="en">' in world.client.get(f"/receipt/{receipt.token}").text


def test_a_product_that_is_sold_by_the_piece_says_so(world: World) -> None:
    add(world)
    assert "Only one piece can be bought at a time." in look(world, "?lang=en&quantity=2").text
    change(world, max_quantity=3)
    assert "The number of pieces must be from 1 to 3." in look(world, "?lang=en&quantity=4").text

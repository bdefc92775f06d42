"""The page of an order in each of its states."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace

from checkout import store
from checkout.model.accounts import FixedCode
from checkout.model.orders import Order
from checkout.qr import png
from tests.pages.shop import beat, closed, opened, settled, stage_in
from tests.world import START, World, account

ANDROID = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36"
ENGLISH = {"Accept-Language": "en-GB,en;q=0.9"}


def page(world: World, order: Order, query: str = "", agent: str = "", lang: str = "en") -> str:
    answer = world.client.get(f"/pay/{order.token}{query}", headers={"Accept-Language": lang, "User-Agent": agent})
    assert answer.status_code == 200
    return answer.text


def test_a_pending_order_shows_amount_code_instruction_and_time(world: World) -> None:
    html = page(world, opened(world, "A-1", title="E-book"))
    assert stage_in(html) == "pending"
    for text in ("E-book", "WeChat Pay", "<small>CN¥</small>9<b>.90</b>", "Scan with WeChat, enter CN¥9.90", ">5:00<"):
        assert text in html
    assert "<title>Pay CN¥9.90 · Checkout</title>" in html
    assert html.count("<h1") == 1


def test_the_seconds_left_are_the_servers(world: World) -> None:
    order = opened(world)
    world.clock.go(61)
    html = page(world, order)
    assert 'data-left="239"' in html
    assert ">3:59<" in html


def test_the_cents_that_differ_from_the_price_are_explained(world: World) -> None:
    opened(world, "A")
    html = page(world, opened(world, "B"))
    assert "Includes CN¥0.01 to tell your payment apart" in html
    assert '<div class="due typed">' in html


def test_a_lower_amount_is_explained_too(world: World) -> None:
    with world.store.transaction() as db:
        store.accounts.update(db, account(offset="down"))
    opened(world, "A")
    assert "Reduced by CN¥0.01" in page(world, opened(world, "B"))


def test_an_amount_that_is_the_price_is_not_called_odd(world: World) -> None:
    assert "Your payment is recognised by this amount." in page(world, opened(world))


def test_a_code_that_carries_the_amount_needs_no_typing(world: World) -> None:
    with world.store.transaction() as db:
        store.accounts.set_code(db, FixedCode("wx-main", 990, "wxp://fixed990", START))
    html = page(world, opened(world))
    assert "The amount is in the code" in html
    assert "data-copy" not in html
    assert "enter CN¥" not in html


def test_the_copied_amount_has_no_symbol(world: World) -> None:
    assert 'data-copy="9.90"' in page(world, opened(world))


def test_the_first_look_starts_the_rest_of_the_amount(world: World) -> None:
    order = opened(world)
    assert world.order(order.token).shown_at is None
    world.client.head(f"/pay/{order.token}")
    assert world.order(order.token).shown_at is None
    world.clock.go(5)
    page(world, order)
    assert world.order(order.token).shown_at == START + 5


def test_a_buyer_on_a_phone_can_save_the_code_and_is_told_the_steps(world: World) -> None:
    order = opened(world)
    html = page(world, order, agent=ANDROID)
    assert 'download="wechat-9.90.png"' in html
    assert 'data-how="Scan with WeChat, enter CN¥9.90" data-until="Valid until ' in html
    assert "<li>Copy the amount: CN¥9.90</li>" in page(world, order, "?help=1", agent=ANDROID)
    assert "alipays://" not in html
    assert "download=" not in page(world, opened(world, "B"))


def test_on_a_phone_alipay_opens_by_a_tap_unless_the_code_carries_the_amount(world: World) -> None:
    html = page(world, opened(world, method="alipay"), agent=ANDROID)
    assert 'href="alipays://platformapi/startapp?saId=10000007&amp;qrcode=https%3A%2F%2Fqr.alipay.com%2Ffkx"' in html
    with world.store.transaction() as db:
        store.accounts.set_code(db, FixedCode("ali-main", 1990, "https://qr.alipay.com/fixed", START))
    assert "alipays://" not in page(world, opened(world, "B", 1990, "alipay"), agent=ANDROID)
    assert "alipays://" not in page(world, opened(world, "C", method="alipay"))


def test_in_wechat_the_code_is_pressed_and_held(world: World) -> None:
    html = page(world, opened(world), agent=f"{ANDROID} MicroMessenger/8.0")
    assert "Press and hold the code, pay CN¥9.90" in html
    assert "download=" not in html


@pytest.mark.parametrize(("policy", "warned"), [("warn", True), ("block", True), ("sell", False)])
def test_a_silent_phone_is_announced_unless_the_owner_sells_anyway(world: World, policy: str, warned: bool) -> None:
    beat(world)
    with world.store.transaction() as db:
        store.accounts.update(db, account(offline=policy))
    order = opened(world, ttl=900)
    notice = "Confirmation may take longer"
    assert notice not in page(world, order)
    world.clock.go(180)
    assert (notice in page(world, order)) is warned


def test_an_expired_order_asks_not_to_pay_again_and_hides_the_code(world: World) -> None:
    order = opened(world, shown=True)
    world.clock.go(300)
    html = page(world, order)
    assert stage_in(html) == "expired"
    assert "If you have paid, do not pay again." in html
    assert "We are still listening" in html
    assert "qr.png" not in html
    assert 'href="https://shop.example/"' in html
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in html


def test_after_the_late_window_the_page_says_whom_to_ask(world: World) -> None:
    order = opened(world, "A-77", shown=True)
    world.clock.go(900)
    html = page(world, order)
    assert "We are still listening" not in html
    assert "the payment can still be found" in html
    assert "A-77" in html
    assert "hx-get" not in html
    assert "htmx" not in html


def test_an_order_that_nobody_saw_expires_without_talk_of_payments(world: World) -> None:
    order = opened(world)
    world.clock.go(300)
    assert "If you have paid" not in page(world, order)


def test_a_closed_order_says_so(world: World) -> None:
    order = closed(world, opened(world, shown=True))
    html = page(world, order)
    assert stage_in(html) == "closed"
    assert "This order is closed" in html
    assert "We are still listening" in html


def test_a_paid_order_leads_back_to_the_shop_after_five_seconds(world: World) -> None:
    order = opened(world, "A-1", title="E-book")
    settled(world, order)
    html = page(world, order)
    assert stage_in(html) == "paid"
    assert "<title>✓ Paid · Checkout</title>" in html
    assert 'href="https://shop.example/return?co_order=' in html
    assert 'data-return-in="5"' in html
    assert 'content="5;url=https://shop.example/return?co_order=' in html
    assert "Stay here" in html
    assert "2026-09-21 22:13 (UTC+8)" in html


def test_a_buyer_who_stays_or_comes_back_later_is_not_sent_away(world: World) -> None:
    order = settled(world, opened(world))
    assert "data-return-in" not in page(world, order, "?stay=1")
    world.clock.go(60)
    html = page(world, order)
    assert "data-return-in" not in html
    assert "http-equiv" not in html
    assert 'href="https://shop.example/return' in html


def test_a_shop_without_an_address_leaves_the_receipt(world: World) -> None:
    world.change_merchant(return_url="")
    html = page(world, settled(world, opened(world)))
    assert "The shop is told of it. You can close this page." in html
    assert "data-return-in" not in html


def test_money_that_came_late_counts_and_the_page_says_so(world: World) -> None:
    order = opened(world, shown=True)
    world.clock.go(400)
    settled(world, order)
    html = page(world, order)
    assert "It came after the time was up, and it counts" in html
    assert "has been told" not in html  # nobody has told the shop yet


def test_pages_are_never_stored_indexed_framed_or_told_to_others(client: FlaskClient, world: World) -> None:
    headers = client.get(f"/pay/{opened(world).token}").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Robots-Tag"] == "noindex, nofollow"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Frame-Options" not in headers
    assert "Set-Cookie" not in headers
    policy = headers["Content-Security-Policy"]
    assert "'unsafe" not in policy
    for part in (
        "default-src 'none'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "form-action 'self'",
        "base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'",
        "script-src 'self' https://cdn.jsdelivr.net/npm/htmx.org@2.0.11/dist/htmx.min.js",
    ):  # fmt: skip
        assert part in policy.split("; ")


@pytest.mark.parametrize("token", ["x", "0" * 31, "0" * 32, "0" * 33, "A" * 32, "%2e%2e", "0" * 5000])
@pytest.mark.parametrize("path", ["", "/poll?rev=0pending.2", "/qr.png"])
def test_an_unknown_token_is_a_plain_404(world: World, token: str, path: str) -> None:
    answer = world.client.get(f"/pay/{token}{path}", headers={"Accept": "text/html", **ENGLISH})
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_the_picture_is_the_code_that_the_phone_scans_with_an_etag(world: World) -> None:
    order = opened(world)
    answer = world.client.get(f"/pay/{order.token}/qr.png")
    assert answer.mimetype == "image/png"
    assert answer.data == png("wxp://f2f0wechat")
    assert int.from_bytes(answer.data[16:20], "big") >= 280
    assert world.order(order.token).shown_at == START
    again = world.client.get(f"/pay/{order.token}/qr.png", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_there_is_no_picture_to_pay_once_the_order_has_ended(world: World) -> None:
    order = opened(world, shown=True)
    world.clock.go(300)
    assert world.client.get(f"/pay/{order.token}/qr.png").status_code == 404
    assert world.client.get(f"/pay/{settled(world, order).token}/qr.png").status_code == 404


@pytest.mark.parametrize("path", ["", "/poll", "/qr.png"])
def test_other_methods_are_refused(world: World, path: str) -> None:
    order = opened(world)
    assert world.client.post(f"/pay/{order.token}{path}").status_code == 405
    assert world.client.delete(f"/pay/{order.token}{path}").status_code == 405


def test_texts_of_merchants_and_buyers_stay_texts(world: World) -> None:
    evil = "<script>alert(1)</script>\"'{{7*7}}&lt;"
    for order in (opened(world, evil, title=evil, content=evil, param=evil, buyer=evil),):
        for html in (page(world, order), page(world, settled(world, order))):
            assert "<script>alert" not in html
            assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;{{7*7}}&amp;lt;" in html


def test_a_reader_without_scripts_keeps_the_help_open_over_reloads(world: World) -> None:
    order = opened(world)
    html = page(world, order)
    assert "<details" not in html
    assert f'<a id="help" class="summary" href="?help=1#help" hx-get="/pay/{order.token}/help"' in html
    assert "<details open>" in page(world, order, "?help=1")


def test_the_help_opens_in_place_while_the_order_waits(world: World) -> None:
    order = opened(world)
    answer = world.client.get(f"/pay/{order.token}/help?lang=en")
    assert answer.text.lstrip().startswith("<details open>")
    assert "I cannot scan the code" in answer.text
    assert world.client.get(f"/pay/{'0' * 32}/help").status_code == 404
    settled(world, order)
    assert world.client.get(f"/pay/{order.token}/help").status_code == 204


def test_below_a_path_every_address_stays_below_it(world: World) -> None:
    parts = world.parts
    world.app.extensions["checkout"] = replace(
        parts, settings=replace(parts.settings, base_url="https://pay.example/till")
    )
    order = opened(world)
    html = page(world, order)
    assert f'src="/till/pay/{order.token}/qr.png"' in html
    assert f'hx-get="/till/pay/{order.token}/poll?rev=' in html
    assert 'href="/till/static/checkout.css?v=' in html

"""Every state: without faults, after a reload, without scripts, with texts of strangers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from checkout.model.orders import Order
from tests.browser.site import DESKTOP, PHONE, Site, Watch, wake, with_cdn

pytestmark = pytest.mark.browser

EVIL = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'-alert(1)-'", "javascript:alert(1)",
    "</title><svg onload=alert(1)>", "{{7*7}}${7*7}<%= 7*7 %>", "--><iframe srcdoc='<script>alert(1)</script>'>",
    "\u202e\u2066gnp.exe", "<b hx-get='/' hx-trigger='load'>", "&lt;script&gt;alert(1)&lt;/script&gt;", "]]><x/>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>", "<style>*{display:none}</style>", "長" * 400,
]  # fmt: skip


def choosing(site: Site, **texts: Any) -> Order:
    return site.order(method="", **texts)


def pending(site: Site, **texts: Any) -> Order:
    return site.order(**texts)


def paid(site: Site, **texts: Any) -> Order:
    site.world.change_merchant(return_url="")
    order = site.order(**texts)
    site.settle(order)
    return order


def expired(site: Site, **texts: Any) -> Order:
    order = site.order(shown=True, **texts)
    site.world.clock.go(300)
    return order


def over(site: Site, **texts: Any) -> Order:
    order = site.order(shown=True, **texts)
    site.world.clock.go(900)
    return order


def closed(site: Site, **texts: Any) -> Order:
    order = site.order(shown=True, **texts)
    site.close(order)
    return order


def paid_late(site: Site, **texts: Any) -> Order:
    order = expired(site, **texts)
    site.settle(order)
    return order


STATES: dict[Callable[..., Order], str] = {
    choosing: "Choose how to pay",
    pending: "WeChat Pay CN¥9.90",
    paid: "Payment received",
    expired: "The time for this payment is over",
    over: "The time for this payment is over",
    closed: "This order is closed",
    paid_late: "Payment received",
}
each_state = pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)


@each_state
def test_a_reload_shows_the_same_state(site: Site, page: Page, watch: Watch, state: Callable[..., Order]) -> None:
    order = state(site)
    page.goto(site.page_of(order))
    expect(page.locator("h1")).to_have_text(STATES[state])
    page.reload()
    expect(page.locator("h1")).to_have_text(STATES[state])
    expect(page.get_by_role("main")).to_have_count(1)
    assert page.locator("#say").text_content() == "", "nothing is announced that was so before"
    assert watch.faults == []


@each_state
def test_texts_of_strangers_stay_texts(site: Site, page: Page, watch: Watch, state: Callable[..., Order]) -> None:
    text = " ".join(EVIL)
    order = state(site, number=text[:3000], title=text, content=text, param=text, buyer=text)
    page.goto(site.page_of(order))
    expect(page.locator("h1")).to_have_text(STATES[state])
    if page.locator("#help").count():
        page.locator("#help").click()
    assert "<script>alert(1)</script>" in page.locator("#state").inner_text()
    assert page.locator("script").count() <= 2
    assert page.evaluate("document.documentElement.scrollWidth") <= DESKTOP["width"]
    wake(page)
    if page.locator("#poll[hx-get]").count():
        with page.expect_response("**/poll*"):
            wake(page)
    assert (watch.faults, watch.dialogs) == ([], [])


def test_problems_and_the_front_door_are_quiet(site: Site, page: Page, watch: Watch) -> None:
    page.goto(site.url)
    expect(page.locator("h1")).to_have_text("Checkout")
    page.goto(f"{site.url}/pay/{'0' * 32}")
    expect(page.locator("h1")).to_have_text("There is nothing here")
    assert [fault for fault in watch.faults if "404" not in fault] == []


def test_without_scripts_the_buyer_chooses_pays_and_returns(browser: Browser, site: Site) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-US", java_script_enabled=False)
    context.route("https://shop.example/**", lambda route: route.fulfill(body="thank you"))
    page = context.new_page()
    order = site.order(method="")
    page.goto(site.page_of(order))
    page.get_by_role("button", name="WeChat Pay").click()
    expect(page.locator("h1")).to_have_text("WeChat Pay CN¥9.90")
    expect(page.locator("img")).to_be_visible()
    expect(page.locator("[data-copy]")).to_be_hidden()
    site.settle(order)
    expect(page.locator("h1")).to_have_text("Payment received")
    page.wait_for_url("https://shop.example/return**")
    context.close()


def test_the_page_tells_the_ear_and_the_keyboard_once(site: Site, page: Page) -> None:
    order = site.order()
    page.goto(site.page_of(order))
    page.evaluate(
        "window.said = []; new MutationObserver(() => said.push(document.querySelector('#say').textContent))"
        ".observe(document.querySelector('#say'), {childList: true})"
    )
    site.settle(order)
    wake(page)
    expect(page.locator("h1")).to_be_focused()
    wake(page)
    assert page.evaluate("said") == ["Payment received"]


def test_time_is_announced_at_its_marks_and_never_by_the_clock(site: Site, page: Page) -> None:
    order = site.order()
    site.world.clock.go(239)
    page.goto(site.page_of(order))
    expect(page.locator("[role=timer]")).to_have_text("1:00")
    expect(page.locator("[role=status]")).to_have_text("1 minute left.")
    assert page.locator("[role=timer]").get_attribute("aria-live") is None


def test_a_poll_takes_nothing_from_the_buyers_hands(site: Site, page: Page) -> None:
    order = site.order()
    page.goto(site.page_of(order))
    page.locator("#help").click()
    expect(page.locator("summary")).to_be_focused()
    site.world.clock.go(90)
    with page.expect_response("**/poll*") as answer:
        wake(page)
    assert answer.value.status == 200
    expect(page.locator("#poll")).to_have_attribute("hx-trigger", "every 3s, checkout:wake from:body")
    assert page.locator("details").get_attribute("open") is not None
    expect(page.locator("summary")).to_be_focused()


def test_two_tabs_of_one_order_both_see_the_end(site: Site, context: BrowserContext, page: Page) -> None:
    order = site.order(method="")
    other = context.new_page()
    for tab in (page, other):
        tab.goto(site.page_of(order))
    page.get_by_role("button", name="WeChat Pay").click()
    wake(other)
    expect(other.locator("h1")).to_have_text("WeChat Pay CN¥9.90")
    site.settle(order)
    for tab in (page, other):
        wake(tab)
        expect(tab.locator("h1")).to_have_text("Payment received")


def test_a_refusal_is_shown_and_can_be_tried_again(site: Site, page: Page, watch: Watch) -> None:
    order = site.order(method="")
    for number in range(101):
        site.order(f"X{number}")
    page.goto(site.page_of(order))
    page.get_by_role("button", name="WeChat Pay").click()
    expect(page.get_by_role("alert")).to_contain_text("Please try again in 300 seconds.")
    page.get_by_role("button", name="Alipay").click()
    expect(page.locator("h1")).to_have_text("Alipay CN¥9.90")
    assert watch.faults == []


def test_with_scripts_but_without_htmx_a_choice_is_a_plain_form(browser: Browser, site: Site) -> None:
    context = browser.new_context(viewport=DESKTOP, locale="en-US")
    context.route("**/*htmx*", lambda route: route.abort())
    page = context.new_page()
    order = site.order(method="")
    page.goto(site.page_of(order, "?lang=zh-TW"))
    page.get_by_role("button", name="微信支付").click()
    page.wait_for_url(site.page_of(order, "?lang=zh-TW"))
    expect(page.locator("h1")).to_have_text("微信支付 ¥9.90")
    context.close()


@pytest.mark.usefixtures("watch")
def test_the_widget_may_listen_for_states(site: Site, context: BrowserContext) -> None:
    with_cdn(context)
    page = context.new_page()
    order = site.order()
    page.goto(site.page_of(order))
    page.evaluate(
        "window.states = []; document.body.addEventListener('checkout:state', (e) => states.push(e.detail.value))"
    )
    site.settle(order)
    wake(page)
    expect(page.locator("h1")).to_have_text("Payment received")
    assert page.evaluate("states") == ["paid"]


def test_an_enlarged_code_goes_with_the_state_that_it_belongs_to(site: Site, page: Page, watch: Watch) -> None:
    order = site.order()
    page.goto(site.page_of(order))
    page.get_by_role("button", name="Enlarge").click()
    expect(page.get_by_role("dialog", name="QR code for WeChat")).to_be_visible()
    site.world.clock.go(300)
    wake(page)
    expect(page.locator("h1")).to_have_text("The time for this payment is over")
    expect(page.locator("dialog, figure img")).to_have_count(0)
    site.settle(order)
    wake(page)
    expect(page.locator("h1")).to_be_focused()
    assert watch.faults == []

"""Official accounts on the page, in a real browser, against strict gateways: the happy road of each, and trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from checkout.model.orders import Order, State
from tests.browser.site import ANDROID, PHONE, Watch, wake, with_cdn
from tests.browser.test_road import seen
from tests.officials import Official, official

pytestmark = pytest.mark.browser

AWKWARD = '+ & = % 中文 "quotes" {braces}'
Deliver = Callable[[Official, str], Any]
# How each gateway's buyer pays by the code, and how it tells us.
GATEWAYS: dict[str, Deliver] = {
    "alipay": lambda made, number: (made.town.alipay.pay(number), made.town.alipay.deliver(number)),
    "wechat": lambda made, number: (made.town.wechat.pay(number), made.town.wechat.notify(number)),
    "wechat_2014": lambda made, number: _paid_by_scan(made, number),
    "wechat_v3": lambda made, number: (made.town.wechat_v3.pay(number), made.town.wechat_v3.deliver(number)),
}  # fmt: skip


def _paid_by_scan(made: Official, number: str) -> None:
    made.town.wechat_2014.take_from(number)
    made.town.wechat_2014.pay(number)
    made.town.wechat_2014.notify(number)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Callable[..., Official]]:
    """Opens the shop with accounts at the gateways that are named."""
    opened: list[Any] = []

    def open_(*channels: str, **changes: Any) -> Official:
        opened.append(official(tmp_path, *channels, **changes))
        made: Official = opened[-1].__enter__()
        return made

    yield open_
    for one in opened:
        one.__exit__(None, None, None)


@pytest.mark.parametrize("channel", list(GATEWAYS))
def test_a_code_of_a_gateway_is_scanned_and_paid(
    shop: Callable[..., Official], page: Page, watch: Watch, channel: str
) -> None:
    made = shop(channel)
    order = made.order(channel, title=AWKWARD)
    page.goto(made.site.page_of(order))
    expect(page.locator(".what")).to_have_text(AWKWARD)
    expect(page.locator(".why")).to_have_text("The amount is in the code; you do not have to type it.")
    [code] = seen(page)
    assert code.startswith("https://qr.alipay.com/" if channel == "alipay" else "weixin://wxpay/bizpayurl?")
    GATEWAYS[channel](made, order.token)
    wake(page)
    expect(page.locator("h1")).to_have_text("Payment received")
    assert made.state(order) is State.PAID
    assert (watch.faults, watch.dialogs) == ([], [])


@pytest.mark.parametrize("product", ["page", "wap"])
def test_alipays_own_page_is_opened_paid_and_left_again(
    shop: Callable[..., Official], page: Page, watch: Watch, product: str
) -> None:
    made = shop("alipay", alipay={"product": product})
    order = made.order("alipay", title=AWKWARD)
    page.goto(made.site.page_of(order))
    page.get_by_role("link", name="Pay at Alipay").click()
    expect(page).to_have_title("Cashier")
    page.locator("#pay").click()
    page.wait_for_url(f"{made.site.url}/**")
    wake(page)
    expect(page.locator("h1")).to_have_text("Payment received")
    assert (watch.faults, watch.dialogs) == ([], [])


@pytest.mark.parametrize("channel", ["wechat", "wechat_v3"])
def test_a_phone_goes_to_wechat_and_comes_back(
    shop: Callable[..., Official], browser: Browser, watch: Watch, channel: str
) -> None:
    made = shop(channel)
    order = made.order(channel)
    context = browser.new_context(viewport=PHONE, user_agent=ANDROID, locale="en-US", is_mobile=True)
    with_cdn(context)
    page = context.new_page()
    watch.on(page)
    page.goto(made.site.page_of(order))
    page.get_by_role("link", name="Pay at WeChat").click()
    page.locator("#pay").click()
    page.wait_for_url(f"{made.site.url}/**")
    wake(page)
    expect(page.locator("h1")).to_have_text("Payment received")
    assert watch.faults == []
    context.close()


def test_a_notice_that_never_comes_is_made_up_for_by_asking(
    shop: Callable[..., Official], page: Page, watch: Watch
) -> None:
    made = shop("alipay")
    order = made.order("alipay")
    page.goto(made.site.page_of(order))
    made.town.alipay.pay(order.token)
    wake(page)
    expect(page.locator("h1")).to_contain_text("9.90")
    assert made.state(order) is State.PENDING
    made.question()
    wake(page)
    expect(page.locator("h1")).to_have_text("Payment received")
    assert watch.faults == []


def test_a_gateway_that_is_down_is_said_and_the_code_comes_by_itself_when_it_is_back(
    shop: Callable[..., Official], page: Page, watch: Watch
) -> None:
    made = shop("wechat_v3")
    made.town.wechat_v3.mischief = "status"
    order: Order = made.order("wechat_v3")
    page.goto(made.site.page_of(order))
    expect(page.locator(".note:visible")).to_contain_text("Nothing was charged; this page keeps trying.")
    expect(page.locator("#code")).to_have_count(0)
    made.town.wechat_v3.mischief = ""
    made.world.clock.go(10)
    wake(page)
    expect(page.locator("#code img")).to_be_visible()
    assert watch.faults == []


def test_without_scripts_a_link_leads_to_the_gateway_too(shop: Callable[..., Official], browser: Browser) -> None:
    made = shop("alipay", alipay={"product": "page"})
    order = made.order("alipay")
    context = browser.new_context(java_script_enabled=False, locale="en-US")
    page = context.new_page()
    page.goto(made.site.page_of(order))
    page.get_by_role("link", name="Pay at Alipay").click()
    page.locator("#pay").click()
    page.wait_for_url(f"{made.site.url}/**")
    page.reload()
    expect(page.locator("h1")).to_have_text("Payment received")
    context.close()

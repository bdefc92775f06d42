"""The page that createOrder answers with isHtml=1: browsers follow it, under its strict policy and without scripts."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from checkout.model.merchants import Mode
from tests.browser.site import Site, Watch
from tests.world import MERCHANT_KEY, md5

pytestmark = pytest.mark.browser

OURS = "http://127.0.0.1:8000/pay/**"  # the base URL of the tests' settings


def link(site: Site) -> str:
    """What a shop's plugin sends the buyer to."""
    site.world.change_merchant(mode=Mode.COMPAT)
    values = {"payId": "N1", "param": "张三", "type": "1", "price": "9.9"}
    return f"{site.url}/createOrder?{urlencode({**values, 'isHtml': '1', 'sign': md5(*values.values(), MERCHANT_KEY)})}"


def test_a_browser_is_sent_on_to_the_checkout_page(
    site: Site, context: BrowserContext, page: Page, watch: Watch
) -> None:
    context.route(OURS, lambda route: route.fulfill(body="the checkout page"))
    page.goto(link(site))
    page.wait_for_url(OURS)
    expect(page.locator("body")).to_have_text("the checkout page")
    assert watch.faults == []


def test_without_scripts_there_is_a_link(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    context.route(OURS, lambda route: route.fulfill(body="the checkout page"))
    page.goto(link(site))
    page.get_by_role("link").click()
    expect(page.locator("body")).to_have_text("the checkout page")
    context.close()

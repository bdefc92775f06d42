"""A sound when the money has come, for buyers who want one."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.host import hosted, sell
from tests.browser.site import Site, Watch, wake
from tests.browser.test_embed import choose, inside, orders

pytestmark = pytest.mark.browser

# Counts the notes where a test can read them.
NOTES = """
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (at) {
  document.documentElement.dataset.notes = +(document.documentElement.dataset.notes || 0) + 1;
  return start.call(this, at);
};
"""
NEVER = "AudioContext.prototype.resume = function () { return new Promise(() => {}); };"
NEVER += "Object.defineProperty(AudioContext.prototype, 'state', {get: () => 'suspended'});"


def notes(page: Page, many: int) -> None:
    expect(page.locator("html")).to_have_attribute("data-notes", str(many))


def test_the_page_is_silent_until_the_buyer_wants_it_otherwise(site: Site, page: Page, watch: Watch) -> None:
    page.add_init_script(NOTES)
    order = site.order()
    page.goto(site.page_of(order))
    expect(page.get_by_role("button", name="Sound")).to_have_attribute("aria-pressed", "false")
    site.settle(order)
    wake(page)
    expect(page.locator("h1")).to_have_text("Payment received")
    assert page.locator("html").get_attribute("data-notes") is None
    assert not [url for url in watch.requests if "sound.js" in url]


def test_whoever_switches_it_on_hears_it_at_once_and_when_the_money_comes(site: Site, page: Page, watch: Watch) -> None:
    page.add_init_script(NOTES)
    order = site.order()
    page.goto(site.page_of(order))
    page.get_by_role("button", name="Sound").click()
    expect(page.get_by_role("button", name="Sound")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#say")).to_have_text("A sound will tell you when the payment has come.")
    notes(page, 2)
    site.settle(order)
    wake(page)
    expect(page.locator("h1")).to_have_text("Payment received")
    notes(page, 4)
    assert watch.faults == []


def test_it_is_remembered_and_can_be_switched_off(site: Site, page: Page, watch: Watch) -> None:
    page.add_init_script(NOTES)
    order = site.order()
    page.goto(site.page_of(order))
    page.get_by_role("button", name="Sound").click()
    notes(page, 2)
    page.goto(site.page_of(order))
    expect(page.get_by_role("button", name="Sound")).to_have_attribute("aria-pressed", "true")
    page.locator(".why").click()  # browsers play nothing before
    site.settle(order)
    wake(page)
    notes(page, 2)
    second = site.order("N2")
    page.goto(site.page_of(second))
    expect(page.get_by_role("button", name="Sound")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Sound").click()
    expect(page.locator("#say")).to_have_text("The sound is off.")
    page.reload()
    expect(page.get_by_role("button", name="Sound")).to_have_attribute("aria-pressed", "false")
    assert watch.faults == []


def test_a_new_state_of_the_page_keeps_the_choice(site: Site, page: Page) -> None:
    order = site.order(method="")
    page.add_init_script("localStorage['checkout-sound'] = 'on'")
    page.goto(site.page_of(order))
    page.get_by_role("button", name="WeChat Pay").click()
    expect(page.get_by_role("button", name="Sound")).to_have_attribute("aria-pressed", "true")


def test_where_nothing_can_be_played_the_buyer_is_told(site: Site, page: Page, watch: Watch) -> None:
    page.add_init_script(NEVER)
    page.goto(site.page_of(site.order()))
    page.get_by_role("button", name="Sound").click()
    expect(page.locator("#say")).to_have_text("This browser plays no sound here.")
    expect(page.get_by_role("button", name="Sound")).to_have_attribute("aria-pressed", "false")
    assert watch.faults == []


def test_in_a_frame_without_storage_it_works_for_this_order(site: Site, context: BrowserContext, page: Page) -> None:
    context.add_init_script(NOTES + "Object.defineProperty(window, 'localStorage', {get() { throw Error('blocked') }})")
    with hosted() as host:
        page.goto(host.page(site, f'<a id="buy" href="{sell(site, host)}" data-checkout="ebook">Buy</a>'))
        page.click("#buy")
        choose(page)
        inside(page).get_by_role("button", name="Sound").click()
        expect(inside(page).get_by_role("button", name="Sound")).to_have_attribute("aria-pressed", "true")
        expect(inside(page).locator("html")).to_have_attribute("data-notes", "2")
        site.settle(orders(site)[0])
        expect(inside(page).locator("h1")).to_have_text("Payment received")
        expect(inside(page).locator("html")).to_have_attribute("data-notes", "4")

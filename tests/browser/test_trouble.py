"""Clocks that are wrong, servers that are gone, tabs that nobody looks at."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.site import Site, Watch, wake

pytestmark = pytest.mark.browser

DAY_MS = 86_400_000
WRONG_CLOCK = """
const Real = Date;
window.Date = class extends Real {
  constructor(...given) { given.length ? super(...given) : super(Real.now() + OFFSET); }
  static now() { return Real.now() + OFFSET; }
};
"""
HIDDEN = """
window.away = false;
Object.defineProperty(Document.prototype, "hidden", {get: () => window.away});
Object.defineProperty(Document.prototype, "visibilityState", {get: () => window.away ? "hidden" : "visible"});
"""


def asked(page: Page) -> None:
    """Waits until htmx is there and the page has heard an answer."""
    with page.expect_response("**/poll*"):
        wake(page)


@pytest.mark.parametrize("offset", [DAY_MS, -DAY_MS])
def test_a_clock_that_is_wrong_by_a_day_changes_nothing(
    site: Site, context: BrowserContext, page: Page, offset: int
) -> None:
    context.add_init_script(WRONG_CLOCK.replace("OFFSET", str(offset)))
    order = site.order()
    page.goto(site.page_of(order))
    expect(page.locator("[role=timer]")).to_have_text("4:58")
    assert page.locator("#state").get_attribute("data-stage") == "pending"
    site.settle(order)
    wake(page)
    expect(page.locator("h1")).to_have_text("Payment received")


def test_only_the_server_says_expired(site: Site, page: Page) -> None:
    order = site.order()
    site.world.clock.go(298)
    page.goto(site.page_of(order))
    with page.expect_response("**/poll*") as answer:
        expect(page.locator("[role=timer]")).to_have_text("0:00")
    assert answer.value.status in (200, 204)
    expect(page.locator("img")).to_be_visible()
    assert page.locator("#state").get_attribute("data-stage") == "pending"
    site.world.clock.go(2)
    wake(page)
    expect(page.locator("h1")).to_have_text("The time for this payment is over")
    expect(page.locator("#say")).to_have_text("The time for this payment is over")


def test_after_a_nap_the_countdown_is_the_servers_again(site: Site, page: Page) -> None:
    order = site.order()
    page.goto(site.page_of(order))
    site.world.clock.go(80)
    with page.expect_response("**/poll*"):
        wake(page)
    expect(page.locator("[role=timer]")).to_have_text("3:39")


def test_while_the_server_is_gone_the_code_stays_and_afterwards_the_page_goes_on(
    site: Site, page: Page, watch: Watch
) -> None:
    """For twenty seconds of the buyer's, which the test does not wait for."""
    order = site.order()
    page.clock.install()
    page.goto(site.page_of(order))
    asked(page)
    site.stop()
    page.clock.run_for(3000)
    expect(page.locator("#net")).to_be_visible()
    expect(page.locator("#say")).to_have_text("The connection is lost. Trying again…")
    before = watch.polls()
    for _ in range(20):
        page.clock.run_for(1000)
    assert watch.polls() - before <= 4, "each silence is longer than the one before"
    expect(page.locator("img")).to_be_visible()
    assert page.locator("img").evaluate("image => image.naturalWidth") >= 280
    assert page.locator("#state").get_attribute("data-stage") == "pending"
    site.start()
    site.settle(order)
    page.clock.run_for(15_000)
    expect(page.locator("h1")).to_have_text("Payment received")
    expect(page.locator("#net")).to_be_hidden()
    assert [fault for fault in watch.faults if not fault.startswith(("Failed to load", "htmx:"))] == []


def test_one_error_of_the_server_does_not_end_the_polls(site: Site, context: BrowserContext, page: Page) -> None:
    order = site.order()
    failing = True

    def broken(route: Route) -> None:
        nonlocal failing
        if failing:
            failing = False
            route.fulfill(status=500, body="<h1>Broken</h1>")
        else:
            route.continue_()

    context.route("**/poll*", broken)
    page.goto(site.page_of(order))
    expect(page.locator("#net")).to_be_visible()
    expect(page.locator("h1")).to_have_text("WeChat Pay CN¥9.90")
    site.settle(order)
    expect(page.locator("h1")).to_have_text("Payment received")


def test_a_hidden_tab_is_quiet_and_wakes_at_once(site: Site, context: BrowserContext, page: Page, watch: Watch) -> None:
    """The buyer's clock stands still but for the seconds that the test lets pass."""
    context.add_init_script(HIDDEN)
    order = site.order()
    page.clock.install(time=0)
    page.goto(site.page_of(order))
    asked(page)
    page.clock.pause_at(60)
    page.evaluate("window.away = true; document.dispatchEvent(new Event('visibilitychange'))")
    before = watch.polls()
    for _ in range(45):
        page.clock.run_for(1000)
    assert 2 <= watch.polls() - before <= 4, "four times a minute instead of thirty"
    site.settle(order)
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("h1")).to_have_text("Payment received")

"""Statistics and payments in a real browser: by keyboard, on a phone, without scripts, on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from checkout import tallies
from tests.browser.site import PHONE, Site, Watch
from tests.browser.test_admin import accessible, signed_in

pytestmark = pytest.mark.browser


@pytest.fixture
def busy(site: Site) -> Site:
    """A paid order and money without one."""
    site.world.beat()
    site.order("N1", 990, title="Tea", shown=True)
    site.world.push("9.90")
    site.world.push("7.77")
    tallies.watch_amounts(site.world.store, site.world.clock())
    return site


def test_statistics_are_usable_by_everybody_in_both_languages(busy: Site, page: Page, watch: Watch) -> None:
    signed_in(busy, page, "statistics")
    for lang in ("en", "zh-CN"):
        page.goto(f"{busy.url}/admin/statistics?lang={lang}")
        for details in page.locator("main details").all():
            details.evaluate("element => element.open = true")
        accessible(page)
    assert watch.faults == []


def test_time_and_steps_are_chosen_by_keyboard_and_the_spreadsheet_follows(busy: Site, page: Page) -> None:
    signed_in(busy, page, "statistics")
    page.get_by_role("link", name="90 days").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="by week").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="by week")).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "true")
    with page.expect_download() as download:
        page.get_by_role("link", name="Spreadsheet (CSV): Takings").click()
    assert download.value.suggested_filename == "takings-90-days-by-week.csv"
    assert "9.90" in Path(download.value.path()).read_text(encoding="utf-8-sig")


def test_a_payment_is_found_explained_and_decided_without_scripts(busy: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-US", viewport=PHONE)
    page = signed_in(busy, context.new_page(), "payments")
    page.get_by_label("Amount, number or words").fill("7.77")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody a").first.click()
    expect(page.get_by_text("No waiting order has this amount.")).to_be_visible()
    page.get_by_role("link", name="Decide in the review").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Review")
    expect(page.get_by_text("CN¥7.77")).to_be_visible()
    context.close()


def test_payments_are_usable_by_everybody(busy: Site, page: Page, watch: Watch) -> None:
    signed_in(busy, page, "payments")
    accessible(page)
    page.get_by_role("row", name="Tea").get_by_role("link").first.click()
    expect(page.get_by_text("This order alone was waiting for exactly this amount.")).to_be_visible()
    accessible(page)
    page.get_by_role("link", name="Tea").click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    page.get_by_role("link", name="See the payment").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Payment of CN¥9.90")
    assert watch.faults == []

"""The owner's pages in a real browser: signing in, the frame, and that everybody can use it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from checkout import owner as rules
from tests.admin.desk import PASSWORD
from tests.browser.site import PHONE, Site, Watch
from tests.browser.test_access import faults

pytestmark = pytest.mark.browser


def signed_in(site: Site, page: Page, place: str = "") -> Page:
    """The browser of the owner, at `place` below /admin."""
    world = site.world
    if not rules.is_set(world.store):
        rules.set_password(world.store, PASSWORD, actor="test", new_id=world.parts.new_id, now=world.clock())
    page.goto(f"{site.url}/admin/{place}")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#status")).to_be_visible()
    return page


def accessible(page: Page) -> None:
    """axe finds nothing serious, in the light and in the dark, and nothing sticks out at 360 px."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        assert faults(page) == [], theme
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size(size)


def test_the_first_visit_sets_the_password_and_leads_in(site: Site, page: Page, watch: Watch) -> None:
    token = rules.first_link(site.world.store, site.world.clock())
    page.goto(f"{site.url}/admin/first?link={token}")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD + "?")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text("The two passwords differ.")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    assert watch.dialogs == []


def test_a_wrong_password_puts_the_cursor_where_it_is_wrong(site: Site, page: Page) -> None:
    signed_in(site, page)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The password is wrong.")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()
    accessible(page)


def test_on_a_phone_the_bar_at_the_bottom_opens_the_other_pages(site: Site, page: Page) -> None:
    page.set_viewport_size(PHONE)
    signed_in(site, page)
    expect(page.get_by_role("link", name="Audit log")).to_be_hidden()
    page.get_by_text("More").click()
    page.get_by_role("link", name="Audit log").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Audit log")
    accessible(page)


def test_the_strip_refreshes_itself_without_a_word_from_the_content_policy(
    site: Site, page: Page, watch: Watch
) -> None:
    signed_in(site, page)
    expect(page.locator("#status")).to_contain_text("0 of 1 phones online")
    site.world.beat()
    page.evaluate("htmx.ajax('GET', document.querySelector('#status').getAttribute('hx-get'), '#status')")
    expect(page.locator("#status")).to_contain_text("1 of 1 phones online")
    assert watch.faults == []

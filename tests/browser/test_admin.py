"""The owner's pages in a real browser: signing in, the frame, and that everybody can use it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from checkout import owner as rules
from tests.admin.desk import PASSWORD
from tests.browser.host import sell
from tests.browser.site import PHONE, Site, Watch
from tests.browser.test_access import faults
from tests.world import MERCHANT_KEY

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
    strips = "[...document.querySelectorAll('.strip')].every(one => one.scrollWidth <= one.clientWidth)"
    assert page.evaluate(strips), "a part of the state is cut off"
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


# A checkbox is pressed by its label.
SMALL = """() => [...document.querySelectorAll(`button, .button, select, main summary, .check label, header a, .crumb a,
    .head > a, input:not([type=hidden], [type=checkbox], [type=radio])`)]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 44)
  .map((one) => one.outerHTML)"""
# What is under a finger on the left of each line, far from the link's own words.
UNDER = """(lines) => lines.map((line) => {
  line.scrollIntoView({ block: "center" })
  const box = line.getBoundingClientRect()
  return document.elementFromPoint(box.left + 3, box.top + box.height / 2).closest("a")?.className
})"""


def test_a_thumb_finds_everything_that_is_pressed(site: Site, browser: Browser) -> None:
    site.settle(site.order("N1", title="Tea", shown=True))
    context = browser.new_context(viewport=PHONE, is_mobile=True, has_touch=True, locale="en-US")
    page = signed_in(site, context.new_page())
    for place in ("", "orders", "payments", "accounts", "devices", "merchants", "callbacks", "statistics", "settings"):
        page.goto(f"{site.url}/admin/{place}")
        assert page.evaluate(SMALL) == [], place
        lines = page.locator("main :is(.list tbody tr, .recent li):has(.main)")
        assert set(lines.evaluate_all(UNDER)) <= {"main"}, place
    context.close()


# Words of lists that stand on two lines, but for names, addresses and tokens, which may.
CUT = """() => {
  const cut = [], nodes = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT)
  while (nodes.nextNode()) {
    const node = nodes.currentNode, around = node.parentElement, range = document.createRange()
    if (!around.closest("td, .tile") || around.closest(".main, .token, .address, .pair")) continue
    for (const word of node.data.matchAll(/[!-~¥–]+/g)) {
      range.setStart(node, word.index)
      range.setEnd(node, word.index + word[0].length)
      if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) cut.push(word[0])
    }
  }
  return cut
}"""


@pytest.mark.parametrize("width", [320, 375, 1100])
def test_no_word_and_no_amount_is_cut_in_two(site: Site, page: Page, width: int) -> None:
    """320 pixels are also what 400 % zoom leaves of a desktop."""
    world = site.world
    for number in range(2):
        told = world.create(f"N{number}", "45678.90")["data"]
        world.push(told["reallyPrice"])
    signed_in(site, page)
    page.set_viewport_size({"width": width, "height": 800})
    for place in ("", "payments", "accounts", "devices", "callbacks", "statistics"):
        page.goto(f"{site.url}/admin/{place}")
        assert page.evaluate("document.documentElement.scrollWidth") == width, place
        assert page.evaluate(CUT) == [], place
        tiles = page.locator(".tile")
        assert all(tiles.evaluate_all("(all) => all.map((one) => one.scrollWidth <= one.clientWidth)")), place


def test_what_was_done_can_be_read_on_a_phone(site: Site, page: Page) -> None:
    sell(site, title_zh="电子书《把事情做对》", title_en="Get things right", stock=40)
    page.set_viewport_size(PHONE)
    signed_in(site, page, "audit")
    pairs = page.locator(".pair", has_text="title_zh")
    assert pairs.evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().height < 50)") == [True]


def test_the_strip_refreshes_itself_without_a_word_from_the_content_policy(
    site: Site, page: Page, watch: Watch
) -> None:
    signed_in(site, page)
    expect(page.locator("#status")).to_contain_text("0 of 1 phone online")
    site.world.beat()
    page.wait_for_load_state()
    page.evaluate("htmx.trigger(document.querySelector('#status'), 'refresh')")
    expect(page.locator("#status")).to_contain_text("1 of 1 phone online")
    assert watch.faults == []


def test_an_order_is_confirmed_by_keyboard_alone(site: Site, page: Page, watch: Watch) -> None:
    order = site.order(title="Tea", shown=True)
    signed_in(site, page, f"orders/{order.token}")
    page.get_by_text("Confirm by hand").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Type the amount that arrived")).to_be_focused()
    page.keyboard.type("9.91")
    page.keyboard.press("Tab")
    page.keyboard.type("seen in my bill")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Type the amount that arrived")).to_be_focused()
    expect(page.locator("#amount-reason")).to_contain_text("The amount does not fit")
    expect(page.get_by_label("Reason")).to_have_value("seen in my bill")
    accessible(page)
    page.get_by_label("Type the amount that arrived").fill("9.90")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("The order is booked as paid, and the shop is told.")
    accessible(page)
    assert [fault for fault in watch.faults if "422" not in fault] == []


def test_of_two_owners_at_one_payment_the_second_reads_what_became_of_it(
    site: Site, page: Page, browser: Browser
) -> None:
    first, second = site.order("first", 1250, shown=True), site.order("second", 1260, shown=True)
    site.world.push("12.34")
    signed_in(site, page, "review")
    context = browser.new_context(locale="en-US")
    other = signed_in(site, context.new_page(), "review")
    for owner in (page, other):
        expect(owner.get_by_role("button", name="Book it here")).to_have_count(2)
        accessible(owner)
    page.locator("li", has_text="first").get_by_role("button").click()
    expect(page.get_by_role("status")).to_have_text("Booked: order first is paid.")
    other.locator("li", has_text="second").get_by_role("button").click()
    expect(other.get_by_role("alert")).to_have_text(
        "This payment has been dealt with already. It is booked to the order first."
    )
    context.close()
    assert site.world.order(first.token).state == "paid"
    assert site.world.order(second.token).state == "pending"


def test_orders_are_searched_and_new_ones_appear_by_themselves(site: Site, page: Page, watch: Watch) -> None:
    site.order("N1", 990, title="Tea")
    signed_in(site, page, "orders")
    expect(page.get_by_role("link", name="Tea")).to_be_visible()
    site.order("N2", 1990, title="Honey")
    page.wait_for_load_state()
    page.evaluate("htmx.trigger(document.querySelector('#found'), 'refresh')")
    expect(page.get_by_role("link", name="Honey")).to_be_visible()
    accessible(page)
    page.get_by_label("Number, amount").fill("19.90")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Honey")).to_be_visible()
    expect(page.get_by_role("link", name="Tea")).to_have_count(0)
    assert watch.faults == []


def test_the_spreadsheet_is_downloaded(site: Site, page: Page) -> None:
    site.order("N1", 990)
    signed_in(site, page, "orders")
    with page.expect_download() as download:
        page.get_by_role("link", name="Spreadsheet").click()
    assert "N1" in Path(download.value.path()).read_text(encoding="utf-8-sig")


def test_the_overview_leads_to_a_test_payment_and_ticks_it_off_when_it_is_paid(site: Site, page: Page) -> None:
    site.world.beat()
    signed_in(site, page)
    accessible(page)
    page.get_by_role("button", name="Open a test payment").click()
    page.get_by_role("button", name="WeChat Pay").click()
    expect(page.locator("figure img")).to_be_visible()
    site.world.push("0.01")
    page.goto(f"{site.url}/admin")
    expect(page.locator("li.done", has_text="A test payment of 0.01")).to_be_visible()


@pytest.mark.parametrize("place", ["settings", "merchants", "merchants/1001", "audit"])
def test_every_page_is_usable_by_everybody_in_both_languages(site: Site, page: Page, watch: Watch, place: str) -> None:
    signed_in(site, page, place)
    for lang in ("en", "zh-CN"):
        page.goto(f"{site.url}/admin/{place}?lang={lang}")
        accessible(page)
    page.set_viewport_size({"width": 1600, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 1600
    assert watch.faults == []


def test_looks_are_changed_and_a_refusal_keeps_what_was_typed(site: Site, page: Page) -> None:
    signed_in(site, page, "settings")
    page.get_by_label("Name of the shop").fill("茶铺")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.locator(".shop")).to_have_text("茶铺")
    page.get_by_label("Order expires after").fill("soon")
    page.get_by_role("button", name="Save").nth(1).click()
    expect(page.locator("#order_ttl-reason")).to_contain_text("a whole number")
    expect(page.get_by_label("Order expires after")).to_have_value("soon")


def test_a_secret_is_shown_after_the_password_once_more(site: Site, page: Page) -> None:
    signed_in(site, page)
    site.world.clock.go(301)
    page.goto(f"{site.url}/admin/merchants/1001")
    accessible(page)
    page.locator("#secret-password").fill(PASSWORD)
    page.get_by_role("button", name="Show it").click()
    expect(page.get_by_text(MERCHANT_KEY)).to_be_visible()


def test_everything_works_without_scripts(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-US", viewport=PHONE)
    order = site.order(title="Tea", shown=True)
    page = signed_in(site, context.new_page())
    page.get_by_text("More").click()
    expect(page.get_by_role("link", name="Settings")).to_be_visible()
    page.get_by_role("link", name="Orders", exact=True).click()
    page.get_by_role("link", name="Tea").click()
    page.get_by_role("button", name="Close the order").click()
    expect(page.get_by_role("status")).to_have_text("The order is closed.")
    context.close()
    assert site.world.order(order.token).state == "closed"


def test_an_order_opens_beside_the_list_and_is_left_by_escape(site: Site, page: Page, watch: Watch) -> None:
    order = site.order("N1", 990, title="Tea", shown=True)
    signed_in(site, page, "orders")
    page.wait_for_load_state()
    page.get_by_role("link", name="Tea").click()
    drawer = page.get_by_role("dialog", name="Order")
    expect(drawer.get_by_role("heading", name="What happened")).to_be_visible()
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(page.get_by_role("link", name="Tea")).to_be_focused()
    page.keyboard.press("Enter")
    drawer.get_by_role("button", name="Close the order").click()
    expect(page.get_by_role("status")).to_have_text("The order is closed.")
    assert page.url.partition("?")[0] == f"{site.url}/admin/orders/{order.token}"
    assert watch.faults == []

"""The page of a product, the receipt and the help, by everybody: axe, small screens, the keyboard, print."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from checkout import store
from checkout.catalogue import Goods
from checkout.model.orders import Order
from checkout.model.products import Receipt
from tests.browser.host import hosted, sell
from tests.browser.site import PHONE, Site
from tests.browser.test_access import faults
from tests.browser.test_embed import choose, inside, orders

pytestmark = pytest.mark.browser

TEXT = "# Thank you\n\n[a link](https://x.example) and `code`\n\n|a|b|\n|-|-|\n|1|2|"


def bought(site: Site, product: str, page: Page) -> tuple[Order, Receipt]:
    page.goto(f"{site.url}/buy/{product}?lang=en")
    page.locator(".way").first.click()
    expect(page.locator("figure img")).to_be_visible()
    order = orders(site)[0]
    site.settle(order)
    with site.world.store.read() as db:
        receipt = store.receipts.of_order(db, order.token)
    assert receipt
    return order, receipt


def offered(site: Site, page: Page) -> str:
    return sell(site, max_quantity=3, lowest=100, highest=5000)


def sold_out(site: Site, page: Page) -> str:
    return sell(site, stock=0)


def wrong(site: Site, page: Page) -> str:
    return sell(site) + "?quantity=9&lang=en"


def receipt_with_keys(site: Site, page: Page) -> str:
    sell(site, goods=Goods("keys", "AAAA-BBBB\nCCCC-DDDD"))
    return f"{site.url}/receipt/{bought(site, 'ebook', page)[1].token}"


def receipt_with_text(site: Site, page: Page) -> str:
    sell(site, goods=Goods("text", TEXT))
    return f"{site.url}/receipt/{bought(site, 'ebook', page)[1].token}"


def claiming(site: Site, page: Page) -> str:
    sell(site)
    page.goto(f"{site.url}/buy/ebook")
    page.locator(".way").first.click()
    return site.page_of(orders(site)[0], f"?asked={site.world.clock() - 30}")


def over(site: Site, page: Page) -> str:
    place = claiming(site, page)
    site.world.clock.go(301)
    return place.partition("?")[0]


each_page = pytest.mark.parametrize(
    "made", [offered, sold_out, wrong, receipt_with_keys, receipt_with_text, claiming, over],
    ids=lambda made: made.__name__,
)  # fmt: skip


@each_page
def test_axe_finds_nothing_serious(site: Site, page: Page, made: Callable[[Site, Page], str]) -> None:
    place = made(site, page)
    page.emulate_media(reduced_motion="reduce")
    for lang in ("en", "zh-CN"):
        page.goto(f"{place}{'&' if '?' in place else '?'}lang={lang}")
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            assert faults(page) == [], (lang, theme)


@each_page
def test_nothing_is_wider_than_a_small_screen(site: Site, page: Page, made: Callable[[Site, Page], str]) -> None:
    place = made(site, page)
    page.set_viewport_size({"width": 320, "height": 256})  # 1280 × 1024 at 400 %
    page.goto(place)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_axe_finds_nothing_serious_around_the_frame(site: Site, page: Page) -> None:
    with hosted() as host:
        buy = sell(site, host)
        head = '<html lang="en"><meta name="viewport" content="width=device-width"><main>'
        page.goto(host.page(site, f'{head}<a id="buy" href="{buy}" data-checkout="ebook">Buy</a></main>'))
        page.click("#buy")
        choose(page)
        assert [fault for fault in faults(page) if "iframe" in fault or "dialog" in fault] == []


def test_a_theme_can_be_insisted_on(site: Site, page: Page) -> None:
    place = sell(site)
    page.emulate_media(color_scheme="light")
    page.goto(f"{place}?theme=dark")
    dark = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    page.goto(f"{place}?theme=light")
    assert dark == "rgb(16, 19, 23)"
    assert page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor") == "rgb(243, 244, 246)"


def test_the_printed_receipt_is_black_on_white_without_buttons(site: Site, page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(receipt_with_keys(site, page))
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("button:visible, nav:visible").count() == 0
    expect(page.get_by_text("AAAA-BBBB")).to_be_visible()
    assert page.locator("body").evaluate("body => getComputedStyle(body).color") == "rgb(0, 0, 0)"


def test_the_receipt_prints_on_one_sheet(site: Site, page: Page) -> None:
    page.goto(receipt_with_text(site, page))
    sheets = re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))
    assert len(sheets) == 1


def test_a_key_is_copied_by_its_button(site: Site, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(receipt_with_keys(site, page))
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#say")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "AAAA-BBBB"


def test_whoever_has_paid_is_looked_for_and_then_tells_the_shop(site: Site, page: Page) -> None:
    sell(site)
    page.goto(f"{site.url}/buy/ebook?lang=en")
    page.locator(".way").first.click()
    page.get_by_text("Need help?").click()
    page.get_by_role("button", name="I have paid").click()
    expect(page.get_by_text("Looking for your payment")).to_be_visible()
    site.world.clock.go(20)
    page.get_by_label("Last digits").fill("1234")
    page.get_by_role("button", name="Tell the shop").click()
    expect(page.get_by_text("Your message has reached the shop")).to_be_visible()
    site.settle(orders(site)[0])
    expect(page.get_by_role("heading", name="Payment received")).to_be_visible()


def test_a_claim_in_a_frame_is_an_event(site: Site, page: Page) -> None:
    with hosted() as host:
        page.goto(host.page(site, f'<a id="buy" href="{sell(site, host)}" data-checkout="ebook">Buy</a>'))
        page.click("#buy")
        choose(page)
        inside(page).get_by_text("Need help?").click()
        inside(page).get_by_role("button", name="I have paid").click()
        expect(inside(page).get_by_text("Looking for your payment")).to_be_visible()
        site.world.clock.go(20)
        inside(page).get_by_role("button", name="Tell the shop").click()
        expect(page.locator("html")).to_have_attribute("data-events", " open pending review")


def test_the_method_is_switched_on_a_phone(site: Site, browser: Browser) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-US")
    page = context.new_page()
    sell(site)
    page.goto(f"{site.url}/buy/ebook?lang=en")
    page.get_by_role("button", name="WeChat Pay").click()
    page.get_by_text("Need help?").click()
    page.get_by_role("button", name="Pay with Alipay").click()
    expect(page.locator("h1")).to_contain_text("Alipay")
    assert len(orders(site)) == 1
    context.close()

"""Everybody can use it: by keyboard, by ear, on small screens, in the dark (WCAG 2.2 AA)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Page, expect

from checkout.model.orders import Order
from tests.browser.site import ANDROID, DESKTOP, PHONE, WECHAT, Site, wake, with_cdn
from tests.browser.test_states import each_state
from tests.pages.shop import beat

pytestmark = pytest.mark.browser

SERIOUS = ("serious", "critical")


def faults(page: Page) -> list[str]:
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in SERIOUS]


@each_state
def test_axe_finds_nothing_serious_in_any_state_theme_or_language(
    site: Site, page: Page, state: Callable[..., Order]
) -> None:
    order = state(site, title="Tea")
    page.emulate_media(reduced_motion="reduce")
    for lang in ("en", "zh-CN"):
        page.goto(site.page_of(order, f"?lang={lang}"))
        if page.locator("#help").count():
            page.locator("#help").click()
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            assert faults(page) == [], (lang, theme)


def test_axe_finds_nothing_serious_in_the_enlarged_code(site: Site, page: Page) -> None:
    page.goto(site.page_of(site.order()))
    page.get_by_role("button", name="Enlarge").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        assert faults(page) == []


def test_axe_finds_nothing_serious_on_the_other_pages(site: Site, page: Page) -> None:
    for address in (site.url, f"{site.url}/nothing"):
        page.goto(address)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            assert faults(page) == []


def test_the_keyboard_alone_pays(site: Site, context: BrowserContext, page: Page) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(site.page_of(site.order(method="")))
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="WeChat Pay")).to_be_focused()
    assert page.locator(":focus").evaluate("e => getComputedStyle(e).outlineWidth") == "3px"
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("WeChat Pay CN¥9.90")
    expect(page.locator("h1")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy the amount")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#say")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "9.90"
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Sound")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Enlarge")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="Enlarge")).to_be_focused()
    expect(page.locator("figure img")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("I have paid and nothing happens")).to_be_visible()
    expect(page.locator("summary")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="I have paid")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="简体中文")).to_be_focused()


def test_the_amount_is_copied_without_the_clipboard_api_too(site: Site, context: BrowserContext, page: Page) -> None:
    context.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.goto(site.page_of(site.order()))
    page.get_by_role("button", name="Copy the amount").click()
    expect(page.locator("[data-copy]")).to_have_text("Copied")
    expect(page.locator("[data-copy]")).to_be_focused()
    other = context.new_page()
    other.set_content("<textarea></textarea>")
    other.locator("textarea").press("Control+V")
    expect(other.locator("textarea")).to_have_value("9.90")


def test_where_nothing_can_be_copied_the_amount_is_selected(site: Site, context: BrowserContext, page: Page) -> None:
    context.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined}); document.execCommand = () => false"
    )
    page.goto(site.page_of(site.order()))
    page.get_by_role("button", name="Copy the amount").click()
    expect(page.locator("#say")).to_have_text("Press and hold the amount to copy it.")
    assert page.evaluate("getSelection().toString()") == "CN¥9.90"


@pytest.mark.parametrize(
    ("agent", "method", "lang"),
    [(ANDROID, "wechat", "zh-CN"), (ANDROID, "wechat", "en"), (ANDROID, "alipay", "en"), (WECHAT, "wechat", "en")],
)
def test_on_a_small_phone_all_that_matters_is_on_the_first_screen(
    browser: Browser, site: Site, agent: str, method: str, lang: str
) -> None:
    beat(site.world)
    context = browser.new_context(viewport=PHONE, user_agent=agent, is_mobile=True, has_touch=True)
    with_cdn(context)
    page = context.new_page()
    site.order("A", 12800, method, shown=True)
    order = site.order("B", 12800, method, title="电子书《把事情做对》")
    page.goto(site.page_of(order, f"?lang={lang}"))
    seen = [".what", "h1", "[data-copy]", ".why", "figure img", ".how", "[role=timer]", "#help"]
    boxes = [page.locator(selector).bounding_box() for selector in seen]
    tops = [box["y"] for box in boxes if box]
    assert len(tops) == len(seen)
    amount, copy, code = boxes[1], boxes[2], boxes[4]
    assert amount is not None
    assert copy is not None
    assert code is not None
    assert max(amount["y"] + amount["height"], copy["y"] + copy["height"]) <= code["y"]
    assert code["width"] >= 280
    for selector, box in zip(seen, boxes, strict=True):
        assert box is not None
        assert box["y"] + box["height"] <= PHONE["height"], selector
    context.close()


@each_state
def test_small_screens_and_thumbs_are_served(browser: Browser, site: Site, state: Callable[..., Order]) -> None:
    """320 pixels are also what 400 % zoom leaves of a desktop."""
    context = browser.new_context(viewport={"width": 320, "height": 256}, user_agent=ANDROID, locale="en-US")
    with_cdn(context)
    page = context.new_page()
    page.goto(site.page_of(state(site, title="A" * 60)))
    if page.locator("#help").count():
        page.locator("#help").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    for target in page.locator("a:visible, button:visible, summary:visible").all():
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= 44, target.inner_text()
    context.close()


def test_the_amount_is_large_and_its_digits_keep_their_places(site: Site, page: Page) -> None:
    page.goto(site.page_of(site.order()))
    style = page.locator(".amount").evaluate("e => ({...getComputedStyle(e)})")
    assert (style["fontSize"], style["fontVariantNumeric"]) == ("44px", "tabular-nums")


def test_nothing_moves_for_those_who_asked_for_rest(site: Site, page: Page) -> None:
    order = site.order()
    page.emulate_media(reduced_motion="reduce")
    page.goto(site.page_of(order))
    site.settle(order)
    wake(page)
    expect(page.locator("h1")).to_have_text("Payment received")
    assert page.locator(".mark path").evaluate("e => getComputedStyle(e).animationName") == "none"


def test_forced_colours_keep_the_code_on_white(site: Site, page: Page) -> None:
    page.emulate_media(forced_colors="active", color_scheme="dark")
    page.goto(site.page_of(site.order()))
    assert page.locator("figure img").evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(255, 255, 255)"


def test_on_a_phone_alipay_is_one_tap_away_and_says_what_to_do_when_it_does_not_open(
    browser: Browser, site: Site
) -> None:
    context = browser.new_context(viewport=PHONE, user_agent=ANDROID, locale="en-US")
    with_cdn(context)
    page = context.new_page()
    page.goto(site.page_of(site.order(method="alipay")))
    page.locator("[data-app]").evaluate("link => link.addEventListener('click', (e) => e.preventDefault())")
    page.locator("[data-app]").click()
    expect(page.locator("#stuck")).to_be_visible()
    context.close()


def test_the_page_is_one_narrow_column(site: Site, page: Page) -> None:
    page.goto(site.page_of(site.order()))
    box = page.locator("body").bounding_box()
    assert box is not None
    assert box["width"] <= 420
    assert box["x"] + box["width"] / 2 == DESKTOP["width"] / 2

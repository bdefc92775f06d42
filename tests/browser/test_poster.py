"""The picture that a buyer saves: what a camera reads from it is the code."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.site import ANDROID, PHONE, WECHAT, Site, Watch, with_cdn
from tests.browser.test_road import scanned

pytestmark = pytest.mark.browser

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"


def phone(browser: Browser, scale: float = 1, agent: str = ANDROID) -> BrowserContext:
    context = browser.new_context(
        viewport=PHONE, user_agent=agent, device_scale_factor=scale, locale="en-US", is_mobile=True, has_touch=True
    )
    with_cdn(context)
    return context


def saved(page: Page, button: str = "Save code") -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.get_by_role("link", name=button).tap()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize(("lang", "button"), [("en", "Save code"), ("zh-CN", "保存二维码")])
def test_the_poster_is_read_by_a_camera_and_shows_the_amount(
    site: Site, browser: Browser, scale: float, lang: str, button: str
) -> None:
    context = phone(browser, scale)
    page, watch = context.new_page(), Watch()
    watch.on(page)
    page.goto(site.page_of(site.order(title="电子书《把事情做对》"), f"?lang={lang}"))
    name, content = saved(page, button)
    assert (name, content[:8]) == ("wechat-9.90.png", b"\x89PNG\r\n\x1a\n")
    assert scanned(content) == ["wxp://f2f0wechat"]
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.width == 720
        half = picture.resize((picture.width // 2, picture.height // 2))
        amount = picture.convert("L").crop((150, 190, 570, 270))
        assert min(amount.tobytes()) < 60, "there is ink where the amount stands"
    small = io.BytesIO()
    half.convert("RGB").save(small, "JPEG", quality=60)
    assert scanned(small.getvalue()) == ["wxp://f2f0wechat"], "as a chat app passes it on"
    assert watch.faults == []
    context.close()


def test_a_long_title_stays_inside_and_the_code_readable(site: Site, browser: Browser) -> None:
    context = phone(browser)
    page = context.new_page()
    page.goto(site.page_of(site.order(title="长" * 100, price=12_345_678)))
    assert scanned(saved(page)[1]) == ["wxp://f2f0wechat"]
    context.close()


def test_where_it_cannot_be_drawn_the_code_itself_is_saved(site: Site, browser: Browser) -> None:
    context = phone(browser)
    context.route("**/static/poster.js*", lambda route: route.abort())
    page = context.new_page()
    page.goto(site.page_of(site.order()))
    name, content = saved(page)
    assert (name, scanned(content)) == ("wechat-9.90.png", ["wxp://f2f0wechat"])
    context.close()


def test_without_scripts_the_code_itself_is_saved(site: Site, browser: Browser) -> None:
    context = browser.new_context(viewport=PHONE, user_agent=ANDROID, locale="en-US", java_script_enabled=False)
    page = context.new_page()
    page.goto(site.page_of(site.order()))
    with page.expect_download() as download:
        page.get_by_role("link", name="Save code").click()
    assert scanned(Path(download.value.path()).read_bytes()) == ["wxp://f2f0wechat"]
    context.close()


def test_in_wechat_a_long_press_finds_the_plain_code(site: Site, browser: Browser) -> None:
    context = phone(browser, agent=WECHAT)
    page = context.new_page()
    page.goto(site.page_of(site.order()))
    expect(page.locator("[data-poster]")).to_have_count(0)
    (source,) = page.locator("figure img").evaluate_all("images => images.map((image) => image.currentSrc)")
    assert source.startswith(site.url)
    assert scanned(context.request.get(source).body()) == ["wxp://f2f0wechat"]
    context.close()


def test_an_iphone_offers_to_keep_it_in_the_album(site: Site, browser: Browser) -> None:
    context = phone(browser, agent=IPHONE)
    context.add_init_script(
        "navigator.canShare = () => true; navigator.share = async ({files: [file]}) => {"
        " document.documentElement.dataset.shared = file.name + ' ' + file.type }"
    )
    page = context.new_page()
    page.goto(site.page_of(site.order()))
    page.get_by_role("link", name="Save code").tap()
    expect(page.locator("html")).to_have_attribute("data-shared", "wechat-9.90.png image/png")
    context.close()


def test_an_iphone_that_refuses_to_share_downloads_it(site: Site, browser: Browser) -> None:
    context = phone(browser, agent=IPHONE)
    context.add_init_script(
        "navigator.canShare = () => true;"
        " navigator.share = async () => { throw new DOMException('too late', 'NotAllowedError') }"
    )
    page = context.new_page()
    page.goto(site.page_of(site.order()))
    assert scanned(saved(page)[1]) == ["wxp://f2f0wechat"]
    context.close()


def test_the_server_may_be_away_when_the_code_is_saved(site: Site, browser: Browser) -> None:
    context = phone(browser)
    page = context.new_page()
    page.goto(site.page_of(site.order()))
    expect(page.locator("figure img")).to_be_visible()

    def gone(route: Route) -> None:
        route.abort()

    context.route("**/qr.png*", gone)
    assert scanned(saved(page)[1]) == ["wxp://f2f0wechat"]
    context.close()

"""The main road as a buyer walks it: the page, the code, the money, the way back to the shop."""

from __future__ import annotations

import base64
import io
import json
from urllib.parse import parse_qsl, urlsplit
from urllib.request import urlopen

import pytest
import zxingcpp
from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from checkout.model.merchants import Mode
from tests.browser.site import DESKTOP, Site, Watch, wake, with_cdn
from tests.world import MERCHANT_KEY, md5

pytestmark = pytest.mark.browser

SHOP = "https://shop.example/**"


def scanned(screenshot: bytes) -> list[str]:
    """What a camera reads from the screen."""
    return [found.text for found in zxingcpp.read_barcodes(Image.open(io.BytesIO(screenshot)))]


def seen(page: Page) -> list[str]:
    """The same, once every picture is there: a click does not wait for those of the page that it leads to.

    The page's policy lets nobody ask it again and again (`wait_for_function` would); a picture says itself when it can
    be shown.
    """
    page.evaluate("Promise.all([...document.images].map(image => image.decode()))")
    return scanned(page.screenshot())


def test_an_order_is_paid_and_the_legacy_shop_gets_its_buyer_back(
    site: Site, context: BrowserContext, page: Page, watch: Watch
) -> None:
    site.world.change_merchant(mode=Mode.COMPAT)
    context.route(SHOP, lambda route: route.fulfill(body="thank you"))
    created = site.world.create("A-1", "9.9", param="user 42&x=ü")["data"]
    page.goto(f"{site.url}/pay/{created['orderId']}")
    assert seen(page) == [created["payUrl"]]
    site.world.push("9.9")
    expect(page.locator("h1")).to_have_text("Payment received")
    expect(page).to_have_title("✓ Paid · Checkout")
    page.wait_for_url(SHOP)
    values = dict(parse_qsl(urlsplit(page.url).query, keep_blank_values=True))
    assert values.pop("sign") == md5("A-1", "user 42&x=ü", "1", "9.90", "9.90", MERCHANT_KEY)
    assert values["payId"] == "A-1"
    assert (watch.faults, watch.dialogs) == ([], [])


def test_a_strict_shop_gets_a_return_that_our_public_key_verifies(
    site: Site, context: BrowserContext, page: Page, watch: Watch
) -> None:
    context.route(SHOP, lambda route: route.fulfill(body="thank you"))
    created = site.world.create("A-1", "9.9", kind="2")["data"]
    page.goto(f"{site.url}/pay/{created['orderId']}")
    assert seen(page) == [created["payUrl"]]
    site.world.push("9.9", kind="2")
    wake(page)
    page.get_by_role("link", name="Return to the shop").click()
    page.wait_for_url(SHOP)
    values = dict(parse_qsl(urlsplit(page.url).query, keep_blank_values=True))
    assert values["co_order"] == created["orderId"]
    with urlopen(f"{site.url}/.well-known/checkout-keys.json") as answer:
        (key,) = [one for one in json.load(answer)["keys"] if one["kid"] == values["co_kid"]]
    assert is_signed(values, key)
    assert not is_signed({**values, "co_amount": "1"}, key)
    assert (watch.faults, watch.dialogs) == ([], [])


def is_signed(values: dict[str, str], key: dict[str, str]) -> bool:
    x, y = (int.from_bytes(decoded(key[part]), "big") for part in ("x", "y"))
    public = ECC.construct(curve="P-256", point_x=x, point_y=y)
    text = "&".join(f"{name}={value}" for name, value in sorted(values.items()) if name != "co_sig")
    try:
        DSS.new(public, "fips-186-3").verify(SHA256.new(text.encode()), decoded(values["co_sig"]))
    except ValueError:
        return False
    return True


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_buyer_who_stays_is_left_alone(site: Site, context: BrowserContext, page: Page) -> None:
    context.route(SHOP, lambda route: route.fulfill(body="thank you"))
    page.clock.install()
    order = site.order()
    page.goto(site.page_of(order))
    site.settle(order)
    wake(page)
    page.get_by_role("button", name="Stay here").click()
    expect(page.locator("[data-stay]")).to_have_count(0)
    page.clock.run_for(10_000)
    assert page.url == site.page_of(order)


def test_the_buyer_chooses_and_pays_late(site: Site, page: Page, watch: Watch) -> None:
    order = site.order(method="")
    page.goto(site.page_of(order))
    page.get_by_role("button", name="Alipay").click()
    expect(page.locator("h1")).to_have_text("Alipay CN¥9.90")
    assert seen(page) == ["https://qr.alipay.com/fkx"]
    site.world.clock.go(300)
    wake(page)
    expect(page.locator("h1")).to_have_text("The time for this payment is over")
    expect(page.locator("img")).to_have_count(0)
    site.world.push("9.9", kind="2")
    wake(page)
    expect(page.locator("h1")).to_have_text("Payment received")
    expect(page.locator(".note:visible")).to_contain_text("it counts")
    assert watch.faults == []


@pytest.mark.parametrize(
    ("scale", "look"),
    [(1, "light"), (1, "dark"), (1.25, "light"), (1.25, "dark"), (2, "light"), (2, "dark"), (1, "forced")],
)
def test_a_camera_reads_the_code_on_every_screen(browser: Browser, site: Site, scale: float, look: str) -> None:
    context = browser.new_context(
        viewport=DESKTOP,
        device_scale_factor=scale,
        color_scheme="dark" if look == "dark" else "light",
        forced_colors="active" if look == "forced" else "none",
    )
    with_cdn(context)
    page = context.new_page()
    page.goto(site.page_of(site.order()))
    assert seen(page) == ["wxp://f2f0wechat"]
    page.locator("[data-zoom]").click()
    assert seen(page) == ["wxp://f2f0wechat"]
    context.close()

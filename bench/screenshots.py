"""`./dev screenshots`: every state of the pages as a picture in docs/screenshots, on phones and a desktop, light and
dark, in three languages. Look at them after each change of the pages."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from bench import screenshots_admin
from bench.camera import beside, narrowed, opened, shop, shot
from checkout import ids, store
from checkout.catalogue import Goods
from checkout.model.accounts import FixedCode
from checkout.model.orders import Order
from checkout.refunds import ledger
from hatch_build import compile_catalogues
from tests.browser.host import hosted, sell
from tests.browser.site import ANDROID, CHROMIUM_ARGS, STATIC, WECHAT, Site, chromium
from tests.pages.shop import beat

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "screenshots"
TITLE = "电子书《把事情做对》"
TEXT = "# 谢谢！\n\n这是你的书：[第一章](https://example.com/1)\n\n1. 先读这里\n2. 密码是 `open-sesame`"

# (width, height, language, theme, whether it is a phone): one picture of a state shows all of them
PANELS = [
    (375, 667, "zh-CN", "light", True), (375, 667, "en", "dark", True), (320, 568, "zh-TW", "light", True),
    (1280, 800, "en", "light", False), (1280, 800, "zh-CN", "dark", False),
]  # fmt: skip

State = Callable[[Site], str]  # makes the state; the address of its page


def order_of(site: Site, method: str = "wechat") -> Order:
    site.order("1", 12800, method, shown=True)
    return site.order("20260921-0042", 12800, method, title=TITLE, return_url="https://shop.example/thanks")


def bought(site: Site, **wanted: Any) -> str:
    """The receipt of something that was sold."""
    sell(site, title_zh=TITLE, title_en="Get things right", price=12800, **wanted)
    order = site.order("20260921-0042", 12800, title=TITLE, product="ebook", dialect="embed")
    site.settle(order)
    with site.world.store.read() as db:
        receipt = store.receipts.of_order(db, order.token)
    assert receipt is not None
    return f"{site.url}/receipt/{receipt.token}"


def ended(site: Site, after: int, *, closed: bool = False, paid: bool = False) -> str:
    order = order_of(site)
    site.page_of(order)
    with site.world.store.transaction() as db:
        store.orders.show(db, order.token, site.world.clock())
    if closed:
        site.close(order)
    site.world.clock.go(after)
    beat(site.world)
    if paid:
        site.settle(order)
    return site.page_of(order)


def claimed(site: Site) -> str:
    order = order_of(site)
    site.world.client.post(f"/pay/{order.token}/claim", data={"amount": "128.01", "last_digits": "1234"})
    return site.page_of(order)


def amount_in_the_code(site: Site) -> str:
    with site.world.store.transaction() as db:
        store.accounts.set_code(db, FixedCode("wx-main", 12801, "wxp://fixed", site.world.clock()))
    return site.page_of(order_of(site))


def unwatched(site: Site) -> str:
    order = order_of(site)
    site.world.clock.go(200)
    return site.page_of(order)


def asked(site: Site, ago: int) -> str:
    return site.page_of(order_of(site), f"?asked={site.world.clock() - ago}")


def refunded(site: Site, amount: int | None = None, *, place: str = "") -> str:
    """A paid order of which money went back; the address of its page, unless another one shows it."""
    place = place or ended(site, 20, paid=True)
    with site.world.store.read() as db:
        order = next(one for one in store.orders.listed(db, store.orders.Filter()) if one.paid_at is not None)
    ledger.by_hand(
        site.world.store, order.token, amount=amount, reason="returned", actor="owner", new_id=ids.new_id,
        now=site.world.clock(),
    )  # fmt: skip
    return place


STATES: dict[str, State] = {
    "buy": lambda site: sell(site, title_zh=TITLE, title_en="Get things right", price=12800),
    "buy-name-your-price": lambda site: sell(site, title_zh="请我喝咖啡", title_en="Buy me a coffee", price=1800,
                                             lowest=100, highest=50000, max_quantity=5),
    "buy-sold-out": lambda site: sell(site, title_zh=TITLE, title_en="Get things right", stock=0),
    "buy-wrong-quantity": lambda site: sell(site, title_zh=TITLE, title_en="Get things right") + "?quantity=9",
    "choose": lambda site: site.page_of(order_of(site, "")),
    "pay-wechat": lambda site: site.page_of(order_of(site)),
    "pay-alipay": lambda site: site.page_of(order_of(site, "alipay")),
    "pay-amount-in-the-code": amount_in_the_code,
    "pay-phone-offline": unwatched,
    "help": lambda site: site.page_of(order_of(site), "?help=1"),
    "help-looking": lambda site: asked(site, 5),
    "help-claim": lambda site: asked(site, 30),
    "help-claimed": claimed,
    "paid": lambda site: ended(site, 20, paid=True),
    "paid-late": lambda site: ended(site, 400, paid=True),
    "expired": lambda site: ended(site, 310),
    "expired-for-good": lambda site: ended(site, 5000),
    "closed": lambda site: ended(site, 5, closed=True),
    "refunded": lambda site: refunded(site),
    "refunded-in-part": lambda site: refunded(site, 2800),
    "receipt": bought,
    "receipt-text": lambda site: bought(site, goods=Goods("text", TEXT)),
    "receipt-keys": lambda site: bought(site, goods=Goods("keys", "7F3K-92MD-QX4T-0001\n7F3K-92MD-QX4T-0002")),
    "receipt-refunded": lambda site: refunded(site, place=bought(site, goods=Goods("keys", "7F3K-92MD-QX4T-0001"))),
    "problem": lambda site: f"{site.url}/pay/{'0' * 32}",
    "front-door": lambda site: site.url,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev screenshots", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("only", nargs="*", metavar="STATE", help=f"{', '.join([*STATES, *EXTRAS])}; default: all")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    compile_catalogues(STATIC.parent)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        for name in options.only or [*STATES, *EXTRAS]:
            picture = EXTRAS[name](browser) if name in EXTRAS else sheet(browser, STATES[name])
            fewer = picture.quantize(192, kmeans=4, dither=Image.Dither.NONE)
            fewer.save(options.folder / f"{name}.png", optimize=True)
            print(name, flush=True)
        browser.close()


def sheet(browser: Browser, state: State) -> Image.Image:
    """One state on every kind of screen, side by side."""
    with shop() as site:
        place = state(site)
        return beside([panel(browser, place, *wanted) for wanted in PANELS])


def panel(browser: Browser, place: str, width: int, height: int, lang: str, theme: str, phone: bool) -> Image.Image:
    page = opened(browser, width, height, theme, ANDROID if phone else None)
    page.goto(f"{place}{'&' if '?' in place else '?'}lang={lang}&stay=1")
    found = shot(page, full=True)
    page.context.close()
    return found if phone else found.crop((330, 0, 950, found.height))  # what stands in the middle


def in_wechat(browser: Browser) -> Image.Image:
    with shop() as site:
        page = opened(browser, 375, 667, "light", WECHAT)
        page.goto(site.page_of(order_of(site), "?lang=zh-CN"))
        return shot(page)


def poster(browser: Browser) -> Image.Image:
    with shop() as site:
        found = []
        for method, lang in (("wechat", "zh-CN"), ("alipay", "en")):
            page = opened(browser, 375, 667, "light", ANDROID)
            page.goto(site.page_of(site.order(method, 12800, method, title=TITLE), f"?lang={lang}"))
            with page.expect_download() as download:
                page.locator("[data-poster]").click()
            found.append(narrowed(Image.open(download.value.path()).convert("RGB"), 360))
        return beside(found)


def connection_lost(browser: Browser) -> Image.Image:
    with shop() as site:
        page = opened(browser, 375, 667, "light", ANDROID)
        page.goto(site.page_of(order_of(site), "?lang=zh-CN"))
        page.route("**/poll*", lambda route: route.abort())
        page.locator("#net").wait_for(state="visible")
        return shot(page)


def enlarged(browser: Browser) -> Image.Image:
    with shop() as site:
        page = opened(browser, 1280, 800, "light", None)
        page.goto(site.page_of(order_of(site), "?lang=zh-CN"))
        page.locator("[data-zoom]").click()
        return shot(page)


def dialog(browser: Browser) -> Image.Image:
    """The widget over somebody's page: choosing, paying, paid."""
    with shop() as site, hosted() as host:
        buy = sell(site, host, title_zh=TITLE, title_en="Get things right", price=12800)
        text = "<p>" + "Lorem ipsum dolor sit amet. " * 60
        place = host.page(site, f'<a id="buy" data-lang="zh-CN" href="{buy}" data-checkout="ebook">Buy</a>{text}')
        page = opened(browser, 1000, 760, "light", None)
        page.goto(place)
        page.click("#buy")
        frame = page.frame_locator("iframe")
        frame.locator(".way").first.wait_for()
        found = [shot(page)]
        frame.locator(".way").first.click()
        frame.locator("figure img").wait_for()
        found.append(shot(page))
        with site.world.store.read() as db:
            order = store.orders.listed(db, store.orders.Filter())[0]
        site.settle(order)
        frame.locator(".paid").wait_for()
        found.append(shot(page))
        return beside([narrowed(one, 600) for one in found])


def front(browser: Browser) -> Image.Image:
    """The picture of the README."""
    with shop() as site:
        found: list[Image.Image] = []
        for method, width, lang, theme, agent, paid in (
            ("wechat", 480, "zh-CN", "light", None, False), ("alipay", 375, "en", "dark", ANDROID, False),
            ("wechat", 375, "en", "dark", ANDROID, True),
        ):  # fmt: skip
            order = site.order(f"20260921-{len(found) + 42}", 9900, method, title=TITLE)
            if paid:
                site.settle(order)
            page = opened(browser, width, 667, theme, agent)
            page.goto(site.page_of(order, f"?lang={lang}&stay=1"))
            found.append(shot(page))
        return beside(found, ground="#fff")


EXTRAS: dict[str, Callable[[Browser], Image.Image]] = {
    "pay-in-wechat": in_wechat, "poster": poster, "connection-lost": connection_lost, "enlarged": enlarged,
    "dialog": dialog, "../pictures/pay": front, **screenshots_admin.EXTRAS,
}  # fmt: skip


if __name__ == "__main__":
    main()

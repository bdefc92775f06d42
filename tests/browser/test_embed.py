"""The script tag on somebody's static site: two real origins, `localhost` around `127.0.0.1`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, FrameLocator, Page, Route, TimeoutError, expect

from checkout import store
from checkout.catalogue import Goods
from checkout.model.orders import Order
from tests.browser.host import NOTES, STRICT, Host, hosted, sell
from tests.browser.site import ANDROID, WECHAT, Site, chromium, with_cdn

pytestmark = pytest.mark.browser


@pytest.fixture
def host() -> Iterator[Host]:
    with hosted() as host:
        yield host


def link(buy: str, more: str = "") -> str:
    return f'<a id="buy" href="{buy}" data-checkout="ebook" {more}>Buy</a><button id="after">after</button>'


def inside(page: Page) -> FrameLocator:
    return page.frame_locator("iframe")


def choose(page: Page, method: str = "WeChat Pay", clicks: int = 1) -> None:
    """A frame that grows to its content may move away from under a click on a slow machine: who sees nothing happen
    clicks again."""
    code = inside(page).locator("figure img")
    for _ in range(4):
        with suppress(AssertionError, Error):
            inside(page).get_by_role("button", name=method).click(click_count=clicks, timeout=5_000)
            expect(code).to_be_visible(timeout=5_000)
            return
    expect(code).to_be_visible()


def escape(page: Page) -> None:
    """Escape in the dialog's frame. Chromium may never say that it took a key when the frame went away with it, and the
    keyboard's own `press` would wait for that without an end."""
    with suppress(TimeoutError):
        page.frame_locator("dialog iframe").locator("body").press("Escape", timeout=5_000)


def orders(site: Site) -> list[Order]:
    with site.world.store.read() as db:
        return store.orders.listed(db, store.orders.Filter())


def events(page: Page) -> list[str]:
    return (page.locator("html").get_attribute("data-events") or "").split()


def settle(site: Site, page: Page) -> None:
    """The order is paid, and the frame asks at once."""
    site.settle(orders(site)[0])
    for frame in page.frames:
        if "/pay/" in frame.url:
            frame.evaluate("dispatchEvent(new Event('focus'))")


def heard(page: Page, *names: str) -> None:
    """Waits until these events, and no others, have come."""
    expect(page.locator("html")).to_have_attribute("data-events", " " + " ".join(names))


def last(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.locator("html").get_attribute("data-last") or "{}")
    return found


def test_a_link_needs_no_script_from_the_site_to_the_receipt(site: Site, host: Host, browser: Browser) -> None:
    sell(site, host, goods=Goods("keys", "KEY-1"))
    context = browser.new_context(java_script_enabled=False, locale="en-US")
    page = context.new_page()
    page.goto(host.page(site, link(f"{site.url}/buy/ebook")))
    page.click("#buy")
    page.get_by_role("button", name="Alipay").click()
    expect(page.locator("figure img")).to_be_visible()
    site.settle(orders(site)[0])
    page.reload()
    page.get_by_role("link", name="Get what you have bought").click()
    expect(page.locator("code")).to_have_text("KEY-1")
    assert len(orders(site)) == 1
    context.close()


def test_the_dialog_shows_the_code_and_hears_of_the_payment(site: Site, host: Host, page: Page) -> None:
    page.goto(host.page(site, link(sell(site, host), 'data-ref="user-42"')))
    page.click("#buy")
    choose(page)
    heard(page, "open", "pending")
    (order,) = orders(site)
    assert (order.buyer, last(page)["order"]) == ("user-42", order.token)
    settle(site, page)
    heard(page, "open", "pending", "paid")
    with site.world.store.read() as db:
        receipt = store.receipts.of_order(db, order.token)
    assert receipt
    assert last(page) == {"state": "paid", "order": order.token, "receipt": receipt.token}


def test_the_frame_is_as_high_as_what_it_shows(site: Site, host: Host, page: Page) -> None:
    page.goto(host.page(site, f'<div data-checkout-inline="ebook">{link(sell(site, host))}</div>'))
    choose(page)
    inside(page).locator("#help").click()
    expect(inside(page).locator("details")).to_be_visible()
    needed = inside(page).locator("body").evaluate("body => Math.ceil(body.getBoundingClientRect().height)")
    expect(page.locator("iframe")).to_have_css("height", f"{needed}px")
    scrolls = "root => root.scrollHeight > root.clientHeight"
    assert not inside(page).locator("html").evaluate(scrolls)
    expect(page.locator("#buy")).to_have_count(0)


def test_a_double_click_in_the_frame_opens_one_order(site: Site, host: Host, page: Page) -> None:
    page.goto(host.page(site, link(sell(site, host))))
    page.click("#buy")
    choose(page, clicks=2)
    assert len(orders(site)) == 1


def test_looking_again_and_again_opens_nothing(site: Site, host: Host, page: Page) -> None:
    page.goto(host.page(site, link(sell(site, host))))
    for _ in range(5):
        page.click("#buy")
        expect(inside(page).get_by_role("button", name="Close")).to_be_visible()  # the frame's script is there
        escape(page)
        expect(page.locator("dialog")).to_have_count(0)
    assert orders(site) == []


def test_reopening_shows_the_order_that_waits(site: Site, host: Host, page: Page) -> None:
    page.goto(host.page(site, link(sell(site, host))))
    page.click("#buy")
    choose(page)
    heard(page, "open", "pending")
    escape(page)
    heard(page, "open", "pending", "close")
    page.reload()
    page.click("#buy")
    expect(inside(page).locator("figure img")).to_be_visible()
    assert len(orders(site)) == 1
    settle(site, page)
    heard(page, "open", "pending", "paid")
    escape(page)
    page.click("#buy")
    expect(inside(page).get_by_role("button", name="WeChat Pay")).to_be_visible()


def test_escape_and_the_button_close_and_the_keyboard_goes_back(site: Site, host: Host, page: Page) -> None:
    page.goto(host.page(site, link(sell(site, host))))
    for close in ("in the frame", "around it", "by the button"):
        page.focus("#buy")
        page.keyboard.press("Enter")
        expect(inside(page).get_by_role("button", name="Close")).to_be_visible()  # the frame's script is there
        if close == "in the frame":
            inside(page).get_by_role("button", name="WeChat Pay").focus()
            escape(page)
        elif close == "around it":
            page.evaluate("document.activeElement.blur()")
            page.keyboard.press("Escape")
        else:
            with suppress(TimeoutError):  # as a key, a click may not be answered
                inside(page).get_by_role("button", name="Close").click(timeout=5_000)
        expect(page.locator("dialog")).to_have_count(0)
        expect(page.locator("#buy")).to_be_focused()


def test_the_keyboard_never_reaches_the_page_behind(site: Site, host: Host, page: Page) -> None:
    page.goto(host.page(site, link(sell(site, host))))
    page.click("#buy")
    expect(inside(page).get_by_role("button", name="WeChat Pay")).to_be_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.localName") in ("iframe", "body", "dialog")
        assert not page.evaluate("document.activeElement.id")
    assert page.locator("iframe").get_attribute("title")
    assert page.locator("dialog").get_attribute("aria-label") == "Checkout"


def test_a_strict_policy_of_the_site_is_enough(site: Site, host: Host, page: Page, watch: Any) -> None:
    policy = STRICT.format(checkout=site.url)
    page.goto(host.page(site, link(sell(site, host)), Content_Security_Policy=policy))
    page.click("#buy")
    choose(page)
    heard(page, "open", "pending")
    assert watch.faults == []


@pytest.mark.parametrize("policy", ["require-corp", "credentialless"])
def test_an_isolated_site_can_show_it(site: Site, host: Host, page: Page, policy: str) -> None:
    isolated = {"Cross_Origin_Embedder_Policy": policy, "Cross_Origin_Opener_Policy": "same-origin"}
    page.goto(host.page(site, link(sell(site, host)), **isolated))
    page.click("#buy")
    choose(page)
    assert page.evaluate("crossOriginIsolated")


def test_a_site_that_is_not_listed_leads_to_the_page(site: Site, host: Host, page: Page) -> None:
    buy = sell(site)
    page.goto(host.page(site, link(buy)))
    page.click("#buy")
    page.wait_for_url(re.compile(f"^{re.escape(buy)}"))
    expect(page.get_by_role("button", name="WeChat Pay")).to_be_visible()
    assert "frame.js" not in page.content()


def test_an_inline_form_that_is_refused_leaves_the_link(site: Site, host: Host, page: Page) -> None:
    page.goto(host.page(site, f'<div data-checkout-inline="ebook"><a href="{sell(site)}">Buy here</a></div>'))
    heard(page, "fallback")
    expect(page.locator("iframe")).to_have_count(0)
    expect(page.get_by_role("link", name="Buy here")).to_be_visible()


def test_a_checkout_that_is_away_leads_to_the_page(site: Site, host: Host, page: Page) -> None:
    page.goto(host.page(site, link(sell(site, host))))
    page.route(f"{site.url}/buy/ebook?embed=*", lambda route: None)
    page.clock.install()
    page.click("#buy")
    expect(page.locator("iframe")).to_have_count(1)
    page.clock.run_for(8000)
    page.wait_for_url(f"{site.url}/buy/ebook")


def test_phones_and_apps_get_a_page_of_their_own(site: Site, host: Host, browser: Browser) -> None:
    buy = sell(site, host)
    for agent in (ANDROID, WECHAT):
        context = browser.new_context(user_agent=agent, locale="en-US")
        page = context.new_page()
        page.goto(host.page(site, link(buy, 'data-ref="me" data-lang="en"')))
        page.click("#buy")
        page.wait_for_url(f"{buy}?ref=me&lang=en")
        context.close()


def test_the_mode_can_be_insisted_on(site: Site, host: Host, page: Page) -> None:
    buy = sell(site, host)
    page.goto(host.page(site, link(buy, 'data-mode="redirect" data-theme="dark"')))
    page.click("#buy")
    page.wait_for_url(f"{buy}?theme=dark")
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_messages_of_others_are_not_heard(site: Site, host: Host, page: Page, browser: Browser) -> None:
    """From another frame of the site, from the site itself, and from an origin that only begins like ours."""
    page.goto(host.page(site, link(sell(site, host))))
    page.click("#buy")
    choose(page)
    heard(page, "open", "pending")
    forged = """(target) => {
      const bad = [{t: "paid", state: "paid", receipt: "0".repeat(32)}, {t: "return", url: "https://evil.test/"},
        {t: "return", url: "javascript:document.title='evil'"}, {t: "close"}, {t: "resize", height: 9}]
      for (const data of bad) target.postMessage({v: 1, ...data}, "*")
    }"""
    page.evaluate(f"({forged})(window)")
    with hosted("127.0.0.1") as near:  # 127.0.0.1:<port><digits> begins like the checkout's own origin or nearly so
        evil = near.write("/evil", f"<script>({forged})(parent)</script>")
        page.evaluate(
            "async (url) => { const f = document.createElement('iframe'); f.src = url;"
            " document.body.append(f); await new Promise((done) => f.onload = done) }",
            evil,
        )
        # A frame of the checkout's own origin that is not the one of the dialog.
        page.evaluate(
            "async (url) => { const f = document.createElement('iframe'); f.src = url;"
            " document.body.append(f); await new Promise((done) => f.onload = done) }",
            f"{site.url}/buy/ebook?embed={host.origin}",
        )
        settle_messages(page)
    heard(page, "open", "pending")
    assert page.url.startswith(host.origin)
    assert page.title() == "Site"
    expect(page.locator("dialog")).to_be_visible()


def test_the_frame_hears_its_parent_only(site: Site, host: Host, page: Page) -> None:
    """`stay` stops the return only when the listed page around says so."""
    thanks = host.write("/thanks", "<h1>Thanks</h1>")
    sell(site, host, return_url=thanks)
    page.clock.install()
    page.goto(host.page(site, link(f"{site.url}/buy/ebook")))
    page.click("#buy")
    choose(page)
    frame = next(one for one in page.frames if "/pay/" in one.url)
    settle(site, page)
    heard(page, "open", "pending", "paid")
    frame.evaluate("window.postMessage({v: 1, t: 'stay'}, '*')")
    page.clock.run_for(6000)
    page.wait_for_url(f"{thanks}?co_order=*")


def test_the_page_around_goes_back_to_the_shop(site: Site, host: Host, page: Page) -> None:
    thanks = host.write("/thanks", "<h1>Thanks</h1>")
    sell(site, host, return_url=thanks)
    page.goto(host.page(site, link(f"{site.url}/buy/ebook")))
    page.click("#buy")
    choose(page)
    settle(site, page)
    inside(page).get_by_role("link", name="Return to the shop").click()
    page.wait_for_url(f"{thanks}?co_order=*")
    expect(page.locator("h1")).to_have_text("Thanks")


def test_a_site_that_stops_the_event_keeps_its_buyer(site: Site, host: Host, page: Page) -> None:
    page.clock.install()
    sell(site, host, return_url=host.write("/thanks", "<h1>Thanks</h1>"))
    page.goto(host.page(site, link(f"{site.url}/buy/ebook")))
    page.evaluate("document.documentElement.dataset.keep = 'paid'")
    page.click("#buy")
    choose(page)
    settle(site, page)
    heard(page, "open", "pending", "paid")
    expect(inside(page).locator("[data-stay]")).to_have_count(0)
    page.clock.run_for(10_000)
    settle_messages(page)
    assert page.url == host.origin + "/"


def test_verify_js_judges_the_return_in_a_static_page(site: Site, host: Host, page: Page) -> None:
    script = f'<script src="{site.url}/static/verify.js"></script><script src="/check.js"></script>'
    thanks = host.write("/thanks", f"<!doctype html><h1>?</h1>{script}")
    host.write(
        "/check.js",
        "verifyCheckout({product: 'ebook'}).then((found) =>"
        " document.querySelector('h1').textContent = found ? 'paid ' + found.amount : 'no')",
    )
    sell(site, host, return_url=thanks)
    page.add_init_script(f"Date.now = () => {site.world.clock() * 1000}")
    page.goto(host.page(site, link(f"{site.url}/buy/ebook")))
    page.click("#buy")
    choose(page)
    settle(site, page)
    inside(page).get_by_role("link", name="Return to the shop").click()
    expect(page.locator("h1")).to_have_text("paid 990")
    page.goto(page.url.replace("co_amount=990", "co_amount=991"))
    expect(page.locator("h1")).to_have_text("no")


def test_nothing_needs_a_cookie(site: Site, host: Host, tmp_path: Path, browser: Browser) -> None:
    blocked = browser.browser_type.launch(
        executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--test-third-party-cookie-phaseout"]
    )
    context = blocked.new_context(locale="en-US")
    with_cdn(context)
    page = context.new_page()
    page.goto(host.page(site, link(sell(site, host))))
    page.click("#buy")
    choose(page)
    settle(site, page)
    heard(page, "open", "pending", "paid")
    assert context.cookies() == []
    blocked.close()


def test_sites_that_are_drawn_by_scripts_need_no_refresh(site: Site, host: Host, page: Page) -> None:
    buy = sell(site, host)
    page.goto(host.page(site, "<div id=app></div>"))
    page.evaluate("([html]) => document.querySelector('#app').innerHTML = html", [link(buy)])
    page.click("#buy")
    expect(inside(page).get_by_role("button", name="WeChat Pay")).to_be_visible()
    page.evaluate("Checkout.close()")
    expect(page.locator("iframe")).to_have_count(0)
    page.evaluate("([html]) => document.querySelector('#app').innerHTML = html",
                  [f'<div data-checkout-inline="ebook"><a href="{buy}">Buy</a></div>'])  # fmt: skip
    expect(inside(page).get_by_role("button", name="WeChat Pay")).to_be_visible()


def test_a_script_opens_closes_and_resumes(site: Site, host: Host, page: Page) -> None:
    sell(site, host)
    page.goto(host.page(site, ""))
    page.evaluate("void (window.done = Checkout.open({product: 'ebook', method: 'alipay', ref: 'me'}))")
    first = inside(page).locator(".way").first
    expect(first).to_have_text("Alipay")
    choose(page, "Alipay")
    heard(page, "open", "pending")
    page.evaluate("Checkout.close()")
    found = page.evaluate("window.done")
    assert (found["state"], found["order"]) == ("pending", orders(site)[0].token)
    page.evaluate("(order) => void (window.done = Checkout.resume(order))", found["order"])
    expect(inside(page).locator("figure img")).to_be_visible()
    settle(site, page)
    heard(page, "open", "pending", "close", "open", "pending", "paid")
    escape(page)
    assert page.evaluate("window.done")["state"] == "paid"
    assert page.evaluate("Checkout.version") == "1"


def test_an_order_of_a_backend_opens_in_the_dialog(site: Site, host: Host, page: Page) -> None:
    site.world.change_merchant(return_url=f"{host.origin}/thanks")
    order = site.order()
    page.clock.install()
    page.goto(host.page(site, f'<button id="buy" data-checkout-order="{order.token}">Pay</button>'))
    page.click("#buy")
    expect(inside(page).locator("figure img")).to_be_visible()
    settle(site, page)
    heard(page, "open", "pending", "paid")
    page.clock.run_for(6000)
    page.wait_for_url(f"{host.origin}/thanks?*")


def test_nonsense_is_said_in_the_console_and_left_out(site: Site, host: Host, page: Page, watch: Any) -> None:
    buy = sell(site, host)
    bad = 'data-method="cash" data-quantity="x" data-amount="1e2" data-lang="de" data-theme="pink" data-return="x:1"'
    page.goto(host.page(site, link(buy, bad)))
    page.click("#buy")
    expect(inside(page).get_by_role("button", name="WeChat Pay")).to_be_visible()
    assert len([text for text in watch.faults if "is left out" in text]) == 6
    assert "cash" not in (page.locator("iframe").get_attribute("src") or "")


def test_a_second_copy_of_the_script_does_nothing(site: Site, host: Host, page: Page, watch: Any) -> None:
    again = f'<script src="{site.url}/static/checkout.js"></script>'
    page.goto(host.page(site, again + link(sell(site, host))))
    page.click("#buy")
    expect(page.locator("iframe")).to_have_count(1)
    assert [text for text in watch.faults if "loaded twice" in text]


def settle_messages(page: Page) -> None:
    """Waits until every message that was posted before has been heard: they come in their order."""
    page.evaluate(
        "() => new Promise((done) => { addEventListener('message', ({data}) => data === 'last' && done());"
        " postMessage('last', '*') })"
    )


def routed(context: BrowserContext, origin: str, to: str) -> None:
    """Lets `origin`, which no name server knows, be the server at `to`."""

    def forward(route: Route) -> None:
        request = route.request
        place = to + request.url.removeprefix(origin)
        route.fulfill(response=context.request.fetch(
            place, method=request.method, headers=request.headers, data=request.post_data_buffer, max_redirects=0
        ))  # fmt: skip

    context.route(f"{origin}/**", forward)


def test_an_origin_that_begins_like_ours_is_another_one(site: Site, host: Host, context: BrowserContext) -> None:
    """The page's side: `http://pay.test.evil.test` is not heard. The frame's side: it is not shown there."""
    sell(site, None, add_origins=("http://shop.test",))
    routed(context, "http://pay.test", site.url)
    for shop in ("http://shop.test", "http://shop.test.evil.test"):
        routed(context, shop, host.origin)
    script = '<script src="http://pay.test/static/checkout.js" async></script><script src="/notes.js"></script>'
    buy = '<a id="buy" href="http://pay.test/buy/ebook" data-checkout="ebook">Buy</a>'
    host.write("/notes.js", NOTES)
    host.write("/", f"<!doctype html><title>Site</title>{script}{buy}")
    evil = "<script>parent.postMessage({v: 1, t: 'paid', state: 'paid'}, '*'); parent.postMessage('last', '*')</script>"
    context.route("http://pay.test.evil.test/**", lambda route: route.fulfill(body=evil, content_type="text/html"))
    page = context.new_page()
    page.goto("http://shop.test/")
    page.click("#buy")
    expect(inside(page).get_by_role("button", name="WeChat Pay")).to_be_visible()
    heard(page, "open")
    page.evaluate(
        "() => new Promise((done) => { addEventListener('message', ({data}) => data === 'last' && done());"
        " const f = document.createElement('iframe'); f.src = 'http://pay.test.evil.test/'; document.body.append(f) })"
    )
    heard(page, "open")
    page.goto("http://shop.test.evil.test/")
    page.click("#buy")
    page.wait_for_url("http://pay.test/buy/ebook*")
    expect(page.get_by_role("button", name="WeChat Pay")).to_be_visible()


def test_a_return_to_what_is_no_page_is_never_followed(site: Site, host: Host, page: Page) -> None:
    """Not even when our own frame asks for it."""
    page.goto(host.page(site, link(sell(site, host))))
    page.click("#buy")
    choose(page)
    frame = next(one for one in page.frames if "/pay/" in one.url)
    for bad in ("javascript:document.title='evil'", "data:text/html,evil", "ftp://evil.test/", ""):
        frame.evaluate("([url, origin]) => parent.postMessage({v: 1, t: 'return', url}, origin)", [bad, host.origin])
    settle_messages(page)
    assert page.title() == "Site"
    assert page.url == host.origin + "/"


def test_a_return_address_of_a_stranger_is_not_taken(site: Site, host: Host, page: Page) -> None:
    thanks = host.write("/thanks", "<h1>Thanks</h1>")
    buy = sell(site, host, return_url=thanks)
    page.goto(host.page(site, link(buy, 'data-return="https://evil.example/thanks" data-lang="en"')))
    page.click("#buy")
    expect(inside(page).get_by_role("alert")).to_contain_text("return address that does not belong to this shop")
    choose(page)
    settle(site, page)
    expect(inside(page).get_by_role("link", name="Return to the shop")).to_have_attribute(
        "href", re.compile(f"^{re.escape(thanks)}")
    )


def test_with_the_dialog_open_the_keyboard_does_not_reach_the_form_behind_it(
    site: Site, host: Host, page: Page
) -> None:
    buy = sell(site, host)
    page.goto(host.page(site, f'<div data-checkout-inline="ebook"><a href="{buy}">Buy</a></div>' + link(buy)))
    behind = page.frame_locator("div iframe")
    expect(behind.get_by_role("button", name="WeChat Pay")).to_be_visible()
    page.click("#buy")
    expect(page.frame_locator("dialog iframe").get_by_role("button", name="WeChat Pay")).to_be_visible()
    for key, times in (("Tab", 12), ("Shift+Tab", 16)):  # a round is eight
        for _ in range(times):
            page.keyboard.press(key)
            assert page.evaluate("document.activeElement.closest('div, #buy, #after')") is None
            assert behind.locator(":focus").count() == 0
    escape(page)
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator("#buy")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(behind.locator(":focus")).to_have_count(1)


def test_an_inline_form_leaves_phones_to_the_page(site: Site, host: Host, browser: Browser) -> None:
    buy = sell(site, host)
    context = browser.new_context(user_agent=ANDROID, locale="en-US")
    page = context.new_page()
    page.goto(host.page(site, f'<div data-checkout-inline="ebook"><a href="{buy}">Buy here</a></div>'))
    page.wait_for_function("window.Checkout")
    expect(page.locator("iframe")).to_have_count(0)
    page.get_by_role("link", name="Buy here").click()
    page.wait_for_url(buy)
    context.close()


def test_an_error_is_an_event(site: Site, host: Host, page: Page) -> None:
    page.goto(host.page(site, link(sell(site, host, stock=0))))
    page.click("#buy")
    expect(inside(page).get_by_text("Sold out")).to_be_visible()
    heard(page, "open", "error")

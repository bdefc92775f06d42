"""Products and callbacks on the owner's pages, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from checkout import store
from checkout.outbox import deliveries
from tests.browser.site import Site, Watch
from tests.browser.test_admin import accessible, signed_in
from tests.world import answer, product

pytestmark = pytest.mark.browser


def test_a_product_is_made_filled_and_seen_as_buyers_see_it(site: Site, page: Page, watch: Watch) -> None:
    signed_in(site, page, "products")
    page.get_by_label("Short name for addresses").fill("guide")
    page.get_by_label("Title in English").fill("The guide")
    page.get_by_label("Price in yuan").fill("12.50")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The guide")
    page.locator("#deliver").select_option("text")
    page.get_by_label("The text (Markdown)").fill("# Thank you")
    page.locator("form", has=page.locator("#deliver")).get_by_role("button", name="Save").click()
    seen = page.frame_locator("iframe.preview")
    expect(seen.get_by_role("heading", level=1)).to_contain_text("The guide")
    expect(page.locator("textarea.code").first).to_have_value(
        f'<a href="{site.world.parts.settings.base_url}/buy/guide">购买</a>'
    )
    accessible(page)
    assert watch.dialogs == []
    with site.world.store.read() as db:
        made = store.products.get(db, "guide")
    assert made is not None
    assert (made.price, made.goods) == (1250, "# Thank you")


def test_an_upload_of_many_keys_says_how_far_it_is(site: Site, page: Page, watch: Watch, tmp_path: Path) -> None:
    with site.world.store.transaction() as db:
        store.products.add(db, product(deliver="keys"))
    (tmp_path / "keys.txt").write_text("\n".join(f"KEY-{number:06d}-{'x' * 20}" for number in range(10_000)))
    signed_in(site, page, "products/ebook")
    page.get_by_label("Or a text file").set_input_files(tmp_path / "keys.txt")
    page.evaluate(
        "window.shares = []; const bar = document.querySelector('.sending progress'); new MutationObserver("
        "() => sessionStorage.shares = (sessionStorage.shares || '') + bar.value + ' ')"
        ".observe(bar, {attributes: true})"
    )
    slow = page.context.new_cdp_session(page)
    slow.send("Network.enable")
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000}
    slow.send("Network.emulateNetworkConditions", limits)
    page.locator("form", has=page.get_by_label("Or a text file")).get_by_role("button", name="Add").click()
    expect(page.get_by_text("Keys added: 10000 of 10000 lines.")).to_be_visible()
    shares = [float(share) for share in page.evaluate("sessionStorage.shares").split()]
    assert any(0 < share < 1 for share in shares), shares
    assert watch.dialogs == []


def test_an_upload_that_is_refused_says_why(site: Site, page: Page, tmp_path: Path) -> None:
    with site.world.store.transaction() as db:
        store.products.add(db, product(deliver="keys"))
    (tmp_path / "keys.txt").write_text("A" * 3000)
    signed_in(site, page, "products/ebook")
    page.get_by_label("Or a text file").set_input_files(tmp_path / "keys.txt")
    page.locator("form", has=page.get_by_label("Or a text file")).get_by_role("button", name="Add").click()
    expect(page.locator("#keys-reason")).to_be_visible()


def test_the_preview_opens_no_order(site: Site, page: Page) -> None:
    with site.world.store.transaction() as db:
        store.products.add(db, product())
    signed_in(site, page, "products/ebook")
    page.frame_locator("iframe.preview").get_by_role("button", name="WeChat").click()
    page.wait_for_timeout(300)
    with site.world.store.read() as db:
        assert store.orders.counts(db) == {}


def test_a_snippet_follows_what_is_chosen_and_is_copied(site: Site, page: Page, watch: Watch) -> None:
    with site.world.store.transaction() as db:
        store.products.add(db, product())
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    signed_in(site, page, "products/ebook/embed")
    page.get_by_label("Offered first").select_option("alipay")
    expect(page.locator("#snippet-dialog")).to_have_value(re.compile('data-method="alipay"'))
    page.get_by_label("Your label for the buyer").fill('a "b"')
    page.get_by_label("Pieces").focus()
    expect(page.locator("#snippet-dialog")).to_have_value(re.compile('data-ref="a &quot;b&quot;"'))
    page.get_by_label("Where to go after payment").fill("https://evil.example/")
    page.get_by_label("Pieces").focus()
    expect(page.get_by_text("Left out: return")).to_be_visible()
    expect(page.get_by_label("Where to go after payment")).to_have_value("https://evil.example/")
    expect(page.frame_locator("iframe.preview").get_by_role("heading", level=1)).to_contain_text("Book")
    accessible(page)
    page.locator("figure", has=page.locator("#snippet-dialog")).get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert 'data-method="alipay"' in page.evaluate("navigator.clipboard.readText()")
    assert watch.faults == []


def test_a_callback_that_failed_is_sent_again(site: Site, page: Page) -> None:
    site.settle(site.order())
    site.world.outside.reply = lambda request: answer(500, b"busy")
    site.world.work()
    signed_in(site, page, "callbacks")
    expect(page.get_by_text("tried again later")).to_be_visible()
    accessible(page)
    page.get_by_role("link", name="order.paid").click()
    page.get_by_text("What it answered").click()
    expect(page.get_by_text("busy")).to_be_visible()
    accessible(page)
    site.world.outside.reply = lambda request: answer()
    page.get_by_role("button", name="Tell once more").click()
    expect(page.get_by_text("The shop is told once more.")).to_be_visible()
    site.world.work()
    page.reload()
    expect(page.get_by_text("acknowledged")).to_be_visible()


def tell(site: Site) -> None:
    """Tries everything that is due for webhook endpoints once."""
    world = site.world
    with world.store.read() as db:
        queues = [store.deliveries.due_events(db, world.clock(), failing=failing) for failing in (False, True)]
    for one in (each for queue in queues for found in queue for each in found):
        claimed = deliveries.claim(world.store, one, world.clock())
        assert claimed is not None
        deliveries.deliver(world.store, {}, world.outside.send, claimed, world.clock)


def test_an_endpoint_is_added_and_hears_a_test_event(site: Site, page: Page) -> None:
    signed_in(site, page, "webhooks")
    page.get_by_label("Address").fill("https://shop.example/hook")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("whsec_")).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="Send a test event").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("checkout.test")
    tell(site)
    expect(page.get_by_text("acknowledged")).to_be_visible()
    expect(page.get_by_text("HTTP 200")).to_be_visible()


def test_an_endpoint_that_says_it_is_gone_is_paused_explained_and_taken_up_again(site: Site, page: Page) -> None:
    signed_in(site, page, "webhooks")
    page.get_by_label("Address").fill("https://shop.example/hook")
    page.get_by_role("button", name="Add").click()
    secret = page.locator("pre.copyable").inner_text()
    page.get_by_role("button", name="Make a new one").click()
    expect(page.locator("pre.copyable")).not_to_have_text(secret)
    expect(page.get_by_text("The former one is valid too until")).to_be_visible()
    accessible(page)
    site.world.outside.reply = lambda request: answer(410 if request.url.endswith("/hook") else 200)
    site.settle(site.order())
    tell(site)
    signed = next(sent.headers["webhook-signature"] for sent in site.world.outside.sent if sent.url.endswith("/hook"))
    assert len(signed.split(" ")) == 2, "with both secrets"
    page.get_by_role("link", name="Webhook endpoints").click()
    expect(page.get_by_text("paused: it answered 410")).to_be_visible()
    page.get_by_role("link", name="https://shop.example/hook").click()
    expect(page.get_by_text("which means that it is gone for good")).to_be_visible()
    accessible(page)
    site.world.outside.reply = lambda request: answer()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Resumed. Waiting messages sent: 1")).to_be_visible()
    tell(site)
    page.get_by_role("link", name="What it was told").click()
    page.get_by_role("link", name="order.paid").click()
    expect(page.get_by_text("acknowledged")).to_be_visible()
    page.get_by_role("button", name="Tell once more").click()
    tell(site)
    expect(page.get_by_text("HTTP 200")).to_have_count(2)
    accessible(page)

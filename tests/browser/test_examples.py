"""The example site, with the address of a running checkout in place of pay.example.com."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.host import hosted, sell
from tests.browser.site import Site
from tests.browser.test_embed import choose, escape, inside, orders

pytestmark = pytest.mark.browser

PLAIN = Path(__file__).resolve().parents[2] / "examples" / "plain"


def test_the_plain_site_sells_by_dialog_and_script_and_says_thank_you(site: Site, page: Page) -> None:
    with hosted() as host:
        for file in PLAIN.iterdir():
            host.write(f"/{file.name}", file.read_text(encoding="utf-8").replace("https://pay.example.com", site.url))
        sell(site, host, return_url=f"{host.origin}/thanks.html")
        page.add_init_script(f"Date.now = () => {site.world.clock() * 1000}")
        page.goto(f"{host.origin}/index.html")
        expect(page.frame_locator("div iframe").get_by_role("button", name="WeChat Pay")).to_be_visible()
        page.evaluate("document.querySelector('div').remove()")
        page.click("#script")
        expect(inside(page).get_by_role("button", name="WeChat Pay")).to_be_visible()
        escape(page)
        expect(page.locator("output")).to_have_text("Nothing was bought.")
        page.click("#dialog")
        choose(page)
        (order,) = orders(site)
        assert order.buyer == "reader-42"
        site.settle(order)
        inside(page).get_by_role("link", name="Return to the shop").click()
        expect(page.locator("h1")).to_have_text("谢谢，已收到付款")

"""The demo, clicked through as a newcomer does."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Watch
from tests.servers import CHECKOUT, ask, free_port, serving

pytestmark = pytest.mark.browser


def test_a_newcomer_buys_sees_the_code_presses_the_phone_and_is_back_in_the_shop(
    page: Page, watch: Watch, tmp_path: Path
) -> None:
    shop_port = free_port()
    command = (*CHECKOUT, "demo", "--port", "{port}", "--shop-port", str(shop_port), "--data", str(tmp_path / "demo"))
    with serving(tmp_path, *command):
        page.goto(f"http://127.0.0.1:{shop_port}/")
        page.get_by_role("button", name="Buy with WeChat", exact=True).click()
        expect(page.get_by_role("img", name="QR code for WeChat")).to_be_visible()
        simulate = page.get_by_role("button", name="Simulate the phone: CN¥9.90 received")
        expect(simulate).to_be_in_viewport()
        simulate.click()
        expect(page.get_by_role("heading", name="Payment received")).to_be_visible()
        page.wait_for_url(f"http://127.0.0.1:{shop_port}/orders/**")
        expect(page.get_by_role("heading", name="Paid. Thank you!")).to_be_visible()
    assert watch.faults == []


def test_the_phone_hears_of_orders_while_somebody_types_into_it(page: Page, watch: Watch, tmp_path: Path) -> None:
    shop_port = free_port()
    command = (*CHECKOUT, "demo", "--port", "{port}", "--shop-port", str(shop_port), "--data", str(tmp_path / "demo"))
    with serving(tmp_path, *command) as (_server, url):
        page.goto(f"{url}/demo/phone?lang=en")
        amount = page.get_by_label("Amount")
        amount.fill("7.7")
        assert ask(f"http://127.0.0.1:{shop_port}/buy?lang=en", {"goods": "book", "method": "wechat"}).status == 303
        button = page.get_by_role("button", name="WeChat CN¥9.90 received")
        expect(button).to_be_visible()
        expect(amount).to_be_focused()
        page.keyboard.type("7")
        expect(amount).to_have_value("7.77")
        button.focus()
        assert ask(f"{url}/demo/phone", {"method": "alipay", "amount": "5.55"}).status == 303
        expect(page.locator("#pushes")).to_contain_text("Alipay CN¥5.55 – no order, to review")
        expect(button).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#pushes")).to_contain_text("WeChat CN¥9.90 – found its order")
        expect(button).to_have_count(0)
    assert watch.faults == []

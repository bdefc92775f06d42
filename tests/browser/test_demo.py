"""The demo, clicked through as a newcomer does."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Watch
from tests.servers import CHECKOUT, free_port, serving

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

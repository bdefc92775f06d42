"""Accounts and phones in a real browser: a photo becomes an account, a phone is paired."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from checkout import qr, store
from checkout.model.accounts import Method
from tests.admin.desk import PASSWORD
from tests.admin.test_accounts import photo
from tests.browser.site import PHONE, Site, Watch
from tests.browser.test_admin import accessible, signed_in
from tests.world import account, device

pytestmark = pytest.mark.browser


def test_a_wrong_photo_is_explained_and_the_right_one_becomes_an_account(
    site: Site, page: Page, watch: Watch, tmp_path: Path
) -> None:
    wrong, right = tmp_path / "wrong.jpg", tmp_path / "right.png"
    wrong.write_bytes(photo("wxp://f2f0one", "wxp://f2f0two"))
    right.write_bytes(qr.png("wxp://f2f0second"))
    signed_in(site, page, "accounts")
    page.get_by_label("Short name").fill("wx-2")
    page.get_by_label("Screenshot or photo").set_input_files(wrong)
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#picture-reason")).to_contain_text("more than one QR code")
    expect(page.get_by_label("Short name")).to_have_value("wx-2")
    accessible(page)
    page.get_by_label("Screenshot or photo").set_input_files(right)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("wx-2")
    expect(page.get_by_role("img", name="The code that buyers see")).to_be_visible()
    accessible(page)
    assert [fault for fault in watch.faults if "422" not in fault] == []


def test_a_phone_is_paired_by_the_code_on_the_page_without_scripts(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-US", viewport=PHONE)
    page = signed_in(site, context.new_page(), "devices")
    page.get_by_label("Name").fill("Mi 9")
    page.get_by_role("button", name="Pair").click()
    code = page.get_by_role("img", name="Pairing code")
    expect(code).to_be_visible()
    assert qr.read(code.screenshot()) == page.locator(".copyable").inner_text()
    context.close()


@pytest.mark.parametrize(
    "place", ["accounts", "accounts/wx-main", "devices", "devices/phone", "devices/notices", "statistics"]
)
def test_every_page_is_usable_by_everybody_in_both_languages(site: Site, page: Page, watch: Watch, place: str) -> None:
    signed_in(site, page, place)
    for lang in ("en", "zh-CN"):
        page.goto(f"{site.url}/admin/{place}?lang={lang}")
        accessible(page)
    page.set_viewport_size({"width": 1600, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 1600
    assert watch.faults == []


@pytest.mark.parametrize("place", ["accounts", "devices"])
def test_a_list_fits_every_width_between_a_phone_and_a_desktop(site: Site, page: Page, place: str) -> None:
    """With names as long as people give them, a cap, and an amount of a good day."""
    crowded(site)
    signed_in(site, page)
    for lang in ("en", "zh-CN", "zh-TW"):
        page.goto(f"{site.url}/admin/{place}?lang={lang}")
        for width in (720, 899, 900, 1000, 1099, 1100, 1279, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            beyond = page.locator(".flush").evaluate("(list) => list.scrollWidth - list.clientWidth")
            assert beyond <= 0, (lang, width)


def crowded(site: Site) -> None:
    world = site.world
    with world.store.transaction() as db:
        store.accounts.add(db, account(id="wechat-zhang-personal", daily_cap=5_000_000))
        store.accounts.add(db, account(id="ali.shop_2", method=Method.ALIPAY, code="", daily_cap=200_000))
        names = [one.id for one in store.accounts.all_of(db)]
        other = device(id="d2", name="Redmi Note 12 Pro 5G (kitchen)", kind="generic", key="e" * 64, token="u" * 32)
        store.devices.add(db, other, names)
    for number in range(3):
        told = world.create(f"N{number}", "45678.90")["data"]
        world.beat()
        world.push(told["reallyPrice"])


def test_a_notification_is_tried_by_keyboard(site: Site, page: Page, watch: Watch) -> None:
    signed_in(site, page, "devices/notices")
    page.get_by_label("Its title").fill("微信支付")
    page.keyboard.press("Tab")
    page.keyboard.type("微信支付收款9.90元")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Money came in")).to_contain_text("wechat-pay")
    expect(page.get_by_label("Its text")).to_have_value("微信支付收款9.90元")
    accessible(page)
    assert watch.faults == []


def test_a_phone_is_revoked_with_the_password_without_scripts(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-US", viewport=PHONE)
    page = signed_in(site, context.new_page(), "devices/phone")
    site.world.beat()
    site.world.clock.go(301)
    site.world.beat()
    page.reload()
    expect(page.get_by_role("img", name="Last 24 hours")).to_be_visible()
    page.get_by_text("As a table").click()
    expect(page.get_by_role("cell", name="5 min 1 s")).to_be_visible()
    page.get_by_text("Revoke this phone").click()
    page.locator("#revoke-password").fill(PASSWORD)
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The phone is revoked: what it sends counts no more.")).to_be_visible()
    context.close()

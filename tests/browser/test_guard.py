"""A browser that stands still is ended, and only its test fails."""

from __future__ import annotations

import threading

import pytest
from playwright.sync_api import Error

from tests.browser.conftest import Chromium

pytestmark = pytest.mark.browser

NEVER = "new Promise(() => {})"


def test_what_waits_without_an_end_fails_and_the_next_test_has_a_browser(chrome: Chromium) -> None:
    first = chrome.browser
    page = first.new_page()
    threading.Timer(0.5, chrome.end).start()
    with pytest.raises(Error):
        page.evaluate(NEVER)
    page.context.close()
    assert chrome.browser is not first
    again = chrome.browser.new_page()
    again.set_content("<p>here</p>")
    assert again.locator("p").inner_text() == "here"
    again.close()

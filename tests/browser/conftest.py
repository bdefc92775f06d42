"""One Chromium for all tests; each has its own context and its own served shop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Frame, Page, Playwright, expect, sync_playwright

from checkout.pages.assets import HTMX_LOCAL
from hatch_build import compile_catalogues
from tests.browser.site import CHROMIUM_ARGS, DESKTOP, STATIC, Site, Watch, chromium, served, with_cdn
from tests.conftest import skip_or_fail

expect.set_options(timeout=20_000)  # a busy machine may take its time; what never comes still fails

# Most take seconds. Some of Playwright's calls wait without an end, for a key say, and Chromium does not always answer.
STANDS_STILL_S = 180


class Chromium:
    """One Chromium for many tests, started anew after it was ended."""

    def __init__(self, playwright: Playwright, path: str) -> None:
        self._playwright, self._path = playwright, path
        self._launch()

    def _launch(self) -> None:
        self._browser = self._playwright.chromium.launch(executable_path=self._path, args=CHROMIUM_ARGS)
        processes = self._browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
        (self._pid,) = [process["id"] for process in processes if process["type"] == "browser"]

    @property
    def browser(self) -> Browser:
        if not self._browser.is_connected():
            self._launch()
        return self._browser

    def end(self) -> None:
        """Ends it, from any thread: what waits for its answer fails."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def chrome() -> Iterator[Chromium]:
    path = chromium()
    if path is None:
        skip_or_fail("browser", "no Chromium is installed (apt install chromium)")
    if not (STATIC / HTMX_LOCAL).is_file():
        skip_or_fail("browser", "the local copy of htmx is missing (./dev fetches it)")
    compile_catalogues(STATIC.parent)
    with sync_playwright() as playwright:
        yield Chromium(playwright, path)


@pytest.fixture
def browser(chrome: Chromium) -> Iterator[Browser]:
    """The browser, ended if the test stands still, so that it fails and the others run."""
    guard = threading.Timer(STANDS_STILL_S, chrome.end)
    guard.daemon = True
    guard.start()
    yield chrome.browser
    guard.cancel()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path) as site:
        yield site


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A buyer on a desktop who reads English."""
    made = browser.new_context(viewport=DESKTOP, locale="en-US")
    made.set_default_timeout(30_000)
    with_cdn(made)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, watch: Watch) -> Page:
    page = context.new_page()
    watch.on(page)
    return page


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test tells what its page showed, said and asked for: a rare failure may not come again."""
    report = yield
    fixtures: dict[str, object] = getattr(item, "funcargs", {})
    page, watch = fixtures.get("page"), fixtures.get("watch")
    if report.when == "call" and report.failed and isinstance(page, Page) and isinstance(watch, Watch):
        told = [_shown(frame) for frame in page.frames]
        report.sections.append(("the page", "\n".join([*told, "faults:", *watch.faults, "requests:", *watch.requests])))
    return report


def _shown(frame: Frame) -> str:
    try:
        return f"frame {frame.url}: {frame.locator('body').inner_text(timeout=2000)}"
    except Error as failure:
        return f"frame {frame.url}: {failure.message}"

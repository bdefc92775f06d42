"""htmx may come late, wrong or never: the page goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from checkout.pages.assets import HTMX_CDN
from tests.browser.site import Site, Watch, served, wake

pytestmark = pytest.mark.browser

LOCAL = "**/static/vendor/htmx-*"


def paid(page: Page) -> None:
    expect(page.locator("#state")).to_have_attribute("data-stage", "paid")


def test_from_the_cdn_one_file_is_enough(site: Site, page: Page, watch: Watch) -> None:
    order = site.order()
    page.goto(site.page_of(order))
    site.settle(order)
    wake(page)
    paid(page)
    assert sum("htmx" in url for url in watch.requests) == 1
    assert len([url for url in watch.requests if "/poll" not in url]) == 5
    assert watch.faults == []


def test_a_refused_cdn_is_replaced_by_our_copy(site: Site, context: BrowserContext, page: Page, watch: Watch) -> None:
    context.route(HTMX_CDN, lambda route: route.abort())
    order = site.order()
    page.goto(site.page_of(order))
    site.settle(order)
    paid(page)
    assert [fault for fault in watch.faults if "ERR_FAILED" not in fault] == []


def test_a_file_with_another_hash_never_runs(site: Site, context: BrowserContext, page: Page, watch: Watch) -> None:
    headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "application/javascript"}
    context.route(HTMX_CDN, lambda route: route.fulfill(body="alert('not ours')", headers=headers))
    order = site.order()
    page.goto(site.page_of(order))
    site.settle(order)
    paid(page)
    assert watch.dialogs == []
    assert [fault for fault in watch.faults if "integrity" not in fault] == []


def test_a_hanging_cdn_is_waited_for_a_moment_and_never_runs_beside_our_copy(
    site: Site, context: BrowserContext, page: Page, watch: Watch
) -> None:
    held: list[Route] = []
    script = context.new_page().request.get(f"{site.url}/static/vendor/htmx-2.0.11.min.js").body()
    context.route(HTMX_CDN, lambda route: held.append(route))
    order = site.order()
    page.goto(site.page_of(order), wait_until="commit")
    with page.expect_response("**/poll*"):
        pass
    headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "application/javascript"}
    page.evaluate("window.first = htmx")
    held[0].fulfill(body=script, headers=headers)
    page.wait_for_timeout(500)
    assert page.evaluate("window.first === htmx")
    site.settle(order)
    wake(page)
    paid(page)
    assert watch.faults == []


def test_without_any_htmx_the_page_loads_itself_again(site: Site, context: BrowserContext, page: Page) -> None:
    context.route(HTMX_CDN, lambda route: route.abort())
    context.route(LOCAL, lambda route: route.abort())
    order = site.order()
    page.goto(site.page_of(order))
    site.settle(order)
    paid(page)


def test_with_the_setting_local_nobody_else_is_asked(
    tmp_path: Path, context: BrowserContext, page: Page, watch: Watch
) -> None:
    with served(tmp_path, htmx="local") as site:
        order = site.order()
        page.goto(site.page_of(order))
        site.settle(order)
        wake(page)
        paid(page)
        assert [url for url in watch.requests if not url.startswith(site.url)] == []
        assert watch.faults == []
        page.goto("about:blank")


def test_htmx_is_bound_to_our_origin_and_evaluates_nothing(site: Site, page: Page) -> None:
    page.goto(site.page_of(site.order()))
    expect(page.locator("#poll[data-hx-revealed], #poll")).to_have_count(1)
    page.wait_for_load_state()
    config = page.evaluate("htmx.config")
    assert (config["allowEval"], config["includeIndicatorStyles"]) == (False, False)
    assert (config["selfRequestsOnly"], config["historyCacheSize"], config["timeout"]) == (True, 0, 8000)
    wake(page)

"""Hostile texts in every field of the database, looked at on every page by the owner and by the buyer."""

from __future__ import annotations

import json
from collections import deque
from typing import Any
from urllib.parse import urldefrag, urlsplit

import pytest
from playwright.sync_api import Page

from checkout import api_keys, ids, store
from checkout.api_keys import Scope
from checkout.interfaces import Rows
from checkout.merchants import Reach
from checkout.outbox import endpoints
from checkout.refunds import ledger
from tests.browser.site import Site, Watch
from tests.browser.test_admin import signed_in
from tests.world import product

pytestmark = pytest.mark.browser

MARKUP = (
    "<script>window.pwned=1;alert(1)</script>",
    '"><img src=x onerror="window.pwned=1;alert(1)">',
    "'><svg/onload='window.pwned=1;alert(1)'>",
    "</title></textarea></style></script><script>window.pwned=1</script>",
    "[x](javascript:alert(1)) <a href='javascript:alert(1)'>x</a> ![](x\" onerror=\"alert(1))",
    "{{ 7*7 }}${7*7}<%= 7*7 %>&#x3c;img src=x onerror=alert(1)&#x3e;",
    '</svg><foreignObject><iframe srcdoc="<script>parent.pwned=1</script>">',
)
# What people outside write, or could write into a database that they got hold of. The rest are ids, words and numbers.
FIELDS = {
    "orders": ("title", "content", "param", "buyer", "number", "price_text", "return_url", "notify_url"),
    "products": ("title_zh", "title_en", "goods"),
    "receipts": ("goods",),
    "merchants": ("name",),
    "devices": ("name",),
    "payments": ("raw", "note", "reference"),
    "refunds": ("reason", "error"),
    "deliveries": ("url",),
    "endpoints": ("url", "description"),
    "api_keys": ("name",),
    "sessions": ("agent", "address"),
    "attempts": ("answer", "error"),
    "claims": ("paid_around", "last_digits", "note"),
    "audit": ("actor", "subject", "detail"),
    "accounts": ("code",),
}
UNIQUE = {("orders", "number"), ("payments", "reference")}
MOST_PAGES = 90


@pytest.mark.parametrize("text", [" ".join(MARKUP), "javascript:window.pwned=1//"], ids=["markup", "address"])
def test_hostile_texts_run_nowhere(site: Site, page: Page, watch: Watch, text: str) -> None:
    places = filled(site)
    signed_in(site, page)
    with site.world.store.transaction() as db:
        poison(db, text)
    seen = crawl(page, [f"{site.url}{place}" for place in (*places, "/admin/")])
    assert len(seen) > 15
    assert watch.dialogs == []
    assert [fault for fault in watch.faults if "Content Security Policy" in fault] == []


def filled(site: Site) -> list[str]:
    """A shop with something of everything; gives the pages of its buyers."""
    world = site.world
    world.beat()
    with world.store.transaction() as db:
        store.products.add(db, product())
    paid, waiting = site.order("P1", 990, product="ebook"), site.order("W1", 1500)
    site.settle(paid)
    world.push("77.00")
    world.work()
    world.client.post(
        f"/pay/{waiting.token}/claim", data={"amount": "15.00", "paid_around": "noon", "last_digits": "1"}
    )
    by: dict[str, Any] = {"actor": "owner", "new_id": ids.new_id, "now": world.clock()}
    ledger.by_hand(world.store, paid.token, amount=100, reason="returned", **by)
    wish = endpoints.Wish(url="https://shop.example/hook", events=(), description="till")
    endpoints.add(world.store, 1001, wish, Reach(), **by)
    api_keys.add(world.store, 1001, "till", tuple(Scope), **by)
    with world.store.read() as db:
        receipt = store.receipts.of_order(db, paid.token)
    receipts = [f"/receipt/{receipt.token}"] if receipt else []
    pages = [f"/pay/{paid.token}", f"/pay/{waiting.token}", "/buy/ebook", *receipts]
    return [*pages, *(f"{place}?lang=zh-CN" for place in pages)]


def poison(db: Rows, text: str) -> None:
    """Also what our own rules would have refused."""
    for table, columns in FIELDS.items():
        for column in columns:
            value = json.dumps({text: text}) if (table, column) == ("audit", "detail") else text
            unique = " || rowid" if (table, column) in UNIQUE else ""
            db.run(f"UPDATE {table} SET {column} = :value{unique}", value=value)


def crawl(page: Page, start: list[str]) -> set[str]:
    """Every page of ours that links lead to; signing out and files are left alone."""
    waiting, seen = deque(start), set[str]()
    host = urlsplit(start[0]).netloc
    while waiting and len(seen) < MOST_PAGES:
        place = urldefrag(waiting.popleft()).url
        if place in seen or urlsplit(place).netloc != host or ".csv" in place or "/file" in place or "/link" in place:
            continue
        seen.add(place)
        answer = page.goto(place)
        assert answer is not None
        assert answer.status < 500, place
        assert page.evaluate("window.pwned") is None, place
        assert page.locator("[onerror], [onload], iframe[srcdoc]").count() == 0, place
        links = page.locator("a[href]").evaluate_all("links => links.map(link => link.href)")
        assert not [link for link in links if link.startswith("javascript:")], place
        waiting.extend(links)
    return seen

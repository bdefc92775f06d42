"""However much was sold, no page of the owner reads a table that grows from end to end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from checkout.interfaces import Rows
from tests.admin.desk import Owner
from tests.store.test_plans import Explained

GROWING = {
    "alerts", "answered", "attempts", "audit", "claims", "deliveries", "orders", "payments", "receipts", "refunds",
    "tallies",
}  # fmt: skip
SEARCHES = {
    "orders": ("", "state=paid", "state=late", "state=expired", "method=alipay", "q=9.90", "q=N1", "from=2026-01-01",
               "merchant=1001", "state=pending&method=wechat"),
    "payments": ("", "state=review", "state=matched", "account=wx-main", "device=phone", "q=9.90", "q=N1", "q=words",
                 "from=2026-01-01", "q=9.90&state=late&device=phone", "state=late&account=wx-main"),
    "callbacks": ("", "state=failed", "state=waiting", "endpoint=whk"),
    "audit": ("", "noun=order", "subject=x", "noun=order&subject=x"),
    "statistics": ("", "days=365&by=month"),
}  # fmt: skip
PLACES = (
    "", "review", "products", "accounts", "accounts/wx-main", "devices", "devices/phone", "merchants", "merchants/1001",
    "webhooks", "settings", "status", "orders.csv", "payments.csv", "statistics/payments.csv",
    *(f"{place}?{search}" for place, searches in SEARCHES.items() for search in searches),
)  # fmt: skip


@contextmanager
def explained(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The tables that are read from end to end while it lasts."""
    store, scanned = owner.world.store, set[str]()
    read = store.read

    @contextmanager
    def noting() -> Iterator[Rows]:
        with read() as db:
            rows = Explained(db)
            yield rows
            scanned.update(rows.scanned)

    monkeypatch.setattr(store, "read", noting)
    yield scanned
    monkeypatch.undo()


@pytest.fixture
def busy(owner: Owner) -> Owner:
    """A paid order, a waiting one, and money without an order."""
    owner.world.create("N1", "9.90")
    owner.world.push("9.90")
    owner.world.create("N2", "5.00")
    owner.world.push("7.77")
    return owner


def test_no_page_reads_a_table_that_grows_from_end_to_end(busy: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    paid = busy.world.payments()[-1]
    for place in (*PLACES, f"orders/{paid.order_token}", f"payments/{paid.id}"):
        with explained(busy, monkeypatch) as scanned:
            busy.client.get(f"/admin/{place}").get_data()
        assert scanned & GROWING == set(), place


def test_a_page_that_does_is_found(busy: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    with explained(busy, monkeypatch) as scanned, busy.world.store.read() as db:
        db.all("SELECT count(*) FROM payments WHERE note = 'x'")
    assert scanned == {"payments"}

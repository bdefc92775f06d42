"""A database from before payments were written more sparingly keeps its receipts and finds each order's payments."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from checkout import store as stores
from checkout.model.products import Receipt
from checkout.store import open_store
from tests.store import former

OURS = "0016_lean_payments.sql"


def old_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        former.migrate_until(db, OURS)
        former.add_merchant(db)
        for token in ("a", "b"):
            former.add_paid_order(db, token)
            db.execute("INSERT INTO receipts VALUES (?, ?, 'keys', 'K-1', 2, 7)", (f"receipt-{token}", token))
        for name, judgement, token in (
            ("p1", "suspected", "a"), ("p2", "matched", "a"), ("p3", "linked", "b"), ("p4", "unmatched", ""),
        ):  # fmt: skip
            db.execute(
                "INSERT INTO payments (id, channel, reference, device, method, judgement, order_token, raw,"
                " happened_at, received_at, judged_at) VALUES (?, 'personal', ?, '', 'wechat', ?, ?, '', 1, 1, 1)",
                (name, name, judgement, token),
            )
        db.commit()


def test_receipts_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "checkout.db"
    old_database(path)
    with open_store(str(path)).read() as db:
        kept = Receipt("receipt-a", "a", "keys", "K-1", 2, 7)
        assert stores.receipts.of_order(db, "a") == stores.receipts.get(db, "receipt-a") == kept
        assert stores.receipts.of_order(db, "b") == Receipt("receipt-b", "b", "keys", "K-1", 2, 7)


def test_each_order_finds_its_payments(tmp_path: Path) -> None:
    path = tmp_path / "checkout.db"
    old_database(path)
    with open_store(str(path)).read() as db:
        found = {token: [one.id for one in stores.payments.of_order(db, token)] for token in ("a", "b")}
    assert found == {"a": ["p1", "p2"], "b": ["p3"]}

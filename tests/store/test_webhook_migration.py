"""A database from before webhooks keeps its messages and every try at them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from checkout import store as stores
from checkout.model.deliveries import DeliveryState, Try
from checkout.store import open_store
from tests.store import former

OURS = "0008_webhooks_alerts.sql"


def old_database(path: Path) -> None:
    """As it was: the scripts before ours, a paid order, two messages, three tries."""
    with closing(sqlite3.connect(path)) as db:
        former.migrate_until(db, OURS)
        former.add_merchant(db)
        for token in ("a", "b"):
            former.add_paid_order(db, token)
            db.execute(
                "INSERT INTO deliveries (id, order_token, merchant, dialect, event, url, state, attempts, due_at,"
                " created_at, done_at) VALUES (?, ?, 1001, 'vmq', 'order.paid', 'https://x', ?, 2, 3, 2, ?)",
                (f"msg_{token}", token, *(("delivered", 4) if token == "a" else ("waiting", None))),
            )
        for delivery, number in (("msg_a", 1), ("msg_a", 2), ("msg_b", 1)):
            db.execute("INSERT INTO attempts VALUES (?, ?, 3, 500, 7, 'no', '')", (delivery, number))
        db.commit()


def test_messages_and_tries_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "checkout.db"
    old_database(path)
    opened = open_store(str(path))
    with opened.read() as db:
        assert {one.id: one.state for one in stores.deliveries.listed(db, state=None)} == {
            "msg_a": DeliveryState.DELIVERED, "msg_b": DeliveryState.WAITING,
        }  # fmt: skip
        (owed,) = stores.deliveries.of_order(db, "b")
        assert (owed.endpoint, owed.subject, owed.body, owed.tried_before, owed.attempts) == ("", "", "", 0, 2)
        assert [one.id for one in stores.deliveries.due(db, 3)] == ["msg_b"]
        assert stores.deliveries.tries(db, "msg_a") == [
            Try("msg_a", 1, 3, 500, 7, "no", ""), Try("msg_a", 2, 3, 500, 7, "no", ""),
        ]  # fmt: skip
    opened.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (script,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'attempts'").fetchone()
        assert '"deliveries"' in script or "deliveries (id)" in script
        assert "_new" not in script

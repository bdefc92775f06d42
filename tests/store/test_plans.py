"""However many messages were sent, what a worker and an owner ask again and again reads an index."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checkout import store as stores
from checkout.alerts import conditions
from checkout.interfaces import Row, Rows, Store, Value
from checkout.model.payments import Judgement, Payment
from tests.world import START


class Explained:
    """A database that notes how it reads; `scanned` are the tables that were read from end to end."""

    def __init__(self, db: Rows) -> None:
        self._db = db
        self.scanned: set[str] = set()
        self.indexes: set[str] = set()

    def all(self, sql: str, /, **values: Value) -> list[Row]:
        self._explain(sql, values)
        return self._db.all(sql, **values)

    def one(self, sql: str, /, **values: Value) -> Row | None:
        self._explain(sql, values)
        return self._db.one(sql, **values)

    def run(self, sql: str, /, **values: Value) -> int:
        self._explain(sql, values)
        return self._db.run(sql, **values)

    def _explain(self, sql: str, values: dict[str, Value]) -> None:
        for row in self._db.all(f"EXPLAIN QUERY PLAN {sql}", **values):
            words = str(row[3]).split()
            if words[0] == "SCAN" and "INDEX" not in words:
                self.scanned.add(words[1])
            if "INDEX" in words:
                self.indexes.add(words[words.index("INDEX") + 1])


_PAYMENT = Payment(
    id="pay", channel="personal", reference="1", device="phone", method="wechat", amount=990,
    judgement=Judgement.UNMATCHED, order_token="", account="wx-main", raw="", note="", happened_at=START,
    received_at=START, judged_at=None,
)  # fmt: skip
ASKED: dict[str, Callable[[Rows], object]] = {
    "due": lambda db: stores.deliveries.due(db, START, after=(1, "")),
    "due events": lambda db: [stores.deliveries.due_events(db, START, failing=failing) for failing in (False, True)],
    "next": lambda db: stores.deliveries.next_due_at(db),
    "hold": lambda db: stores.deliveries.hold(db, "whk"),
    "release": lambda db: stores.deliveries.release(db, "whk", START),
    "drop": lambda db: stores.deliveries.drop(db, "whk", START),
    "redirect": lambda db: stores.deliveries.redirect(db, "whk", "https://x.example"),
    "open": lambda db: stores.deliveries.open_of(db, "whk"),
    "of an endpoint": lambda db: stores.deliveries.listed(db, state=None, endpoint="whk"),
    "of an order": lambda db: stores.deliveries.of_order(db, "token"),
    "payments of an order": lambda db: stores.payments.of_order(db, "token"),
    "reported before": lambda db: stores.payments.is_known(db, _PAYMENT),
    "echoes": lambda db: stores.payments.echoes(db, _PAYMENT, START, 3),
    "attempts": lambda db: stores.deliveries.try_after(db, (1, "x", 1), START, 50),
    "forget attempts": lambda db: stores.deliveries.forget_tries(db, (1, "x", 1), (2, "y", 1), START),
    "last money of an account": lambda db: stores.accounts.last_money(db, "wx-main"),
    "last money of a phone": lambda db: stores.payments.of_device_at(db, "phone", START),
    "beat": lambda db: stores.devices.beat(db, "phone", START),
    "silences": lambda db: (stores.silences.first(db, "phone"), stores.silences.after(db, "phone", START)),
    "outbox": lambda db: stores.gauges.outbox(db),
    "struggling": lambda db: stores.overview.struggling_deliveries(db, 3),
    "conditions": lambda db: list(conditions.current(db, conditions.Limits(), None, START)),
    "alerts": lambda db: (stores.alerts.open_ones(db), stores.alerts.due(db, START), stores.alerts.recent(db)),
}


@pytest.mark.parametrize("name", ASKED)
def test_it_reads_no_table_that_grows_from_end_to_end(store: Store, name: str) -> None:
    with store.transaction() as db:
        explained = Explained(db)
        ASKED[name](explained)
    assert explained.scanned & {"deliveries", "attempts", "payments", "orders", "alerts", "silences"} == set()


def test_what_was_given_up_is_found_without_reading_what_arrived(store: Store) -> None:
    with store.read() as db:
        explained = Explained(db)
        stores.deliveries.listed(explained, state="failed", before=(START, "x"))
    assert explained.indexes == {"deliveries_given_up"}

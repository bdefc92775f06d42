"""What must hold in the database whatever happened: each promise as a query for the rows that break it.

They read whole tables: for the doctor, for a restored copy and for tests, not for a request.
"""

from __future__ import annotations

from msgspec import Struct

from checkout.interfaces import Rows
from checkout.store.payments import SETTLING


class Promise(Struct, frozen=True):
    """`broken` selects one text column: what breaks it; `:now` is Unix seconds."""

    name: str
    sentence: str
    broken: str


PROMISES = (
    Promise(
        "one payment",
        "a paid order is settled by exactly one payment",
        "SELECT orders.token FROM orders LEFT JOIN payments ON payments.order_token = orders.token"
        f" AND payments.judgement IN {SETTLING} WHERE orders.state = 'paid'"
        " GROUP BY orders.token HAVING count(payments.id) <> 1",
    ),
    Promise(
        "nothing unpaid",
        "a payment that settles an order belongs to a paid one",
        "SELECT payments.id FROM payments LEFT JOIN orders ON orders.token = payments.order_token"
        f" WHERE payments.judgement IN {SETTLING} AND (orders.state IS NULL OR orders.state <> 'paid')",
    ),
    Promise(
        "one number",
        "a merchant's number is paid at most once",
        "SELECT min(token) FROM orders WHERE state = 'paid' GROUP BY merchant, number HAVING count(*) > 1",
    ),
    Promise(
        "one message",
        "a paid order, and no other, owes its merchant exactly one message",
        "SELECT orders.token FROM orders LEFT JOIN deliveries ON deliveries.order_token = orders.token"
        " AND deliveries.event = 'order.paid' AND deliveries.dialect = orders.dialect AND deliveries.endpoint = ''"
        " GROUP BY orders.token HAVING count(deliveries.id) <> max(CASE orders.state WHEN 'paid' THEN 1 ELSE 0 END)",
    ),
    Promise(
        "one amount",
        "the amount of a waiting order stands for that order alone",
        "SELECT orders.token FROM orders LEFT JOIN slots ON slots.account = orders.account"
        " AND slots.amount = orders.really_price WHERE orders.state = 'pending' AND orders.expires_at > :now"
        " AND orders.channel = 'personal'"
        " AND (slots.order_token IS NULL OR slots.order_token <> orders.token OR slots.free_at < orders.expires_at)",
    ),
    Promise(
        "right amount",
        "the sum of the booked payments is the sum of what the paid orders asked for",
        "SELECT payments.id FROM payments JOIN orders ON orders.token = payments.order_token"
        " WHERE payments.judgement IN ('matched', 'late')"
        " AND (payments.amount IS NULL OR orders.really_price IS NULL OR payments.amount <> orders.really_price)",
    ),
    Promise(
        "judged",
        "every payment was judged, and one without an order is waiting for a person or was set aside by one",
        "SELECT id FROM payments WHERE judged_at IS NULL"
        f" OR (judgement IN {SETTLING} AND (order_token = '' OR account = ''))",
    ),
    Promise(
        "ended messages",
        "a message is waiting with a time for its next try, or it has ended",
        "SELECT id FROM deliveries WHERE (state IN ('waiting', 'held')) = (done_at IS NOT NULL) AND state <> 'none'",
    ),
    Promise(
        "own messages",
        "an endpoint hears of its own merchant's orders only",
        "SELECT deliveries.id FROM deliveries LEFT JOIN orders ON orders.token = deliveries.order_token"
        " LEFT JOIN endpoints ON endpoints.id = deliveries.endpoint"
        " WHERE orders.merchant <> deliveries.merchant OR endpoints.merchant <> deliveries.merchant",
    ),
    Promise(
        "refunds",
        "no more goes back than came",
        "SELECT refunds.order_token FROM refunds LEFT JOIN payments ON payments.order_token = refunds.order_token"
        f" AND payments.judgement IN {SETTLING} WHERE refunds.state <> 'failed' AND refunds.payment = ''"
        " GROUP BY refunds.order_token, payments.id, payments.amount HAVING sum(refunds.amount) > max(payments.amount)",
    ),
    Promise(
        "refunded payments",
        "money that was booked to no order goes back once, and is booked to none after that",
        "SELECT payments.id FROM refunds JOIN payments ON payments.id = refunds.payment WHERE refunds.state <> 'failed'"
        " GROUP BY payments.id, payments.amount, payments.judgement"
        f" HAVING sum(refunds.amount) > payments.amount OR payments.judgement IN {SETTLING}",
    ),
    Promise(
        "ended refunds",
        "a refund is on its way with a time for its next call, or it has ended",
        "SELECT id FROM refunds WHERE (state = 'asked') = (due_at IS NULL)"
        " OR (state = 'asked') = (done_at IS NOT NULL)",
    ),
)


def broken(db: Rows, promise: Promise, now: int, limit: int = 5) -> list[str]:
    """The ids of what breaks the promise at `now`, at most `limit` of them."""
    return [row[0] for row in db.all(f"{promise.broken} LIMIT :limit", now=now, limit=limit)]

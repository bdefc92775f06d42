"""Receipts, and what buyers claim to have paid."""

from __future__ import annotations

from checkout.interfaces import Rows
from checkout.model.payments import Claim
from checkout.model.products import Receipt
from checkout.store.mapping import columns, insert, values


def add(db: Rows, receipt: Receipt) -> None:
    db.run(insert(Receipt, "receipts"), **values(receipt))


def get(db: Rows, token: str) -> Receipt | None:
    row = db.one(f"SELECT {columns(Receipt)} FROM receipts WHERE token = :token", token=token)
    return Receipt(*row) if row else None


def of_order(db: Rows, token: str) -> Receipt | None:
    row = db.one(f"SELECT {columns(Receipt)} FROM receipts WHERE order_token = :token", token=token)
    return Receipt(*row) if row else None


def supply(db: Rows, token: str, goods: str, short: int) -> None:
    """The owner has brought what was missing."""
    db.run(
        "UPDATE receipts SET goods = :goods, short = :short WHERE token = :token",
        token=token,
        goods=goods,
        short=short,
    )


def short(db: Rows, product_id: str) -> list[Receipt]:
    """Receipts of a product that still miss keys, the oldest first."""
    rows = db.all(
        f"SELECT {columns(Receipt, 'receipts')} FROM receipts JOIN orders ON orders.token = receipts.order_token"
        " WHERE orders.product = :product AND receipts.short > 0 ORDER BY receipts.created_at, receipts.token",
        product=product_id,
    )  # fmt: skip
    return [Receipt(*row) for row in rows]


def claim(db: Rows, one: Claim) -> None:
    """Raises `Conflict` when a claim on the order waits already."""
    db.run(insert(Claim, "claims"), **values(one))


def claim_of(db: Rows, order_token: str) -> Claim | None:
    """The claim on an order that waits for the owner."""
    row = db.one(
        f"SELECT {columns(Claim)} FROM claims WHERE order_token = :token AND settled_at IS NULL",
        token=order_token,
    )
    return Claim(*row) if row else None


def claims_about(db: Rows, order_token: str) -> list[Claim]:
    """Every claim on an order, the oldest first; the one that waits is the last, if any does."""
    rows = db.all(
        f"SELECT {columns(Claim)} FROM claims WHERE order_token = :token ORDER BY created_at, id", token=order_token
    )
    return [Claim(*row) for row in rows]


def claim_by_id(db: Rows, claim_id: str) -> Claim | None:
    """A claim that waits."""
    row = db.one(f"SELECT {columns(Claim)} FROM claims WHERE id = :id AND settled_at IS NULL", id=claim_id)
    return Claim(*row) if row else None


def claims_waiting(db: Rows, limit: int = 50) -> list[Claim]:
    rows = db.all(
        f"SELECT {columns(Claim)} FROM claims WHERE settled_at IS NULL ORDER BY created_at, id LIMIT :limit",
        limit=limit,
    )
    return [Claim(*row) for row in rows]


def settle_claims(db: Rows, order_token: str, now: int) -> None:
    """The order was paid, or the owner has answered."""
    db.run(
        "UPDATE claims SET settled_at = :now WHERE order_token = :token AND settled_at IS NULL",
        token=order_token,
        now=now,
    )

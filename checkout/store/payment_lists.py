"""Payments as an owner looks for them, newest first; `before` is the key of the last row of the page before."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from msgspec import Struct

from checkout.interfaces import Rows, Value
from checkout.model.payments import Payment
from checkout.store import payments

Key = tuple[int, str]  # (received_at, id)
_METHODS = ("wechat", "alipay", "")


class Filter(Struct, frozen=True):
    """What else must hold; "" and () for anything."""

    judgements: tuple[str, ...] = ()
    account: str = ""
    device: str = ""
    since: int = 0

    @property
    def sql(self) -> str:
        """The expressions keep the database from looking in indexes that are no help here."""
        of_these = ", ".join(f":judgement{number}" for number in range(len(self.judgements)))
        return (
            " AND (:account = '' OR account = :account) AND (:phone = '' OR device || '' = :phone)"
            " AND received_at >= :since" + (f" AND judgement || '' IN ({of_these})" if of_these else "")
        )

    @property
    def values(self) -> dict[str, Value]:
        names = {f"judgement{number}": judgement for number, judgement in enumerate(self.judgements)}
        return {"account": self.account, "phone": self.device, "since": self.since, **names}


def of_amount(db: Rows, amount: int, wanted: Filter, before: Key, limit: int) -> list[Payment]:
    """Of exactly `amount` fen. Each phone's payments of one amount are a list in the index."""
    at, last = before
    devices = [row[0] for row in db.all("SELECT id FROM devices")]
    found = [
        row[0]
        for device, method in product((*devices, ""), _METHODS)
        for row in db.all(
            "SELECT id FROM payments WHERE device = :device AND method = :method AND amount = :amount"
            f" AND received_at <= :at AND (received_at, id) < (:at, :last){wanted.sql}"
            " ORDER BY received_at DESC, id DESC LIMIT :limit",
            device=device, method=method, amount=amount, at=at, last=last, limit=limit, **wanted.values,
        )
    ]  # fmt: skip
    return newest(payment for one in found if (payment := payments.get(db, one)))[:limit]


def of_reference(db: Rows, reference: str) -> list[Payment]:
    """What a channel calls `reference`."""
    found = [
        row[0]
        for channel in channels(db)
        for row in db.all(
            "SELECT id FROM payments WHERE channel = :channel AND reference = :reference",
            channel=channel, reference=reference,
        )
    ]  # fmt: skip
    return newest(payment for one in found if (payment := payments.get(db, one)))


def channels(db: Rows) -> list[str]:
    """The channels that ever reported money. Each look jumps over one channel's payments in the index."""
    found: list[str] = []
    while one := _after(db, found[-1] if found else ""):
        found.append(one)
    return found


def far_back(db: Rows, before: Key, rows: int) -> int | None:
    """When the payment came that lies `rows` payments behind the one with the key `before`; None: there are fewer."""
    at, last = before
    row = db.one(
        "SELECT received_at FROM payments WHERE (received_at, id) < (:at, :last)"
        " ORDER BY received_at DESC, id DESC LIMIT 1 OFFSET :rows",
        at=at, last=last, rows=rows,
    )  # fmt: skip
    return row[0] if row else None


def picked(db: Rows, wanted: Filter, text: str, before: Key, limit: int) -> list[Payment]:
    """Payments picked one by one by what no index knows. `text` ("" for any) stands somewhere in the message as it
    came, or in the note."""
    at, last = before
    rows = db.all(
        "SELECT id FROM payments WHERE (received_at, id) < (:at, :last)"
        f" AND (:text = '' OR raw LIKE :like ESCAPE '!' OR note LIKE :like ESCAPE '!'){wanted.sql}"
        " ORDER BY received_at DESC, id DESC LIMIT :limit",
        at=at, last=last, text=text, like=_like(text), limit=limit, **wanted.values,
    )  # fmt: skip
    return [payment for (one,) in rows if (payment := payments.get(db, one))]


def newest(found: Iterable[Payment]) -> list[Payment]:
    """Sorted, each once."""
    return sorted({one.id: one for one in found}.values(), key=key, reverse=True)


def key(payment: Payment) -> Key:
    return payment.received_at, payment.id


def _like(text: str) -> str:
    escaped = "".join(f"!{sign}" if sign in "!%_" else sign for sign in text)
    return f"%{escaped}%"


def _after(db: Rows, channel: str) -> str:
    row = db.one("SELECT min(channel) FROM payments WHERE channel > :channel", channel=channel)
    return (row[0] or "") if row else ""

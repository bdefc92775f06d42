"""The life of an order: shown, closed, expired. (Opened: `opening`; paid: `settlement`; another method: `switching`.)

Every use case reads the clock once and runs in one transaction. States move only through the store's guarded
updates; whoever gets no row back was second.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct
from msgspec.structs import replace

from checkout import accounts, amounts, locks, logs, store
from checkout.amounts import Limits
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows, Store
from checkout.locks import ALL, Held
from checkout.model.orders import Order, State
from checkout.outbox import announcements

_ALL = 1_000_000  # of one lifetime of orders: the worker has written down the rest, unless nothing ran
_BATCH = 50  # in one transaction: each may be told to twenty endpoints, and phones wait meanwhile


class Rules(Struct, frozen=True):
    """The settings that the life of an order depends on."""

    limits: Limits = Limits()
    offline_after_s: int = 180
    min_free_disk: int = 50 * 1024 * 1024


def show(db_store: Store, order: Order, limits: Limits, now: int) -> Order:
    """Records that a buyer is given the QR code; from now on the amount has to wait for late payers.

    Gives the order as it is now: one that ended meanwhile must not be shown any more."""
    if order.shown_at is not None or order.state_at(now) is not State.PENDING or order.really_price is None:
        return order
    return db_store.locked(
        lambda db: [locks.number(order.merchant, order.number), *locks.accounts([order.account])],
        lambda db, held: mark_shown(db, order, limits, now, held),
    )


def mark_shown(db: Rows, order: Order, limits: Limits, now: int, held: Held) -> Order:
    """`show` within a transaction."""
    shown = store.orders.show(db, order.token, now) if order.really_price is not None else None
    if shown is None:
        return existing(db, order.token)
    assert shown.really_price is not None
    held.require(locks.accounts([shown.account]))
    rest = amounts.rest_of_shown(shown.expires_at, limits)
    store.slots.set_rest(db, shown.token, shown.account, shown.really_price, rest)
    return shown


def close(db_store: Store, token: str, limits: Limits, now: int) -> Order:
    """Closes a pending order. Refused: NOT_FOUND, NOT_ALLOWED."""
    with db_store.transaction() as db:
        closed = store.orders.close(db, token, now)
        if closed is None:
            existing(db, token)
            raise Refusal(Code.NOT_ALLOWED, "Only an order that waits for payment can be closed.")
        _rest_after_end(db, closed, limits, now)
        store.gateways.end(db, token, now)
        announcements.of_order(db, closed, "order.closed", now=now)
    tell_closed(closed)
    return closed


def tell_closed(closed: Order) -> None:
    """Logs that an order was closed, once that is on the disk."""
    logs.event("order.closed", order=closed.token, merchant=closed.merchant)


def expire_due(db_store: Store, now: int, limit: int = 500) -> int:
    """Expires the orders whose time is over; gives their number. Their slots know their time already."""
    with db_store.read() as db:
        if not store.orders.any_expiring(db, now):
            return 0
    expired, batch = 0, _BATCH
    while expired < limit and batch == _BATCH:
        with db_store.transaction() as db:
            batch = _expire(db, now, min(_BATCH, limit - expired))
        expired += batch
    if expired:
        logs.event("orders.expired", count=expired)
    return expired


def reserve_amount(
    db: Rows, order: Order, method: str, rules: Rules, now: int, *, shown: bool, without: Collection[str] = (),
    held: Held = ALL,
) -> Order:  # fmt: skip
    """The order with an account and an amount that no other waiting order has.

    Orders whose time is over are written down as expired first: should the clock step back afterwards, none of them
    waits again for an amount that stands for another order by then. Refused as `accounts.take_slot`."""
    if store.orders.any_expiring(db, now):
        held.require_all()
        _expire(db, now, _ALL)
    rest = amounts.rest_of_shown(order.expires_at, rules.limits) if shown else amounts.rest_of_unshown(order.expires_at)
    account, amount = accounts.take_slot(
        db, method, order.price, order.token, rest, rules.offline_after_s, now, without=without, held=held
    )
    return replace(
        order, method=method, account=account.id, channel=account.channel, really_price=amount,
        shown_at=now if shown else None,
    )  # fmt: skip


def code_of(db: Rows, order: Order) -> tuple[str, bool]:
    """(content of the QR code to show, whether the buyer types the amount). A fixed-amount code is used only when
    it carries exactly the really price."""
    assert order.really_price is not None
    found = store.accounts.code_for(db, order.account, order.really_price)
    assert found is not None
    return found


def keys_of(order: Order) -> list[str]:
    """The lock keys of booking money to an order: all attempts at its number, its account, its product."""
    account = locks.accounts([order.account]) if order.account else []
    sold = [locks.product(order.product)] if order.product else []
    return [locks.number(order.merchant, order.number), *account, *sold]


def number_keys(db: Rows, token: str) -> list[str] | None:
    """The lock key of an order's number; None where there is no such order."""
    order = store.orders.get(db, token)
    return [locks.number(order.merchant, order.number)] if order else None


def existing(db: Rows, token: str) -> Order:
    """The order of a token. Refused: NOT_FOUND."""
    order = store.orders.get(db, token)
    if order is None:
        raise Refusal(Code.NOT_FOUND, "There is no such order.")
    return order


def _expire(db: Rows, now: int, limit: int) -> int:
    expired = store.orders.expire(db, now, limit)
    announcements.of_orders(db, expired, "order.expired", now=now)
    return len(expired)


def _rest_after_end(db: Rows, order: Order, limits: Limits, now: int) -> None:
    """A buyer who switched the method may have seen the code of the one before, whose amount rests as planned."""
    store.slots.release(db, order.token, order.expires_at, now)
    if order.shown_at is not None and order.really_price is not None:
        rest = amounts.rest_of_shown(now, limits)
        store.slots.set_rest(db, order.token, order.account, order.really_price, rest)

"""Another method or account for an order that waits: its buyer chooses, or its account cannot take it.

The order keeps every amount that it was given, because the code of each may have been scanned.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from checkout import accounts, locks, orders, store
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows, Store
from checkout.locks import Held
from checkout.model.orders import Order, State
from checkout.orders import Rules

# Where the buyer chooses on our own page; a merchant that named the method gets what it asked for.
DIALECTS = frozenset({"embed", "api"})


def choose_method(db_store: Store, token: str, method: str, rules: Rules, now: int) -> Order:
    """The buyer of an order has chosen a method, or another one where the choice is the buyer's (`DIALECTS`).

    The amount of the method before stays the order's: its code may have been scanned. Refused as `open_order`,
    NOT_FOUND, NOT_ALLOWED."""

    def keys(db: Rows) -> list[str] | None:
        order = store.orders.get(db, token)
        if order is None:
            return None
        return [*orders.keys_of(order), *accounts.likely_keys(db, method, rules.offline_after_s, now)]

    return db_store.locked(keys, lambda db, held: _chosen(db, orders.existing(db, token), method, rules, now, held))


def reroute(db_store: Store, order: Order, rules: Rules, now: int, *, without: Collection[str]) -> Order:
    """Moves a waiting order to the next account of its method, none of `without`, because its own cannot take it.

    Gives the order as it is where it has moved or ended meanwhile. Refused as `accounts.take_slot`, NOT_FOUND."""
    with db_store.transaction() as db:
        found = orders.existing(db, order.token)
        if found.state_at(now) is not State.PENDING or found.account not in without:
            return found
        ready = orders.reserve_amount(db, found, found.method, rules, now, shown=False, without=without)
        return _moved(db, ready)


def _chosen(db: Rows, order: Order, method: str, rules: Rules, now: int, held: Held) -> Order:
    if order.method == method:
        return order
    is_fixed = order.method and order.dialect not in DIALECTS
    if is_fixed or order.state_at(now) is not State.PENDING:
        raise Refusal(Code.NOT_ALLOWED, "The method of this order can no longer be chosen.")
    ready = _had_before(db, order, method, now)
    ready = ready or orders.reserve_amount(db, order, method, rules, now, shown=False, held=held)
    held.require([*orders.keys_of(order), *locks.accounts([ready.account])])
    return _moved(db, ready)


def _had_before(db: Rows, order: Order, method: str, now: int) -> Order | None:
    """The order with the amount that it was given for this method earlier, so that it never holds a third one."""
    for account_id, amount in store.slots.of_order(db, order.token, now):
        account = store.accounts.get(db, account_id)
        if account is not None and account.method == method and account.disabled_at is None:
            return replace(order, method=method, account=account.id, channel=account.channel, really_price=amount)
    return None


def _moved(db: Rows, ready: Order) -> Order:
    assert ready.really_price is not None
    moved = store.orders.assign(
        db, ready.token, method=ready.method, account=ready.account, channel=ready.channel,
        really_price=ready.really_price,
    )  # fmt: skip
    assert moved is not None
    return moved

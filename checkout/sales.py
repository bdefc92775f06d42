"""Takings by Beijing day, so that a page about months of them answers at once.

An order is paid when its money comes, so a day that is over never changes; the worker sums it up once. Days that are
not summed up yet are counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from checkout import store
from checkout.beijing import DAY_S, midnight
from checkout.interfaces import Rows, Store
from checkout.store.sales import Taken

_SETTLE_S = 600  # a transaction that began before midnight may end after it
_AT_ONCE = 40


class Day(Struct, frozen=True):
    """`start`: its first second; `amount`: fen; `methods`: fen by method."""

    start: int
    orders: int
    amount: int
    methods: dict[str, int]


def by_day(db: Rows, days: int, now: int) -> list[Day]:
    """The last `days` days, today last; days without takings included."""
    first = midnight(now) - (days - 1) * DAY_S
    method_of = {account.id: account.method.value for account in store.accounts.all_of(db)}
    taken: dict[int, list[Taken]] = {start: [] for start in range(first, now + 1, DAY_S)}
    for one in _taken(db, first, now):
        if one.orders:
            taken[one.day].append(one)
    return [_day(start, found, method_of) for start, found in taken.items()]


def between(db: Rows, since: int, until: int) -> int:
    """Fen taken from `since` on and before `until`, a few days at most."""
    return sum(one.amount for one in store.sales.counted(db, 0, since, until))


def sum_up(db_store: Store, now: int) -> int:
    """Sums up the days that are over, at most forty at once, each in a transaction of its own; returns how many."""
    over = midnight(now - _SETTLE_S)
    with db_store.read() as db:
        last, first = store.sales.last_summed(db), store.sales.first_order_at(db)
    if last is not None and last >= over:  # the clock was ahead when they were summed
        with db_store.transaction() as db:
            store.sales.forget(db, over)
            last = store.sales.last_summed(db)
    if first is None:
        return 0
    start = midnight(first) if last is None else last + DAY_S
    due = list(range(start, over, DAY_S))[:_AT_ONCE]
    for day in due:
        with db_store.transaction() as db:
            store.sales.sum_up(db, day, day + DAY_S)
    return len(due)


def _taken(db: Rows, first: int, now: int) -> Iterable[Taken]:
    over = midnight(now - _SETTLE_S)  # a clock that was wrong may have summed up a day that goes on
    known = [one for one in store.sales.summed(db, first) if one.day < over]
    yield from known
    summed = {one.day for one in known}
    for day in range(first, now + 1, DAY_S):
        if day not in summed:
            yield from store.sales.counted(db, day, day, day + DAY_S)


def _day(start: int, found: list[Taken], method_of: dict[str, str]) -> Day:
    methods: dict[str, int] = {}
    for one in found:
        method = method_of.get(one.account, "")
        methods[method] = methods.get(method, 0) + one.amount
    return Day(start, sum(one.orders for one in found), sum(one.amount for one in found), methods)

"""What became of orders and payments, day by day: counted once when a day is over, so that a page about a year answers
at once, and exact all the same.

A day of Beijing is summed up when it is over and no order opened on it waits any more. From then on it changes only
when late money comes for one of its orders: whoever books that says so (`paid`), in the same transaction, and the day
is summed up anew. Counting reads beside the writers; a day that changed meanwhile is counted again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from msgspec import Struct

from checkout import amounts, store
from checkout.beijing import BEIJING_S, DAY_S, midnight
from checkout.interfaces import Rows, Store
from checkout.model.accounts import PERSONAL, Account
from checkout.model.orders import Order
from checkout.store.pressure import Pressure
from checkout.store.tallies import Part

SETTLE_S = 600  # a transaction that began before midnight may end after it
_AT_ONCE = 40
_COUNTED_AT_ONCE = 3  # days that go on or wait for their last order; an order waits for a day at the most
_HOUR_S = 3600
_LONGEST_S = 400 * DAY_S
MARKS = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800, 3600, DAY_S)


def _bounds() -> tuple[int, ...]:
    found = [0]
    while found[-1] < _LONGEST_S:
        following = max(found[-1] + 1, found[-1] * 11 // 10)
        found.append(min([following, *(mark for mark in MARKS if mark > found[-1])]))
    return tuple(found)


BOUNDS = _bounds()  # seconds; each is at most a tenth above the one before, so a wait is known to within a tenth


class Tally(Struct, frozen=True):
    """The counts of a time. `days`: by first second and name, days without any too; `hours`: paid orders by hour of
    the week, from Monday 0:00; `waits`: paid orders by seconds until the money came, rounded up to one of `BOUNDS`.
    `missing`: so many of its days, the oldest ones, are not counted yet."""

    days: dict[int, Counter[str]]
    hours: dict[int, int]
    waits: dict[int, int]
    missing: int


def of_days(db: Rows, days: int, now: int) -> Tally:
    """The last `days` days, today among them."""
    first = midnight(now) - (days - 1) * DAY_S
    wanted = list(range(first, now + 1, DAY_S))
    over = midnight(now - SETTLE_S)  # a clock that was wrong may have summed up a day that goes on
    begun = store.tallies.first_at(db)
    summed = {day for day in store.tallies.summed_days(db, first) if day < over}
    open_ones = [day for day in wanted if day not in summed and begun is not None and day + DAY_S > begun]
    tally = _read(db, wanted, over)
    for day in open_ones[-_COUNTED_AT_ONCE:]:
        _add(tally, day, _counted(db, day, now))
    return Tally(tally.days, tally.hours, tally.waits, len(open_ones[:-_COUNTED_AT_ONCE]))


def sum_up(db_store: Store, now: int) -> int:
    """Sums up the days that are over, the newest first and at most forty at once, each kept in a transaction of its
    own; gives how many."""
    over = midnight(now - SETTLE_S)
    with db_store.read() as db:
        first, waiting = store.tallies.first_at(db), store.tallies.waiting_since(db)
        summed = set(store.tallies.summed_days(db, 0)) if first is not None else set()
    if summed and max(summed) >= over:  # the clock was ahead when they were summed
        with db_store.transaction() as db:
            store.tallies.forget(db, over)
    if first is None:
        return 0
    end = over if waiting is None else min(over, midnight(waiting))
    due = [day for day in range(midnight(first), end, DAY_S) if day not in summed][: -_AT_ONCE - 1 : -1]
    return sum(_sum_up(db_store, day, now) for day in due)


def paid(db: Rows, order: Order, now: int) -> None:
    """To be called in the transaction in which money comes for an order: the day of its opening may be summed up."""
    if midnight(order.created_at) != midnight(now):
        store.tallies.changed(db, midnight(order.created_at))


def imported(db: Rows, order: Order) -> None:
    """To be called in the transaction in which an order of the past is added: its days may be summed up."""
    for at in {order.created_at, order.paid_at or order.created_at}:
        store.tallies.changed(db, midnight(at))
        store.sales.forget(db, midnight(at))


def watch_amounts(db_store: Store, now: int) -> None:
    """Looks how many amounts of each account are in use, and keeps the worst moment of the day."""
    day = midnight(now)
    with db_store.read() as db:
        known = store.pressure.of_day(db, day)
        seen = [_pressure(db, account, day, now) for account in store.accounts.all_of(db) if _is_watched(account)]
    for one in seen:
        before = known.get(one.account)
        if before is None or one.held * before.offered > before.held * one.offered:
            with db_store.transaction() as db:
                store.pressure.keep(db, one)


def _sum_up(db_store: Store, day: int, now: int) -> bool:
    with db_store.read() as db:
        version = store.tallies.version(db, day)  # before the counting: what changes during it must be noticed
        counts = _counted(db, day, now)
    with db_store.transaction() as db:
        return store.tallies.keep(db, day, version, {part: number for part, number in counts.items() if number})


def _counted(db: Rows, day: int, now: int) -> Counter[Part]:
    counts: Counter[Part] = Counter()
    until = day + DAY_S
    for name, number in store.tallies.orders(db, day, until, now).items():
        counts[name, 0] = number
    for name, number in store.tallies.payments(db, day, until).items():
        counts[name, 0] = number
    for at, wait, number in store.tallies.waits(db, day, until):
        counts["hour", _hour_of_week(at)] += number
        counts["wait", _bound(wait)] += number
    return counts


def _read(db: Rows, days: list[int], over: int) -> Tally:
    found: dict[int, Counter[str]] = {day: Counter() for day in days}
    names = (*store.tallies.OF_ORDERS, *store.tallies.OF_PAYMENTS)
    for day, name, number in store.tallies.by_day(db, names, days[0], over):
        found[day][name] = number
    hours, waits = (store.tallies.by_part(db, name, days[0], over) for name in ("hour", "wait"))
    return Tally(found, hours, waits, 0)


def _add(tally: Tally, day: int, counts: Counter[Part]) -> None:
    for (name, part), number in counts.items():
        if name in ("hour", "wait"):
            parts = tally.hours if name == "hour" else tally.waits
            parts[part] = parts.get(part, 0) + number
        else:
            tally.days[day][name] = number


def _bound(wait: int) -> int:
    """The next of `BOUNDS`; a clock that was put back meanwhile makes no payment come before its order."""
    return BOUNDS[min(bisect_left(BOUNDS, max(0, wait)), len(BOUNDS) - 1)]


def _hour_of_week(at: int) -> int:
    hours = (at + BEIJING_S) // _HOUR_S
    return (hours // 24 + 3) % 7 * 24 + hours % 24  # 1 January 1970 was a Thursday


def _is_watched(account: Account) -> bool:
    return account.disabled_at is None and account.channel == PERSONAL


def in_use(db: Rows, account: Account, now: int) -> Pressure:
    """How many of the amounts for one price are in use now, where the fewest are left."""
    return _pressure(db, account, midnight(now), now)


def _pressure(db: Rows, account: Account, day: int, now: int) -> Pressure:
    """For the price at which the fewest amounts are left. Accounts that one phone watches share theirs."""
    neighbours = store.accounts.neighbours(db, account.id)
    low, high = amounts.span(account.max_offset + 1, account.offset, account.max_offset)
    offered = high - low + 1
    return Pressure(day, account.id, store.pressure.most_held(db, neighbours, offered, now), offered)

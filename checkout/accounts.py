"""Which account receives an order's money, and which amount there: rotation, caps and phones."""

from __future__ import annotations

import secrets
from bisect import bisect
from collections.abc import Collection, Iterable
from itertools import accumulate

from checkout import amounts, locks, store
from checkout.beijing import DAY_S, midnight
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows
from checkout.locks import ALL, Held
from checkout.model.accounts import PERSONAL, Account, Rest
from checkout.store.accounts import Watched


def take_slot(
    db: Rows,
    method: str,
    price: int,
    token: str,
    rest: Rest,
    offline_after_s: int,
    now: int,
    *,
    without: Collection[str] = (),
    held: Held = ALL,
) -> tuple[Account, int]:
    """Takes an amount (fen) near `price` on one of the method's accounts for the order `token`.

    An account at an official gateway needs no amount of its own: the gateway says which order was paid. Accounts in
    `without` are passed over. Refused: NO_ACCOUNT (none set up), PHONE_OFFLINE (no account sells while its phone is
    silent, and all phones are), BUSY (every amount is held, or every daily cap reached; `retry_after` in seconds).
    Raises `NotLocked` when it has to look at an account that is not locked.
    """
    watched = [one for one in store.accounts.open_for(db, method) if one.account.id not in without]
    willing = _willing(watched, method, offline_after_s, now)
    waits = []
    for account in _rotated(willing, offline_after_s, now, held):
        held.require(locks.accounts([account.id]))
        if not _under_cap(db, account, price, now):
            waits.append(midnight(now) + DAY_S - now)
            continue
        if account.channel != PERSONAL:
            return account, price
        amount, wait = _try(db, account, price, token, rest, now, held)
        if amount is not None:
            return account, amount
        waits.append(wait)
    raise Refusal(
        Code.BUSY,
        f"Every amount near this price waits for another buyer, or today's cap is reached; try again in {min(waits)} s."
        " More accounts, a larger offset or a higher cap make room.",
        retry_after=min(waits),
    )


def likely_keys(
    db: Rows, method: str, offline_after_s: int, now: int, *, without: Collection[str] = ()
) -> list[str]:  # fmt: skip
    """The lock keys of the account that `take_slot` is likely to choose and of its neighbours; none when it would
    refuse."""
    watched = [one for one in store.accounts.open_for(db, method) if one.account.id not in without]
    try:
        willing = _willing(watched, method, offline_after_s, now)
    except Refusal:
        return []
    first = next(iter(_rotated(willing, offline_after_s, now, ALL)))
    return locks.accounts(store.accounts.neighbours(db, first.id))


def is_online(beat_at: int | None, offline_after_s: int, now: int) -> bool:
    """Whether a phone that gave its last sign of life at `beat_at` counts as online."""
    return beat_at is not None and now - beat_at < offline_after_s


def _willing(watched: list[Watched], method: str, offline_after_s: int, now: int) -> list[Watched]:
    ready = [one for one in watched if one.account.code or one.account.channel != PERSONAL]
    if not ready:
        raise Refusal(Code.NO_ACCOUNT, f"No {method} account with a QR code is set up: checkout account add.")
    willing = [one for one in ready if one.account.offline != "block" or _is_ready(one, offline_after_s, now)]
    if not willing:
        raise Refusal(Code.PHONE_OFFLINE, "The phone that watches this account is offline.")
    return willing


def _is_ready(one: Watched, offline_after_s: int, now: int) -> bool:
    """Whether money would be noticed: the phone is awake, or a gateway reports it."""
    return one.account.channel != PERSONAL or is_online(one.beat_at, offline_after_s, now)


def _rotated(watched: list[Watched], offline_after_s: int, now: int, held: Held) -> Iterable[Account]:
    """Watched accounts before unwatched ones, each group shuffled by weight. Accounts that are locked come first in
    their group: the draw was made when the keys were chosen."""
    if len(watched) == 1:
        return [watched[0].account]
    online = [one.account for one in watched if _is_ready(one, offline_after_s, now)]
    offline = [one.account for one in watched if one.account not in online]
    groups = (_shuffled(online), _shuffled(offline))
    for group in groups:
        group.sort(key=lambda account: not held.has(*locks.accounts([account.id])))
    return [*groups[0], *groups[1]]


def _shuffled(accounts: list[Account]) -> list[Account]:
    """A random order in which an account of weight 2 comes first twice as often as one of weight 1."""
    left, order = list(accounts), []
    while left:
        bounds = list(accumulate(account.weight for account in left))
        order.append(left.pop(bisect(bounds, secrets.randbelow(bounds[-1]))))
    return order


def _under_cap(db: Rows, account: Account, price: int, now: int) -> bool:
    if account.daily_cap is None:
        return True
    return store.accounts.received_since(db, account.id, midnight(now)) + price <= account.daily_cap


def _try(
    db: Rows, account: Account, price: int, token: str, rest: Rest, now: int, held: Held
) -> tuple[int | None, int]:
    """(amount taken, 0), or (None, seconds until one will be free)."""
    neighbours = store.accounts.neighbours(db, account.id)
    held.require(locks.accounts(neighbours))
    nearest = amounts.nearest(
        price, account.offset, account.max_offset,
        lambda low, high: store.slots.count_resting(db, neighbours, low, high, now),
    )  # fmt: skip
    if nearest is not None and store.slots.take(db, account.id, nearest, token, rest, now):
        return nearest, 0
    low, high = amounts.span(price, account.offset, account.max_offset)
    resting = store.slots.resting(db, neighbours, low, high, now)
    while True:
        amount = amounts.choose(amounts.candidates(price, account.offset, account.max_offset), resting, now)
        if amount is None:
            return None, max(1, min(resting.values()) - now)
        if store.slots.take(db, account.id, amount, token, rest, now):
            return amount, 0
        resting[amount] = now + 1  # another process was first

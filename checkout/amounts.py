"""Which amount an order is given: the heart of being paid by a personal QR code.

The amount is an order's only identity, so an amount that was given out is dangerous until its late payers are gone.
It is *held* until `free_at` (never given out before) and *rests* until `rested_at` (given out only when nothing
else is left). The rules, measured by `./dev simulate`:

* paid: held two minutes more, so that a phone's repeated push cannot pay the next order, and until the order would
  have expired: while its QR code can be on a screen, a second payment must not find a stranger's order; then free;
* ended without its QR code having been shown: free at once;
* shown and not paid: held for the grace after it ended, then resting for `rest`;
* the smallest rested offset goes first, the exact price before all;
* when nothing has rested, the amount that has been free for longest; nothing free: a refusal with the time.

Pure: amounts in fen, times in Unix seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from checkout.model.accounts import Rest

HOLD_AFTER_PAID_S = 120
LONGEST_HOLD_AFTER_PAID_S = 600  # an order that lives for a day must not take its amount away for a day


class Limits(Struct, frozen=True):
    """How long orders and their amounts live, in seconds; `rest` begins when the grace is over."""

    order_ttl: int = 300
    grace: int = 600
    rest: int = 7200


def rest_of_unshown(expires_at: int) -> Rest:
    """When the amount is free: at once after the end, as nobody has seen the QR code and nobody can pay late."""
    return Rest(expires_at, expires_at)


def rest_of_shown(ended_at: int, limits: Limits) -> Rest:
    """The rest after an order that was shown ends unpaid, at `ended_at`, which may lie ahead (its expiry)."""
    free_at = ended_at + limits.grace
    return Rest(free_at, free_at + limits.rest)


def rest_of_paid(paid_at: int, expires_at: int) -> Rest:
    """The rest of the amount of an order that was paid at `paid_at`; one that was paid late has no time of its own
    left, so that only `HOLD_AFTER_PAID_S` counts."""
    free_at = max(paid_at + HOLD_AFTER_PAID_S, min(expires_at, paid_at + LONGEST_HOLD_AFTER_PAID_S))
    return Rest(free_at, free_at)


def candidates(price: int, offset: str, max_offset: int) -> Iterable[int]:
    """The amounts that may stand for `price`, best first; never 0 or less.

    `offset`: `up` (clients check that at least the price was paid), `down`, or `nearest`.
    """
    if offset == "up":
        return range(price, price + max_offset + 1)
    if offset == "down":
        return range(price, max(0, price - max_offset - 1), -1)
    both = (amount for step in range(max_offset + 1) for amount in ((price + step, price - step) if step else (price,)))
    return (amount for amount in both if amount > 0)


def span(price: int, offset: str, max_offset: int) -> tuple[int, int]:
    """The lowest and the highest of `candidates`."""
    low = price if offset == "up" else max(1, price - max_offset)
    return low, price if offset == "down" else price + max_offset


def nearest(price: int, offset: str, max_offset: int, count: Callable[[int, int], int]) -> int | None:
    """The first of `candidates` that is rested, None when there is none.

    `count` says how many amounts from one to another, both included, have not rested: to count three hundred takes a
    database a tenth of what it takes to give them out. Those that have not rested mostly lie without a gap behind the
    price, and where they do two questions are enough.
    """
    low, high = span(price, offset, max_offset)
    sides = []
    if offset != "down":
        sides.append(price + _run(high - price + 1, lambda n: count(price, price + n - 1)))
    if offset != "up":
        first = price if offset == "down" else price - 1
        sides.append(first - _run(first - low + 1, lambda n: count(first - n + 1, first)))
    return min((amount for amount in sides if low <= amount <= high), key=lambda one: abs(one - price), default=None)


def _run(room: int, count: Callable[[int], int]) -> int:
    """How many of the first of `room` amounts are among those that `count` counts, up to the first that is not."""
    most = count(room) if room else 0
    if not most or count(most) == most:
        return most
    return bisect_left(range(most), True, key=lambda n: count(n + 1) <= n)


def choose(wanted: Iterable[int], resting: Mapping[int, int], now: int) -> int | None:
    """The amount to give out, or None when every candidate is held.

    `resting` maps each amount that has not rested by `now` to its `free_at`.
    """
    longest_free: tuple[int, int] | None = None
    for amount in wanted:
        free_at = resting.get(amount)
        if free_at is None:
            return amount
        if free_at <= now and (longest_free is None or free_at < longest_free[0]):
            longest_free = (free_at, amount)
    return longest_free[1] if longest_free else None

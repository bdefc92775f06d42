"""How long the single tries at deliveries are kept: theirs is the only table that grows without a new order or payment.

A try is deleted some time after its delivery was acknowledged, or after its endpoint was removed. Tries at what waits,
is on hold or was given up stay: somebody may still have to find out why. Deliveries themselves stay for ever.
"""

from __future__ import annotations

from checkout import store
from checkout.interfaces import Chore, Store

_DAY_S = 86_400
_LOOKED_AT = 5000  # rows a minute: bounded work beside the phones, more than any shop sends


def chore(db_store: Store, keep_days: int) -> Chore:
    """The worker's chore: it goes through the old tries, the oldest first, and begins again once a day."""
    place, begun_at = store.deliveries.OLDEST_TRY, 0

    def forget(now: int) -> None:
        nonlocal place, begun_at
        if now - begun_at >= _DAY_S:
            place, begun_at = store.deliveries.OLDEST_TRY, now
        place = sweep(db_store, now - keep_days * _DAY_S, place)

    return forget


def sweep(db_store: Store, before: int, place: tuple[int, str, int], limit: int = _LOOKED_AT) -> tuple[int, str, int]:
    """Looks at `limit` tries from `place` on, and deletes those whose delivery ended before `before` (Unix seconds);
    returns the place to go on from."""
    with db_store.read() as db:
        last = store.deliveries.try_after(db, place, before, limit)
    if last is None:
        return place
    with db_store.transaction() as db:
        store.deliveries.forget_tries(db, place, last, before)
    return last

"""How often somebody may ask, over all servers on one database: what each of them draws from (`rates`).

A row is a bucket without what each process keeps of it: so one process alone lets pass as much as it would without the
row, and each further one adds a tenth at once, and a hundredth for long. Names are digests: no address is kept.
"""

from __future__ import annotations

import hashlib
import hmac

from checkout import locks, store
from checkout.interfaces import Rows, Store
from checkout.rates import DRIP, FULL, LOT, REFILL, Draw
from checkout.store.buckets import Bucket

_HOLDS, _COMES = FULL - LOT, REFILL - DRIP
_FILLED_S = _HOLDS // _COMES + 1  # a bucket that nobody has asked about for so long is full


def drawing(db_store: Store, secret: str) -> Draw:
    """`secret`: what digests of names are made with, the same on all servers."""

    def draw(who: str, cost: int, now: int) -> tuple[int, int]:
        name = hmac.digest(secret.encode(), f"bucket:{who}".encode(), hashlib.sha256).hex()[:32]
        return db_store.locked(lambda _: [locks.bucket(name)], lambda db, _: _drawn(db, name, cost, now))

    return draw


def sweep(db_store: Store, now: int) -> int:
    """Forgets the buckets that are full again; gives their number."""
    with db_store.read() as db:
        if not store.buckets.any_before(db, now - _FILLED_S):
            return 0
    with db_store.transaction() as db:
        return store.buckets.sweep(db, now - _FILLED_S)


def _drawn(db: Rows, name: str, cost: int, now: int) -> tuple[int, int]:
    """The clocks of two servers differ: what one has filled up to its time the other does not fill again. A time that
    is far ahead was wrong."""
    before = store.buckets.get(db, name) or Bucket(name, _HOLDS, now)
    at = before.filled_at if before.filled_at <= now + _FILLED_S else now
    filled_at = max(at, now)
    left = min(_HOLDS, before.held + _COMES * (filled_at - at))
    lot = min(LOT, left) if left >= cost else 0
    store.buckets.put(db, Bucket(name, left - lot, filled_at))
    return (lot, 0) if lot else (0, filled_at - now + -(-(cost - left) // _COMES))

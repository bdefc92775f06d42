"""How long amounts that no order uses any more are remembered.

Nothing asks about an amount that has rested. A shop whose prices differ (donations, rates of exchange) would leave a
row for every amount that it ever asked for, and whoever looks over an account's amounts would take longer each year.
"""

from __future__ import annotations

from checkout import store
from checkout.interfaces import Chore, Store

KEPT_S = 86_400  # a clock that was ahead and is put back finds what was in use by then
_LOOKED_AT = 2000  # rows a minute: bounded work beside the phones


def chore(db_store: Store) -> Chore:
    """The worker's chore: it goes through all amounts, and then again."""
    place = store.slots.FIRST

    def forget(now: int) -> None:
        nonlocal place
        place = sweep(db_store, now - KEPT_S, place)

    return forget


def sweep(db_store: Store, before: int, place: tuple[str, int], limit: int = _LOOKED_AT) -> tuple[str, int]:
    """Looks at `limit` amounts from `place` on, and forgets those that had rested before `before` (Unix seconds);
    returns the place to go on from, which is the first again behind the last one."""
    with db_store.read() as db:
        last = store.slots.last_of(db, place, limit)
        any_old = last is not None and store.slots.any_rested(db, place, last, before)
    if last is None:
        return store.slots.FIRST
    if any_old:
        with db_store.transaction() as db:
            store.slots.forget(db, place, last, before)
    return last

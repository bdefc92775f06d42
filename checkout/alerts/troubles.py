"""Troubles that no other row records: noted when they begin, removed when it works again. Alerts are made of them."""

from __future__ import annotations

from checkout import store
from checkout.interfaces import Store

BACKUP = "backup"
DATABASE = "database"
_GATEWAY = "gateway:"
_MAX_SAID = 300


def of_gateway(channel: str) -> str:
    """The name of the trouble with a channel's gateway."""
    return f"{_GATEWAY}{channel}"


def channel_of(name: str) -> str:
    """The channel that a trouble is about; "" if it is about something else."""
    return name.removeprefix(_GATEWAY) if name.startswith(_GATEWAY) else ""


def note(db_store: Store, name: str, said: str, now: int) -> None:
    """Something does not work, and why; writes nothing if that is already known."""
    with db_store.read() as db:
        known = store.alerts.troubles(db).get(name)
    if known is None or known[1] != said[:_MAX_SAID]:
        with db_store.transaction() as db:
            store.alerts.trouble(db, name, said[:_MAX_SAID], now)


def over(db_store: Store, name: str) -> None:
    """It works; writes nothing if no trouble was known."""
    with db_store.read() as db:
        known = name in store.alerts.troubles(db)
    if known:
        with db_store.transaction() as db:
            store.alerts.well(db, name)

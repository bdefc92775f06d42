"""Calls from phones that were signed with a wrong key, so that "it has another key" can be told from "it never called".

A refused request writes nothing: what is known of it is kept in memory, one mark for each device and kind of app, and
written once a minute. Calling with wrong keys as fast as possible costs one row a minute.
"""

from __future__ import annotations

from msgspec import Struct

from checkout import store
from checkout.interfaces import Rows, Store
from checkout.model.devices import Device
from checkout.store.strangers import Stranger

_DAY_S = 86_400


class Strangers:
    """What this process has noted and not yet written."""

    def __init__(self) -> None:
        self._noted: dict[str, Stranger] = {}

    def note(self, whose: str, address: str, now: int) -> None:
        """`whose`: the id of the device whose address was called, or the kind of app if none is named."""
        self._noted[whose] = Stranger(whose, now, address)

    def write(self, db_store: Store) -> None:
        """Writes what has been noted since the last time. Raises `StoreError`; then it is kept."""
        noted = dict(self._noted)
        if not noted:
            return
        with db_store.transaction() as db:
            for one in noted.values():
                store.strangers.put(db, one)
        for whose, one in noted.items():
            if self._noted.get(whose) is one:
                del self._noted[whose]


class Seen(Struct, frozen=True):
    """Where calls with wrong keys came from: the last one of each device and of each kind of app."""

    calls: dict[str, Stranger]
    now: int

    @classmethod
    def by(cls, db: Rows, now: int) -> Seen:
        return cls(store.strangers.all_of(db), now)

    def instead_of(self, device: Device) -> Stranger | None:
        """The last call to the address of this device with a wrong key, since it was last heard of."""
        return self._since(device.id, device.beat_at)

    def perhaps(self, device: Device) -> Stranger | None:
        """As `instead_of`, or one with its kind of app that named no device of ours; for a device that is silent."""
        return self.instead_of(device) or self._since(device.kind, device.beat_at)

    def lately(self, kind: str) -> Stranger | None:
        """With a kind of app, in the last day, with the key or address of no device of ours."""
        return self._since(kind, self.now - _DAY_S)

    def _since(self, whose: str, start: int | None) -> Stranger | None:
        found = self.calls.get(whose)
        return found if found is not None and found.at > (start or 0) else None

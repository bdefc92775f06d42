"""How reliably a phone is there: when it was silent, and its uptime.

A phone counts as away for the whole of any silence that was long enough to count as offline. Silences of less than
three minutes are not kept.
"""

from __future__ import annotations

from msgspec import Struct

from checkout import locks, store
from checkout.accounts import is_online
from checkout.interfaces import Rows, Store
from checkout.model.devices import Device
from checkout.store.silences import Silence

HOUR_S, DAY_S = 3600, 86_400
WINDOWS = {"24 h": DAY_S, "7 d": 7 * DAY_S, "30 d": 30 * DAY_S}


class Presence(Struct, frozen=True):
    """`known_since`: None if the phone has never called; `absences`: those of the last thirty days, earliest first; one
    that goes on ends `now`."""

    known_since: int | None
    absences: tuple[Silence, ...]
    now: int

    def within(self, seconds: int) -> list[Silence]:
        """The absences of the last `seconds`, cut to them."""
        start = self.now - seconds
        return [Silence(max(one.since, start), one.until) for one in self.absences if one.until > start]

    def uptime(self, seconds: int) -> int | None:
        """Per mille of the last `seconds`, or of the part in which the phone was known; 1000 only without any absence.
        None: not known at all."""
        if self.known_since is None or self.known_since >= self.now:
            return None
        whole = self.now - max(self.known_since, self.now - seconds)
        away = sum(one.until - one.since for one in self.within(seconds))
        return (whole - away) * 1000 // whole


def beat(db_store: Store, device: Device, now: int) -> None:
    """The phone gave a sign of life."""
    db_store.locked(lambda _: [locks.device(device.id)], lambda db, _: store.devices.beat(db, device.id, now))


def of(db: Rows, device: Device, offline_after_s: int, now: int) -> Presence:
    """A phone's presence at `now`; a revoked phone's, at the time it was revoked."""
    now = min(now, device.revoked_at or now)
    kept = store.silences.after(db, device.id, now - max(WINDOWS.values()))
    found = [one for one in kept if one.until - one.since >= offline_after_s]
    if device.beat_at is not None and not is_online(device.beat_at, offline_after_s, now):
        found.append(Silence(device.beat_at, now))
    return Presence(store.silences.first(db, device.id), _apart(found, now), now)


def _apart(found: list[Silence], now: int) -> tuple[Silence, ...]:
    """Without time that lies in two of them, or in the future: clocks step back."""
    apart: list[Silence] = []
    for one in found:
        since, until = max(one.since, apart[-1].until if apart else one.since), min(one.until, now)
        if until > since:
            apart.append(Silence(since, until))
    return tuple(apart)

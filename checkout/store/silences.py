"""For how long phones were not heard of."""

from __future__ import annotations

from msgspec import Struct

from checkout.interfaces import Rows

LEAST_S = 180  # a shorter silence is not kept
_KEPT_S = 31 * 86_400


class Silence(Struct, frozen=True):
    """Nothing was heard from `since` to `until`."""

    since: int
    until: int


def end(db: Rows, device_id: str, now: int) -> None:
    """The phone is heard of; call it before that is noted. Writes nothing unless it was silent for a while."""
    written = db.run(
        "INSERT INTO silences (device, since, until) SELECT id, coalesce(beat_at, :now), :now FROM devices"
        " WHERE id = :device AND (beat_at IS NULL OR beat_at < :early)"
        " ON CONFLICT (device, since) DO UPDATE SET until = excluded.until",
        device=device_id, now=now, early=now - LEAST_S,
    )  # fmt: skip
    if written:
        _forget(db, device_id, now - _KEPT_S)


def first(db: Rows, device_id: str) -> int | None:
    """Since when silences of the phone are kept."""
    row = db.one("SELECT min(since) FROM silences WHERE device = :device", device=device_id)
    return row[0] if row else None


def after(db: Rows, device_id: str, start: int) -> list[Silence]:
    """Those that ended later than `start`, the earliest first."""
    rows = db.all(
        "SELECT since, until FROM silences WHERE device = :device AND until > :start AND until > since ORDER BY since",
        device=device_id, start=start,
    )  # fmt: skip
    return [Silence(*row) for row in rows]


def _forget(db: Rows, device_id: str, early: int) -> None:
    """All but the first row, which says since when the phone is known."""
    db.run(
        "DELETE FROM silences WHERE device = :device AND until < :early"
        " AND since > (SELECT min(since) FROM silences WHERE device = :device)",
        device=device_id, early=early,
    )  # fmt: skip

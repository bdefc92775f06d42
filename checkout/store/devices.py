"""Phones and scripts that report money."""

from __future__ import annotations

from collections.abc import Sequence

from checkout.interfaces import Row, Rows
from checkout.model.devices import Device
from checkout.store import silences
from checkout.store.mapping import columns, insert, values

_COLUMNS = columns(Device)


def add(db: Rows, device: Device, accounts: Sequence[str]) -> None:
    """Raises `Conflict` when the id is taken or an account is unknown."""
    db.run(insert(Device, "devices"), **values(device))
    for account in accounts:
        watch(db, device.id, account)


def watch(db: Rows, device_id: str, account_id: str) -> None:
    db.run(
        "INSERT INTO device_accounts (device, account) VALUES (:device, :account) ON CONFLICT DO NOTHING",
        device=device_id, account=account_id,
    )  # fmt: skip


def unwatch(db: Rows, device_id: str, account_id: str) -> bool:
    return (
        db.run(
            "DELETE FROM device_accounts WHERE device = :device AND account = :account",
            device=device_id, account=account_id,
        ) > 0
    )  # fmt: skip


def unwatched_accounts(db: Rows) -> list[str]:
    """The enabled personal accounts that no working device watches."""
    rows = db.all(
        "SELECT id FROM accounts WHERE disabled_at IS NULL AND channel = 'personal' AND NOT EXISTS ("
        "SELECT 1 FROM device_accounts JOIN devices ON devices.id = device_accounts.device"
        " WHERE device_accounts.account = accounts.id AND devices.revoked_at IS NULL) ORDER BY created_at, id"
    )
    return [row[0] for row in rows]


def get(db: Rows, device_id: str) -> Device | None:
    row = db.one(f"SELECT {_COLUMNS} FROM devices WHERE id = :id", id=device_id)
    return _device(row) if row else None


def by_token(db: Rows, token: str) -> Device | None:
    row = db.one(f"SELECT {_COLUMNS} FROM devices WHERE token = :token AND revoked_at IS NULL", token=token)
    return _device(row) if row else None


def all_of(db: Rows) -> list[Device]:
    return [_device(row) for row in db.all(f"SELECT {_COLUMNS} FROM devices ORDER BY created_at, id")]


def names(db: Rows) -> dict[str, str]:
    """Id → name, of those that were revoked too."""
    return dict(db.all("SELECT id, name FROM devices"))


def working(db: Rows, kind: str) -> list[Device]:
    """The devices of a kind that were not revoked."""
    rows = db.all(
        f"SELECT {_COLUMNS} FROM devices WHERE kind = :kind AND revoked_at IS NULL ORDER BY created_at, id", kind=kind
    )
    return [_device(row) for row in rows]


def accounts_of(db: Rows, device_id: str, method: str | None = None) -> list[str]:
    """The ids of the accounts that a device watches, of one method or all; disabled ones too: money still comes."""
    rows = db.all(
        "SELECT accounts.id FROM device_accounts JOIN accounts ON accounts.id = device_accounts.account"
        " WHERE device_accounts.device = :device AND (accounts.method = :method OR :method IS NULL)"
        " ORDER BY accounts.id",
        device=device_id, method=method,
    )  # fmt: skip
    return [row[0] for row in rows]


def beat(db: Rows, device_id: str, now: int) -> None:
    _heard(db, device_id, "beat_at = :now", now)


def pushed(db: Rows, device_id: str, now: int) -> None:
    """A push is a sign of life too."""
    _heard(db, device_id, "push_at = :now, beat_at = :now", now)


def _heard(db: Rows, device_id: str, noted: str, now: int) -> None:
    """One statement for a phone that was heard of a moment ago: it has not been silent."""
    update = f"UPDATE devices SET {noted} WHERE id = :id"
    if not db.run(f"{update} AND beat_at >= :early", id=device_id, now=now, early=now - silences.LEAST_S):
        silences.end(db, device_id, now)
        db.run(update, id=device_id, now=now)


def revoke(db: Rows, device_id: str, now: int) -> bool:
    changed = db.run(
        "UPDATE devices SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL", id=device_id, now=now
    )
    return changed > 0


def set_key(db: Rows, device: Device) -> None:
    db.run(
        "UPDATE devices SET key = :key, previous_key = :previous_key, previous_key_until = :until WHERE id = :id",
        id=device.id, key=device.key, previous_key=device.previous_key, until=device.previous_key_until,
    )  # fmt: skip


def _device(row: Row) -> Device:
    cells = list(row)
    cells[-1] = bool(cells[-1])
    return Device(*cells)

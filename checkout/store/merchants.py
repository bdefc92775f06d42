"""Merchants: who asks to be paid."""

from __future__ import annotations

import json
from functools import lru_cache

from checkout.interfaces import Row, Rows
from checkout.model.merchants import Merchant, Mode
from checkout.store.mapping import columns, insert

_COLUMNS = columns(Merchant)
FIRST_ID = 1001


def add(db: Rows, merchant: Merchant) -> None:
    """Raises `Conflict` when the id is taken."""
    db.run(insert(Merchant, "merchants"), **_values(merchant))


def next_id(db: Rows) -> int:
    row = db.one("SELECT coalesce(max(id) + 1, :first) FROM merchants", first=FIRST_ID)
    assert row is not None
    return int(row[0])


def get(db: Rows, merchant_id: int) -> Merchant | None:
    row = db.one(f"SELECT {_COLUMNS} FROM merchants WHERE id = :id", id=merchant_id)
    return _merchant(row) if row else None


def default(db: Rows) -> Merchant | None:
    """The first merchant, whom the paths of the vmq dialect without a number serve."""
    row = db.one(f"SELECT {_COLUMNS} FROM merchants ORDER BY id LIMIT 1")
    return _merchant(row) if row else None


def default_id(db: Rows) -> int | None:
    row = db.one("SELECT min(id) FROM merchants")
    return row[0] if row else None


def all_of(db: Rows) -> list[Merchant]:
    return [_merchant(row) for row in db.all(f"SELECT {_COLUMNS} FROM merchants ORDER BY id")]


def ids(db: Rows) -> list[int]:
    return [int(row[0]) for row in db.all("SELECT id FROM merchants ORDER BY id")]


def update(db: Rows, merchant: Merchant) -> None:
    db.run(
        "UPDATE merchants SET name = :name, key = :key, previous_key = :previous_key,"
        " previous_key_until = :previous_key_until, mode = :mode, guard_param = :guard_param, reuse = :reuse,"
        " notify_url = :notify_url, return_url = :return_url, allow_hosts = :allow_hosts,"
        " disabled_at = :disabled_at, rsa_platform = :rsa_platform, rsa_merchant = :rsa_merchant"
        " WHERE id = :id",
        **_values(merchant),
    )


def _values(merchant: Merchant) -> dict[str, str | int | None]:
    flat = {name: getattr(merchant, name) for name in merchant.__struct_fields__}
    flat["allow_hosts"] = json.dumps(merchant.allow_hosts)
    flat["mode"] = merchant.mode.value
    flat["guard_param"], flat["reuse"] = int(merchant.guard_param), int(merchant.reuse)
    return flat


@lru_cache(maxsize=256)
def _merchant(row: Row) -> Merchant:
    (id_, name, key, old, until, mode, guard, reuse, notify, back, hosts, disabled, created, platform, theirs) = row
    return Merchant(
        id_, name, key, old, until, Mode(mode), bool(guard), bool(reuse), notify, back,
        tuple(json.loads(hosts)), disabled, created, platform, theirs,
    )  # fmt: skip

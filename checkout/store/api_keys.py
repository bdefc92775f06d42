"""The keys of the native API. The keys themselves are not kept, only their digests."""

from __future__ import annotations

from checkout.interfaces import Rows
from checkout.model.merchants import ApiKey
from checkout.store.mapping import columns, insert, values

_COLUMNS = columns(ApiKey)


def add(db: Rows, key: ApiKey) -> None:
    db.run(insert(ApiKey, "api_keys"), **values(key))


def by_digest(db: Rows, digest: str) -> ApiKey | None:
    """The key with this digest, revoked or not."""
    row = db.one(f"SELECT {_COLUMNS} FROM api_keys WHERE digest = :digest", digest=digest)
    return ApiKey(*row) if row else None


def all_of(db: Rows, merchant_id: int | None = None) -> list[ApiKey]:
    """Oldest first; those of one merchant where one is named."""
    where = "" if merchant_id is None else " WHERE merchant = :merchant"
    sql = f"SELECT {_COLUMNS} FROM api_keys{where} ORDER BY created_at, id"
    rows = db.all(sql) if merchant_id is None else db.all(sql, merchant=merchant_id)
    return [ApiKey(*row) for row in rows]


def used(db: Rows, key_id: str, now: int, *, unless_since: int) -> None:
    """Notes that a key was used, unless that was noted after `unless_since`."""
    db.run(
        "UPDATE api_keys SET used_at = :now WHERE id = :id AND (used_at IS NULL OR used_at <= :since)",
        id=key_id, now=now, since=unless_since,
    )  # fmt: skip


def revoke(db: Rows, key_id: str, now: int) -> ApiKey | None:
    """None: there is no such key, or it was revoked before."""
    row = db.one(
        f"UPDATE api_keys SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL RETURNING {_COLUMNS}",
        id=key_id, now=now,
    )  # fmt: skip
    return ApiKey(*row) if row else None

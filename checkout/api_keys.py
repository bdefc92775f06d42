"""The keys with which merchants' servers authenticate to the native API. Changes are audited.

A key is 256 random bits, so keeping its SHA-256 is enough: nobody can try them all. A slow hash, which protects
passwords that people make up, would protect nothing more here and would cost every request its time.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from checkout import audit, store
from checkout.errors import Code, Refusal
from checkout.interfaces import NewId, Rows, Store, Value
from checkout.model.merchants import ApiKey
from checkout.signing import same_secret

PREFIX = "ck_live_"
USED_EVERY_S = 60
_KEY = re.compile(PREFIX + "[0-9a-f]{64}")
_SHOWN = len(PREFIX) + 6


class Scope(StrEnum):
    """What a key may do."""

    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    REFUNDS_WRITE = "refunds:write"
    PRODUCTS_READ = "products:read"
    PAYMENTS_READ = "payments:read"
    PAYMENTS_WRITE = "payments:write"


# What a shop needs to sell; sending money back and judging money are granted by name.
USUAL = (Scope.ORDERS_READ, Scope.ORDERS_WRITE, Scope.PRODUCTS_READ)


class Fresh(Struct, frozen=True):
    """A new key: the only time that it can be seen."""

    key: ApiKey
    secret: str


def add(
    db_store: Store, merchant_id: int, name: str, scopes: Iterable[Scope], *, actor: str, new_id: NewId, now: int
) -> Fresh:
    """Makes a key for a merchant. Refused: NOT_FOUND, BAD_REQUEST (no scope, a bad name)."""
    name, wanted = name.strip(), sorted(set(scopes))
    if not wanted:
        raise Refusal(Code.BAD_REQUEST, "A key needs at least one scope.")
    if not name.isprintable() or len(name) > 64:
        raise Refusal(Code.BAD_REQUEST, "A key's name has at most 64 printable characters.")
    secret = PREFIX + secrets.token_hex(32)
    with db_store.transaction() as db:
        if store.merchants.get(db, merchant_id) is None:
            raise Refusal(Code.NOT_FOUND, f"There is no merchant {merchant_id}: checkout merchant list.")
        key = ApiKey(
            new_id("key"), merchant_id, name, _digest(secret), secret[:_SHOWN] + "…", " ".join(wanted),
            created_at=now, used_at=None, revoked_at=None,
        )  # fmt: skip
        store.api_keys.add(db, key)
        detail: dict[str, Value] = {"merchant": merchant_id, "name": name, "scopes": key.scopes}
        audit.note(db, actor, "key.add", key.id, detail, new_id, now)
    return Fresh(key, secret)


def revoke(db_store: Store, key_id: str, *, actor: str, new_id: NewId, now: int) -> ApiKey:
    """Ends a key at once. Refused: NOT_FOUND (also when it was revoked before)."""
    with db_store.transaction() as db:
        revoked = store.api_keys.revoke(db, key_id, now)
        if revoked is None:
            raise Refusal(Code.NOT_FOUND, f"There is no key {key_id} in use: checkout key list.")
        audit.note(db, actor, "key.revoke", key_id, {"merchant": revoked.merchant}, new_id, now)
        return revoked


def find(db: Rows, secret: str) -> ApiKey | None:
    """The key in use that was sent, None if there is none.

    It is looked up by its digest: the time that takes says something about the digest of a guess, which leads to no
    key."""
    if not _KEY.fullmatch(secret):
        return None
    digest = _digest(secret)
    key = store.api_keys.by_digest(db, digest)
    if key is None or key.revoked_at is not None or not same_secret(digest, key.digest):
        return None
    return key


def note_use(db_store: Store, key: ApiKey, now: int) -> None:
    """Notes when a key was used, at most once a minute: a key that only reads must not cause a write at every
    request."""
    if key.used_at is None or now - key.used_at >= USED_EVERY_S:
        with db_store.transaction() as db:
            store.api_keys.used(db, key.id, now, unless_since=now - USED_EVERY_S)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

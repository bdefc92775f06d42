"""A merchant's RSA keys, for the second version of epay: `checkout merchant rsa`. Changes are audited.

The merchant signs requests with its key. We sign callbacks with ours, which is made for this merchant alone, so that a
signature for one shop proves nothing to another.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from checkout import audit, store
from checkout.errors import Code, Refusal
from checkout.interfaces import NewId, Store
from checkout.model.merchants import Merchant

if TYPE_CHECKING:
    from Crypto.PublicKey.RSA import RsaKey

_BITS = 2048
_MOST_BITS = 8192


class RsaKeys(Struct, frozen=True):
    """What an owner enters in the shop, in base64 on one line as shops take it (DER: SPKI, PKCS#8)."""

    merchant: int
    platform_public: str
    merchant_public: str
    merchant_private: str  # shown once, when we have made the pair; never kept


def set_up(
    db_store: Store, merchant_id: int, *, public_key: str | None = None, renew: bool = False, actor: str,
    new_id: NewId, now: int,
) -> RsaKeys:  # fmt: skip
    """The merchant's keys; those that are missing are made.

    `public_key` (PEM or base64) is the merchant's own; without one, and with none stored, a pair is made for it.
    `renew` replaces our key, and the merchant's unless it brings one. Refused: NOT_FOUND, BAD_REQUEST.
    """
    theirs = _public_pem(public_key) if public_key is not None else ""
    before = _existing(db_store, merchant_id)
    # Outside the transaction: making a key takes seconds.
    ours = _new_key() if renew or not before.rsa_platform else None
    made = _new_key() if not theirs and (renew or not before.rsa_merchant) else None
    with db_store.transaction() as db:
        merchant = store.merchants.get(db, merchant_id)
        assert merchant is not None
        after = replace(
            merchant,
            rsa_platform=_pem(ours) if ours else merchant.rsa_platform,
            rsa_merchant=theirs or (_pem(made.public_key()) if made else merchant.rsa_merchant),
        )
        if after != merchant:
            store.merchants.update(db, after)
            told = {
                "platform": "made" if ours else "kept",
                "merchant": "made" if made else "given" if theirs else "kept",
            }
            audit.note(db, actor, "merchant.rsa", str(merchant_id), told, new_id, now)
    return _shown(after, made)


def _existing(db_store: Store, merchant_id: int) -> Merchant:
    with db_store.read() as db:
        merchant = store.merchants.get(db, merchant_id)
    if merchant is None:
        raise Refusal(Code.NOT_FOUND, f"There is no merchant {merchant_id}: checkout merchant list.")
    return merchant


def _shown(merchant: Merchant, made: RsaKey | None) -> RsaKeys:
    from Crypto.PublicKey import RSA

    return RsaKeys(
        merchant.id,
        _one_line(RSA.import_key(merchant.rsa_platform).public_key()),
        _one_line(RSA.import_key(merchant.rsa_merchant)),
        _one_line(made) if made else "",
    )


def _new_key() -> RsaKey:
    from Crypto.PublicKey import RSA

    return RSA.generate(_BITS)


def _public_pem(text: str) -> str:
    """A public key as PEM, from any of the forms in which shops print one."""
    from Crypto.PublicKey import RSA

    try:
        key = RSA.import_key(
            text.strip() if "-----BEGIN" in text else base64.b64decode("".join(text.split()), validate=True)
        )
    except (ValueError, IndexError, TypeError) as error:
        raise Refusal(Code.BAD_REQUEST, "That is no RSA public key: PEM, or base64 on one line.") from error
    if key.has_private():
        raise Refusal(Code.BAD_REQUEST, "That is a private key; it belongs in the shop. Give the public one.")
    if not _BITS <= key.size_in_bits() <= _MOST_BITS:
        raise Refusal(Code.BAD_REQUEST, f"The RSA key must have {_BITS} to {_MOST_BITS} bits.")
    return _pem(key)


def _pem(key: RsaKey) -> str:
    return key.export_key(pkcs=8).decode()


def _one_line(key: RsaKey) -> str:
    return base64.b64encode(key.export_key("DER", pkcs=8)).decode()

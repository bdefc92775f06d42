"""Signatures as pure functions: bytes and strings in, text out; no clock, no network, no store.

Every comparison is in constant time and over bytes. The dialects' rules on what is signed stand in their own files;
here is how.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from Crypto.PublicKey.RSA import RsaKey


def md5_of(*parts: str) -> str:
    """Lower-case hex MD5 over the plain concatenation of the parts in UTF-8 (vmq, GOGO, BufPay)."""
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def equal(given: str, expected: str) -> bool:
    """Whether two hexadecimal signatures are the same, in constant time, upper or lower case alike."""
    return hmac.compare_digest(given.lower().encode("utf-8", "replace"), expected.lower().encode())


def same_secret(given: str, expected: str) -> bool:
    """Whether a secret that was sent is ours, in constant time, to the letter; an empty secret never is."""
    return bool(expected) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def signed_by(given: str, keys: Iterable[str], *parts: str) -> bool:
    """Whether `given` is the MD5 of the parts followed by any of the keys (during a rotation two are valid)."""
    return any([bool(key) and equal(given, md5_of(*parts, key)) for key in keys])


def sorted_pairs(values: Mapping[str, str], *, keep_empty: bool = False, without: Iterable[str] = ()) -> str:
    """`k=v` joined by `&`, sorted by name, values as they are; empty values dropped unless told otherwise."""
    skip = frozenset(without)
    kept = ((k, v) for k, v in sorted(values.items()) if k not in skip and (v or keep_empty))
    return "&".join(f"{k}={v}" for k, v in kept)


def webhook_signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Standard Webhooks: `v1,` and the base64 HMAC-SHA256 over `id.timestamp.body`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()


def webhook_secret(written: str) -> bytes:
    """The key behind a secret of Standard Webhooks: `whsec_` and base64. ValueError when it is none."""
    return base64.b64decode(written.removeprefix("whsec_"), validate=True)


def hmac_sha256(secret: str, message: bytes) -> bytes:
    """The 32 bytes of HMAC-SHA256, the secret in UTF-8 (what phones and scripts sign with)."""
    return hmac.digest(secret.encode(), message, "sha256")


def rsa_sign(private_pem: str, message: bytes) -> str:
    """Base64 of the RSA signature over SHA-256 (PKCS#1 v1.5, "SHA256withRSA")."""
    from Crypto.Hash import SHA256
    from Crypto.Signature import pkcs1_15

    return base64.b64encode(pkcs1_15.new(_rsa_key(private_pem)).sign(SHA256.new(message))).decode()


def rsa_signed_by(given: str, public_pem: str, message: bytes) -> bool:
    """Whether `given` is such a signature, in base64, of the key in `public_pem`; False without a key."""
    from Crypto.Hash import SHA256
    from Crypto.Signature import pkcs1_15

    if not public_pem:
        return False
    try:
        pkcs1_15.new(_rsa_key(public_pem)).verify(SHA256.new(message), base64.b64decode(given, validate=True))
    except (ValueError, binascii.Error):
        return False
    return True


@lru_cache(maxsize=64)
def _rsa_key(pem: str) -> RsaKey:
    """Read once: taking a key apart costs as much as a signature."""
    from Crypto.PublicKey import RSA

    return RSA.import_key(pem)

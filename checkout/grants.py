"""Short-lived permissions that travel in an address or a form: signed, with their expiry inside, stored nowhere."""

from __future__ import annotations

import hashlib
import hmac
import re

_GRANT = re.compile(r"([0-9a-f]{1,12})\.([0-9a-f]{32})")


def grant(secret: str, purpose: str, subject: str, expires_at: int) -> str:
    """A text that permits `purpose` on `subject` until `expires_at` (Unix seconds)."""
    return f"{expires_at:x}.{_seal(secret, purpose, subject, expires_at)}"


def is_granted(given: str, secret: str, purpose: str, subject: str, now: int) -> bool:
    """Whether `given` is such a text, made by us and not expired."""
    match = _GRANT.fullmatch(given)
    if match is None:
        return False
    expires_at = int(match[1], 16)
    return hmac.compare_digest(match[2], _seal(secret, purpose, subject, expires_at)) and now < expires_at


def _seal(secret: str, purpose: str, subject: str, expires_at: int) -> str:
    message = "\n".join((purpose, subject, str(expires_at))).encode()
    return hmac.digest(secret.encode(), message, hashlib.sha256).hex()[:32]

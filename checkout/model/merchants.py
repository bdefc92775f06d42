"""Who asks to be paid, and with what their servers prove it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

from checkout.records import Discreet

# How a merchant's id is written where a client names it: APPID, pid, aid, in a path.
MERCHANT_ID = re.compile(r"[1-9][0-9]{0,15}")


class Mode(StrEnum):
    """How many weaknesses of the legacy dialects a merchant accepts (ARCHITECTURE.md: "vmq and GOGO sign orders and
    notices alike")."""

    STRICT = "strict"
    COMPAT = "compat"


class Merchant(Discreet, frozen=True):
    """A shop that asks to be paid, in whatever dialect."""

    SECRET: ClassVar = ("key", "previous_key", "rsa_platform")

    id: int  # GOGO's APPID, epay's pid and BufPay's aid
    name: str
    key: str
    previous_key: str  # still accepted until `previous_key_until`
    previous_key_until: int
    mode: Mode
    guard_param: bool  # refuse a `param` that could be cut into another price
    reuse: bool  # the same number again gives the same pending order
    notify_url: str
    return_url: str
    allow_hosts: tuple[str, ...]
    disabled_at: int | None
    created_at: int
    rsa_platform: str = ""  # PEM of our private key for this merchant; "": none
    rsa_merchant: str = ""  # PEM of the merchant's public key

    def keys(self, now: int) -> tuple[str, ...]:
        """The keys that are valid at `now`, the current one first."""
        return (self.key, self.previous_key) if self.previous_key_until > now else (self.key,)


class ApiKey(Discreet, frozen=True):
    """What a merchant's server authenticates with to the native API."""

    SECRET: ClassVar = ("digest",)

    id: str
    merchant: int
    name: str
    digest: str  # SHA-256 of the key, in hex
    shown: str  # its beginning, to tell it from others
    scopes: str  # separated by spaces
    created_at: int
    used_at: int | None  # at most a minute old
    revoked_at: int | None


class Answered(Struct, frozen=True):
    """The answer to a request that may be sent again with the same idempotency key."""

    merchant: int
    key: str
    request: str  # SHA-256 of what was asked, in hex
    status: int
    body: str
    created_at: int

"""Our own errors. Each has a code that never changes and one sentence for a person.

Every refusal that a user can cause is a `Refusal`; `checkout.web` turns its code into an HTTP status
in one table, and each dialect turns it into its own words.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Why a request was turned down."""

    BAD_REQUEST = "bad_request"  # a parameter is missing, doubled, too long or not in its grammar
    BAD_AMOUNT = "bad_amount"
    ZERO_AMOUNT = "zero_amount"
    BAD_URL = "bad_url"  # a notify or return address that may not be used
    BAD_SIGNATURE = "bad_signature"
    FORBIDDEN = "forbidden"  # well signed, but the merchant's settings do not allow it
    NOT_FOUND = "not_found"
    DUPLICATE = "duplicate"  # the merchant's number is taken by another or a paid order
    NOT_ALLOWED = "not_allowed"  # the order's state does not allow this
    NO_ACCOUNT = "no_account"  # nothing set up that could receive the money
    PHONE_OFFLINE = "phone_offline"
    GATEWAY = "gateway"  # no official gateway takes the order now
    BUSY = "busy"  # every amount is taken; `retry_after` says when one will be free
    DISK_FULL = "disk_full"
    CONFLICT = "conflict"  # somebody else was first
    LIMITED = "limited"  # too many requests


class Refusal(Exception):
    """A request turned down by a rule.

    `message` is one English sentence that says what to do; pages translate it by its code. `retry_after` is in seconds;
    None where waiting does not help.
    """

    def __init__(self, code: Code, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after


class Conflict(Exception):
    """The database's own rule (a UNIQUE or CHECK) refused a row; the caller knows what that means."""


class SettingsError(Exception):
    """A setting that cannot be used; the message is one sentence that names the setting and holds no secret."""


class StoreError(Exception):
    """The database cannot be used; the message says what to do about it."""


class Damaged(StoreError):
    """A check has found something in a database that must not be there."""

"""What the doctor looks at, and what he says."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from checkout.interfaces import Send, Store
from checkout.settings import Settings


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(Struct, frozen=True):
    """One sentence on what was found, and one on what to do about it ("" where nothing is to be done)."""

    check: str
    status: Status
    message: str
    fix: str = ""


class Patient(Struct, frozen=True):
    """An installation: `store` is None when the database cannot be used, for the reason in `trouble`."""

    settings: Settings
    store: Store | None
    trouble: str
    look: Send  # to our own base URL, which may be private
    call: Send  # to shops, with the rules that callbacks have
    now: int


def ok(check: str, message: str) -> Finding:
    return Finding(check, Status.OK, message)


def warn(check: str, message: str, fix: str) -> Finding:
    return Finding(check, Status.WARN, message, fix)


def fail(check: str, message: str, fix: str) -> Finding:
    return Finding(check, Status.FAIL, message, fix)

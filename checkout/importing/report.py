"""Who brings something over, and what has come of it."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from checkout.interfaces import NewId


class Report(Struct):
    """What came over, and what did not with its reason; sentences for the owner."""

    imported: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)  # what, why
    notes: list[str] = field(default_factory=list)


class By(Struct, frozen=True):
    """Who does it, as the audit log and new rows need it."""

    actor: str
    new_id: NewId
    now: int

"""What the owner is told, what was changed by hand, and who is signed in."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from checkout.records import Discreet


class Alert(Struct, frozen=True):
    """Something that needs the owner, and what was told of it."""

    id: str
    condition: str  # the same while it lasts; one that is not over exists once
    kind: str
    level: int  # grows when it gets worse
    details: str  # JSON object
    raised_at: int
    told_at: int | None
    told_level: int
    cleared_at: int | None
    due_at: int | None  # when to tell next; while a process is at it, when its lease ends; None: nothing to tell
    attempts: int


class AuditEntry(Struct, frozen=True):
    """A change made by hand to money, keys or settings."""

    id: str
    at: int
    actor: str
    action: str
    subject: str
    detail: str  # JSON object


class Session(Discreet, frozen=True):
    """A browser that is signed in to the owner's pages."""

    SECRET: ClassVar = ("id",)

    id: str  # SHA-256 of its cookie
    created_at: int
    seen_at: int
    proved_at: int  # when the password was typed last
    address: str
    agent: str  # what the browser says it is

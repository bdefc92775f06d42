"""What reports money."""

from __future__ import annotations

from typing import ClassVar

from checkout.records import Discreet


class Device(Discreet, frozen=True):
    """One phone (or script) that reports money."""

    SECRET: ClassVar = ("key", "previous_key", "token")

    id: str
    name: str
    kind: str  # vmq | smsforwarder | generic
    key: str
    previous_key: str
    previous_key_until: int
    token: str  # stands in the URL of the kinds other than vmq; as secret as the key
    beat_at: int | None
    push_at: int | None
    revoked_at: int | None
    created_at: int
    signed: bool = False  # generic only: what is not signed with the key is refused

    def keys(self, now: int) -> tuple[str, ...]:
        """The keys that are valid at `now`, the current one first."""
        return (self.key, self.previous_key) if self.previous_key_until > now else (self.key,)

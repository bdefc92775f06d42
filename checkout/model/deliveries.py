"""Messages owed to merchants, and where they go."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

from checkout.records import Discreet


class DeliveryState(StrEnum):
    """What became of a message owed to a merchant."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    NONE = "none"  # the order and its merchant name no address to tell
    HELD = "held"  # its endpoint is paused
    DROPPED = "dropped"  # its endpoint was removed before it was delivered


class Delivery(Discreet, frozen=True):
    """One message owed to a merchant."""

    SECRET: ClassVar = ("body",)

    id: str  # the webhook-id: the same at every try
    order_token: str
    merchant: int
    dialect: str
    event: str
    url: str
    state: DeliveryState
    attempts: int  # tries so far
    due_at: int  # when to try next; while a worker is at it, when its lease ends
    created_at: int
    done_at: int | None
    endpoint: str = ""  # the webhook endpoint that it goes to; "": the order's own callback
    subject: str = ""  # what else than the order it is about: a refund, a payment
    body: str = ""  # for an endpoint: the event as it was when it happened
    tried_before: int = 0  # tries made before it was sent again: the schedule began anew after them


class Try(Struct, frozen=True):
    """One try at a delivery and what the merchant answered."""

    delivery: str
    number: int
    at: int
    status: int | None
    elapsed_ms: int
    answer: str  # at most 4 KiB
    error: str


class Endpoint(Discreet, frozen=True):
    """Where a merchant's systems hear of events."""

    SECRET: ClassVar = ("secret", "previous_secret")

    id: str
    merchant: int
    url: str
    events: str  # separated by spaces; "": all
    description: str
    secret: str  # whsec_ and base64 of 32 bytes
    previous_secret: str  # signs beside it until `previous_secret_until`
    previous_secret_until: int
    failing_since: int | None  # since when every try has failed
    paused_at: int | None
    pause: str  # why: hand | gone (it answered 410) | failing; "": it is not paused
    created_at: int

    def wants(self, event: str) -> bool:
        return not self.events or event in self.events.split(" ")

    def secrets(self, now: int) -> tuple[str, ...]:
        """The secrets that sign at `now`, the current one first."""
        return (self.secret, self.previous_secret) if self.previous_secret_until > now else (self.secret,)

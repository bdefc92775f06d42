"""Money that came, or of which a buyer says so."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

BY_HAND = "hand"  # the channel of money that only its owner has seen


class Judgement(StrEnum):
    """What became of a payment."""

    MATCHED = "matched"  # it paid its order in time
    LATE = "late"  # it paid its order after expiry or closing
    SUSPECTED = "suspected"  # looks like a repeat of a payment that is already booked
    UNMATCHED = "unmatched"  # no order, or more than one, holds this amount
    UNREADABLE = "unreadable"  # money seems to have come, the amount could not be read
    IGNORED = "ignored"  # set aside by hand
    LINKED = "linked"  # given to its order by hand


class Payment(Struct, frozen=True):
    """Evidence that money came."""

    id: str
    channel: str
    reference: str  # unique within the channel
    device: str
    method: str
    amount: int | None
    judgement: Judgement
    order_token: str
    account: str
    raw: str  # the message as it came, without its signature
    note: str
    happened_at: int  # as the phone or the gateway says
    received_at: int
    judged_at: int | None
    merchant: int = 0  # whose order it stands for; 0: nobody's


class Claim(Struct, frozen=True):
    """A buyer's statement that an order was paid; it is shown to the owner and confirms nothing."""

    id: str
    order_token: str
    amount: int
    paid_around: str
    last_digits: str
    note: str
    created_at: int
    settled_at: int | None

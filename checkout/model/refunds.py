"""Money that goes back."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from checkout.model.accounts import PERSONAL


class RefundState(StrEnum):
    """What became of a refund."""

    ASKED = "asked"  # on its way
    DONE = "done"
    FAILED = "failed"
    BY_HAND = "by_hand"  # the owner sent the money back without us


class Refund(Struct, frozen=True):
    """Money that goes back to a buyer, or went."""

    id: str  # towards the gateway: the same at every try
    order_token: str
    number: str  # that of whoever asks, else the id; unique within the order
    amount: int
    reason: str
    state: RefundState
    created_at: int
    done_at: int | None
    channel: str = PERSONAL
    attempts: int = 0  # calls of the gateway
    due_at: int | None = None  # when to call next; while a worker is at it, when its lease ends
    error: str = ""  # why it failed, or why it is not done yet
    payment: str = ""  # the payment that goes back where it settled no order; "": the one that settled this order

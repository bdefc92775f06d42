"""What a merchant asks to be paid, and how it may move."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class State(StrEnum):
    """Where an order stands. PAID is final; what happens after it (a refund) is a row of its own."""

    PENDING = "pending"
    PAID = "paid"
    EXPIRED = "expired"
    CLOSED = "closed"


MOVES: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.PAID, State.EXPIRED, State.CLOSED}),
    State.EXPIRED: frozenset({State.PAID}),
    State.CLOSED: frozenset({State.PAID}),
    State.PAID: frozenset(),
}


class Order(Struct, frozen=True):
    """What a merchant asked to be paid."""

    token: str  # 128 random bits in hex, the only public id
    merchant: int
    dialect: str
    number: str  # the merchant's own
    attempt: int  # 1, or more when the number was asked for again after it had expired or closed
    state: State
    late: bool  # paid after expiry or closing
    method: str  # "" until the buyer has chosen
    account: str  # "" until then
    channel: str
    price: int
    really_price: int | None
    title: str
    content: str
    param: str
    buyer: str  # the merchant's label for the buyer
    price_text: str  # the price as the merchant spelt it
    notify_url: str
    return_url: str
    extra: str  # JSON object, the dialect's own
    asked: str  # digest of what was asked, to tell a retry from another order
    product: str
    quantity: int
    rev: int  # grows with every change that a page shows
    created_at: int
    expires_at: int
    shown_at: int | None  # when the QR code left the house
    paid_at: int | None
    closed_at: int | None
    client: str = ""  # keyed digest of the address that opened it, where a buyer did

    def state_at(self, now: int) -> State:
        """The state as it counts at `now`: a pending order is expired from `expires_at` on."""
        if self.state is State.PENDING and now >= self.expires_at:
            return State.EXPIRED
        return self.state

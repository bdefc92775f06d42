"""What came for an order and through which channel, and what went back of it."""

from __future__ import annotations

from msgspec import Struct

from checkout import store
from checkout.interfaces import Rows
from checkout.model.accounts import PERSONAL
from checkout.model.orders import Order, State
from checkout.model.payments import BY_HAND, Judgement, Payment

_SETTLING = (Judgement.MATCHED, Judgement.LATE, Judgement.LINKED)
_OURSELVES = frozenset({PERSONAL, BY_HAND})  # channels of payments that no gateway told of


class Back(Struct, frozen=True):
    """Fen of an order's money: what came, what went back, what is on its way back."""

    came: int
    back: int
    under_way: int

    @property
    def left(self) -> int:
        """What can still be refunded."""
        return max(0, self.came - self.back - self.under_way)

    @property
    def is_whole(self) -> bool:
        """The order is refunded: all of its money went back."""
        return 0 < self.came <= self.back


NOTHING_BACK = Back(0, 0, 0)


def of(db: Rows, order: Order) -> Back:
    """What has become of an order's money, as `db` reads it; nothing came for an order that is not paid.

    Whoever writes a refund by it holds `store.refunds.lock` from before it is read."""
    if order.state is not State.PAID:
        return NOTHING_BACK
    return Back(paid_amount(db, order), *store.refunds.sums(db, order.token))


def channel_of(db: Rows, order: Order) -> str:
    """The channel through which the money of a paid order came: a section of checkout.toml, `PERSONAL` or `BY_HAND`."""
    payment = settling(db, order)
    return payment.channel if payment else BY_HAND


def is_by_hand(channel: str) -> bool:
    """Whether only the owner can send back what came through the channel."""
    return channel in _OURSELVES


def paid_amount(db: Rows, order: Order) -> int:
    """Fen that came for a paid order: what was reported, else what was to be paid."""
    payment = settling(db, order)
    seen = payment.amount if payment else None
    return seen if seen is not None else order.really_price or order.price


def settling(db: Rows, order: Order) -> Payment | None:
    """The payment that settled an order."""
    found = (one for one in store.payments.of_order(db, order.token) if one.judgement in _SETTLING)
    return next(found, None)

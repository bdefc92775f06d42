"""Which orders a payment without one may belong to, the likeliest first: by amount, then by time.

It books nothing: a person looks and decides.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from checkout import store
from checkout.interfaces import Rows
from checkout.model.orders import Order
from checkout.model.payments import Payment
from checkout.money import MAX_FEN

MOST = 5
_EXACT_WITHIN_S = 3 * 86_400  # an order of exactly this amount may have waited long
_NEAR_WITHIN_S = 3600  # somebody who typed another amount pays while the page is open
_LOOKED_AT = 20
_NEAR_FEN = 500


class Candidate(Struct, frozen=True):
    """`gap`: fen that the payment is off (0: exactly); `waited`: seconds from the order's opening to the money."""

    order: Order
    gap: int
    waited: int


def ranked(db: Rows, payment: Payment) -> list[Candidate]:
    """At most five; none for money that no order of its time fits."""
    found = {order.token: order for order in _near(db, payment) if payment.method in ("", order.method)}
    fitting = [_candidate(order, payment) for order in found.values()]
    return sorted(fitting, key=lambda one: (abs(one.gap), one.waited))[:MOST]


def _near(db: Rows, payment: Payment) -> Iterable[Order]:
    amount, until = payment.amount, payment.received_at + 1
    around = (1, MAX_FEN) if amount is None else (amount - _NEAR_FEN, amount + _NEAR_FEN)
    since = payment.received_at - _NEAR_WITHIN_S
    yield from store.orders.unpaid_between(db, since, until, around, limit=_LOOKED_AT)
    if amount is not None:
        since = payment.received_at - _EXACT_WITHIN_S
        yield from store.orders.unpaid_of_amount(db, amount, since, until, limit=_LOOKED_AT)


def _candidate(order: Order, payment: Payment) -> Candidate:
    assert order.really_price is not None
    gap = 0 if payment.amount is None else payment.amount - order.really_price
    return Candidate(order, gap, payment.received_at - order.created_at)

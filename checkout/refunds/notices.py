"""What gateways say about refunds: about ours, that they should be asked; about the owner's own, made on the gateway's
pages, that money went back. Nothing here calls anybody.
"""

from __future__ import annotations

from checkout import store
from checkout.channel import Channel, Notice
from checkout.interfaces import NewId, Rows, Store
from checkout.model.orders import Order
from checkout.model.refunds import Refund, RefundState
from checkout.money import yuan
from checkout.refunds import ledger, money_back

_ELSEWHERE = "Refunded at the gateway."


def handle(db_store: Store, channel: Channel, notice: Notice, *, new_id: NewId, now: int) -> bool:
    """Heeds a notice about a refund. False: the gateway must send it again, as one of ours is under way and must be
    counted first."""
    with db_store.transaction() as db:
        ours = store.refunds.get(db, notice.refund_number)
        if ours is not None and ours.channel == channel.name:
            store.refunds.lock(db, ours.order_token)
            _ask_again(db, ours, now)
            return True
        order = store.orders.get(db, notice.order_token)
        if order is None or notice.mismatch or not notice.refunded:
            return True
        return went_back(db, channel, order, notice.refunded, notice.refund_number, new_id=new_id, now=now)


def went_back(
    db: Rows, channel: Channel, order: Order, in_all: int | None, number: str, *, new_id: NewId, now: int
) -> bool:
    """Records how much of a paid order's money went back without us; according to the gateway it is `in_all` fen so far
    (None: all of it). `number` is the gateway's for the latest refund. False: as `handle`."""
    store.refunds.lock(db, order.token)
    came_elsewhere = money_back.channel_of(db, order) != channel.name
    if came_elsewhere or (number and store.refunds.by_number(db, order.token, number)):
        return True
    stands = money_back.of(db, order)
    if stands.under_way:
        for one in store.refunds.of_order(db, order.token):
            store.refunds.hurry(db, one.id, now)
        return not stands.left
    amount = min(stands.left, (stands.came if in_all is None else in_all) - stands.back)
    if amount > 0:
        own = new_id("ref")
        refund = Refund(
            own, order.token, number or own, amount, _ELSEWHERE, RefundState.DONE, created_at=now, done_at=now,
            channel=channel.name,
        )  # fmt: skip
        ledger.record(db, refund, new_id, now)
    return True


def _ask_again(db: Rows, ours: Refund, now: int) -> None:
    """A failed refund may go on: the owner has finished it on the gateway's pages. Then its money is counted again."""
    if ours.state is not RefundState.FAILED:
        store.refunds.hurry(db, ours.id, now)
    elif ledger.fits(db, ours):
        store.refunds.reopen(db, ours.id, now)
    else:
        twice = f"The gateway goes on with it, though {yuan(ours.amount)} went back otherwise: look at its pages."
        store.refunds.explain(db, ours.id, twice)

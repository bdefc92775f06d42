"""What a transaction comes to owe merchants, collected while it runs; claimed, where it can go out right after it."""

from __future__ import annotations

from typing import NamedTuple

from checkout.interfaces import Clock, Dialects
from checkout.model.deliveries import Delivery, DeliveryState
from checkout.model.merchants import Merchant
from checkout.model.orders import Order
from checkout.outbox import deliveries, letters
from checkout.outbox.lanes import Lanes, lane_of
from checkout.outbox.letters import Letter


class Way(NamedTuple):
    """A claimed message and the lane that was entered for it."""

    letter: Letter
    lane: str


class Owing:
    """An `interfaces.Owed`: `claimed` may leave when the transaction is on the disk, `others` wait for a look."""

    def __init__(self, dialects: Dialects, clock: Clock, lanes: Lanes) -> None:
        self._dialects, self._clock, self._lanes = dialects, clock, lanes
        self.claimed: list[Way] = []
        self.others: list[Delivery] = []

    def reset(self) -> None:
        self.others.clear()
        while self.claimed:
            self._lanes.leave(self.claimed.pop().lane)

    def callback(self, delivery: Delivery, order: Order, merchant: Merchant, receipt: str) -> Delivery:
        lane = lane_of(delivery)
        if not self._lanes.enter(lane):
            self.others.append(delivery)
            return delivery
        try:
            now = self._clock()
            claimed = deliveries.leased(delivery, now)
            self.claimed.append(Way(letters.callback(self._dialects, claimed, order, merchant, receipt, now), lane))
        except BaseException:
            self._lanes.leave(lane)
            raise
        return claimed

    def event(self, delivery: Delivery) -> None:
        if delivery.state is DeliveryState.WAITING:
            self.others.append(delivery)

"""Buyers by the hundred thousand through the real rules and the real database, on a clock that is told the time.

They pay at once, late or never; some shops ask twice; phones repeat themselves, say the same under a new time, wake up
late, and two of them watch one account; shops answer, fail, or book and do not get their answer out. Whose money it was
is known here, so every credit, every message and everything that is stored can be held against the truth.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

from bench.market import Habits
from checkout import orders, protocols, store
from checkout.errors import Code, Refusal
from checkout.http.client import Answer, Outgoing, Reason, Unreachable
from checkout.model.deliveries import Delivery
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement
from checkout.outbox import deliveries
from checkout.payments import ECHO_WINDOW_S
from checkout.store import open_store
from tests.shop import LIMITS, Shop
from tests.world import answer

PRICES = (500, 990, 991, 1990, 9900)
METHODS = ("wechat", "wechat", "alipay")
PHONES = {"wechat": ("phone", "second"), "alipay": ("third",)}
_REOPENED_EVERY = 5_000  # arrivals between two restarts


@dataclass(frozen=True, slots=True)
class People:
    """Shares of 1 and seconds, beside the habits of the market."""

    asks_twice: float = 0.03
    closes: float = 0.01
    same_again: float = 0.03  # pushes sent again with the same time
    wakes_late: float = 0.1  # of what the second phone tells
    wakes_after: float = 900
    fails: float = 0.06  # of the shops' answers
    answer_lost: float = 0.03
    worker_dies: float = 0.005


@dataclass(eq=False, slots=True)
class Buyer:
    """An order and what became of the money for it."""

    order: Order
    told_at: int | None = None  # when a phone first told of its money
    credited: int = 0  # times money was booked to it
    heard: int = 0
    acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Telling:
    """A phone tells of a buyer's money; `first`: nobody told of it before."""

    buyer: Buyer
    phone: str
    at: int  # tells one money from the next, as the phone's own time does
    first: bool
    same: bool = False


@dataclass
class Report:
    arrivals: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def run(folder: Path, arrivals: int, *, seed: int = 1, gap: float = 20) -> Report:
    """`arrivals` orders, `gap` seconds apart on average; `faults` are sentences about what must not be."""
    with closing(open_store(str(folder / "checkout.db"))) as opened:
        crowd = _Crowd(Shop(opened).fill(), Random(seed))
        crowd.run(arrivals, gap)
        crowd.report.faults += list(crowd.check())
        return crowd.report


class _Crowd:
    def __init__(self, shop: Shop, dice: Random) -> None:
        self.shop, self._dice, self._people, self._habits = shop, dice, People(), Habits()
        self.report = Report()
        self._buyers: dict[str, Buyer] = {}
        self._moments: list[tuple[int, int, Callable[[], None]]] = []
        self._turn, self._tellings, self._stored = count(), count(1), 0
        self._dialects = protocols.dialects()
        shop.add_device("second", ["wx-main"])
        shop.add_account(id="ali-main", method="alipay", code="https://qr.alipay.com/fkx")
        shop.add_device("third", ["ali-main"])

    def run(self, arrivals: int, gap: float) -> None:
        moment = float(self.shop.now)
        for number in range(arrivals):
            moment += self._dice.expovariate(1 / gap)
            self._live_until(int(moment))
            self._arrive(f"N{number}")
            if number % _REOPENED_EVERY == _REOPENED_EVERY - 1:
                self.shop.store.close()  # the next use opens it anew
        self._live_until(None)
        for _ in range(3):  # the shops are well again
            self.shop.go(86_400)
            self._tell_shops(everybody_hears=True)

    # The buyers

    def _arrive(self, number: str) -> None:
        dice, method = self._dice, self._dice.choice(METHODS)
        self.report.arrivals += 1
        price = dice.choice(PRICES)
        try:
            order = self.shop.open(number, price, method=method)
        except Refusal as refusal:
            self._expect(refusal.code is Code.BUSY, f"{number} was refused: {refusal.message}")
            self.report.counts["refused"] += 1
            return
        buyer = self._buyers[order.token] = Buyer(order)
        if dice.random() < self._people.asks_twice:
            again = self.shop.open(number, price, method=method)
            self._expect(again.token == order.token, f"{number} was asked for twice and became two orders")
        if dice.random() < self._people.closes:
            self._later(int(dice.expovariate(1 / 100)), lambda: self._close(order))
        if dice.random() < self._habits.pay:
            self._plan_to_pay(buyer, method)

    def _close(self, order: Order) -> None:
        try:
            self.shop.close(order)
        except Refusal as refusal:
            self._expect(refusal.code is Code.NOT_ALLOWED, f"closing was refused: {refusal.message}")

    def _plan_to_pay(self, buyer: Buyer, method: str) -> None:
        dice, habits = self._dice, self._habits
        if dice.random() < habits.late:
            after = LIMITS.order_ttl + dice.expovariate(1 / habits.late_mean)
        else:
            after = dice.lognormvariate(math.log(habits.median), habits.sigma)
        if dice.random() < habits.delayed:
            after += dice.expovariate(1 / habits.delay_mean)
        phones = list(PHONES[method])
        dice.shuffle(phones)
        for number, phone in enumerate(phones):
            if number:
                is_late = dice.random() < self._people.wakes_late
                after += dice.expovariate(1 / self._people.wakes_after) if is_late else dice.uniform(0, 5)
            self._plan_to_tell(buyer, phone, int(after), first=number == 0)

    def _plan_to_tell(self, buyer: Buyer, phone: str, after: int, *, first: bool) -> None:
        at = next(self._tellings)
        self._later(after, lambda: self._told(Telling(buyer, phone, at, first)))
        if self._dice.random() < self._people.same_again:
            self._later(after + self._dice.randrange(600), lambda: self._told(Telling(buyer, phone, at, False, True)))
        if self._dice.random() < self._habits.repeated:
            anew = next(self._tellings)
            self._later(after + 1, lambda: self._told(Telling(buyer, phone, anew, False)))

    # The phones

    def _told(self, telling: Telling) -> None:
        payer = telling.buyer.order
        amount = payer.really_price
        before = self._buyers_hold(telling)
        outcome = self.shop.push(amount, telling.phone, method=payer.method, at=telling.at)
        self._stored += not outcome.repeated
        telling.buyer.told_at = self.shop.now if telling.buyer.told_at is None else telling.buyer.told_at
        self.report.counts["tellings"] += 1
        if telling.same:
            return
        if outcome.order is None:
            self._count_uncredited(telling, before)
            return
        credited = self._buyers[outcome.order.token]
        credited.credited += 1
        self._judge_credit(telling, credited)

    def _buyers_hold(self, telling: Telling) -> bool:
        """Whether the rules promise that this money pays its own order."""
        payer, now = telling.buyer, self.shop.now
        return telling.first and not payer.credited and now < payer.order.expires_at + LIMITS.grace

    def _count_uncredited(self, telling: Telling, is_promised: bool) -> None:
        self.report.counts["to review"] += 1
        if is_promised:
            self.report.counts["in time, to review"] += 1

    def _judge_credit(self, telling: Telling, credited: Buyer) -> None:
        payer, now = telling.buyer, self.shop.now
        self._expect(credited.credited == 1, f"{credited.order.number} was paid twice")
        # Phones that tell of two equal sums in another order than they came: both orders have their money.
        self.report.counts["right" if credited.told_at is not None else "wrong"] += 1
        if credited.told_at is not None:
            return
        assert payer.told_at is not None
        lateness, since_told = now - payer.order.expires_at, now - payer.told_at
        what = f"the money of {payer.order.number} paid {credited.order.number}, {lateness} s after its time"
        if telling.first:
            self._expect(lateness >= LIMITS.grace, what)
        else:
            self._expect(since_told > ECHO_WINDOW_S, f"told again, {what}")

    # The shops

    def _tell_shops(self, *, everybody_hears: bool = False) -> None:
        """What a worker does."""
        orders.expire_due(self.shop.store, self.shop.now)
        for one in self._due():
            claimed = deliveries.claim(self.shop.store, one, self.shop.now)
            assert claimed is not None
            self._expect(deliveries.claim(self.shop.store, one, self.shop.now) is None, f"{one.id} was claimed twice")
            if not everybody_hears and self._dice.random() < self._people.worker_dies:
                continue  # its lease brings the message back
            send = self._hears if everybody_hears else self._perhaps_hears
            deliveries.deliver(self.shop.store, self._dialects, send, claimed, lambda: self.shop.now)

    def _due(self) -> list[Delivery]:
        with self.shop.store.read() as db:
            return store.deliveries.due(db, self.shop.now)

    def _perhaps_hears(self, request: Outgoing) -> Answer:
        luck = self._dice.random()
        if luck < self._people.fails:
            self._hear(request)
            return answer(503, b"busy")
        if luck < self._people.fails + self._people.answer_lost:
            self._hear(request)
            raise Unreachable(Reason.TIMEOUT, "The answer did not come in time.")
        return self._hears(request)

    def _hears(self, request: Outgoing) -> Answer:
        self._hear(request).acknowledged = True
        return answer()

    def _hear(self, request: Outgoing) -> Buyer:
        number = request.url.partition("payId=")[2].partition("&")[0]
        buyer = self._of_number(number)
        buyer.heard += 1
        self.report.counts["callbacks"] += 1
        self._expect(not buyer.acknowledged, f"the shop was told of {number} after it had acknowledged")
        self._expect(buyer.credited == 1, f"the shop was told of {number}, which nobody paid")
        return buyer

    def _of_number(self, number: str) -> Buyer:
        with self.shop.store.read() as db:
            found = store.orders.by_number(db, 1001, number)
        assert found is not None
        return self._buyers[found.token]

    # Time

    def _later(self, seconds: int, what: Callable[[], None]) -> None:
        heapq.heappush(self._moments, (self.shop.now + seconds, next(self._turn), what))

    def _live_until(self, moment: int | None) -> None:
        while self._moments and (moment is None or self._moments[0][0] <= moment):
            at, _, what = heapq.heappop(self._moments)
            self.shop.now = max(self.shop.now, at)
            what()
            self._tell_shops()
        if moment is not None:
            self.shop.now = max(self.shop.now, moment)
            self._tell_shops()

    def _expect(self, holds: bool, fault: str) -> None:
        if not holds:
            self.report.faults.append(fault)

    # What stands in the database

    def check(self) -> Iterator[str]:
        with self.shop.store.read() as db:
            for promise in store.invariants.PROMISES:
                for one in store.invariants.broken(db, promise, self.shop.now):
                    yield f"not true for {one}: {promise.sentence}"
            states = {row[0]: row[1] for row in db.all("SELECT token, state FROM orders")}
            judged = Counter({row[0]: row[1] for row in db.all(
                "SELECT judgement, count(*) FROM payments GROUP BY judgement")})  # fmt: skip
        if judged.total() != self._stored:
            yield f"{self._stored} different reports were acknowledged and {judged.total()} are there"
        self.report.counts["suspected"] = judged[Judgement.SUSPECTED]
        self.report.counts["unmatched"] = judged[Judgement.UNMATCHED]
        for token, buyer in self._buyers.items():
            paid = states.get(token) == State.PAID
            self.report.counts["paid"] += paid
            if paid != (buyer.credited == 1) or paid != buyer.acknowledged:
                yield (f"{buyer.order.number} is {states.get(token, 'gone')}, was credited {buyer.credited} times"
                       f" and its shop heard {buyer.heard} times")  # fmt: skip

"""A market in memory: buyers, slow payers and a phone that repeats itself, for one price and one account.

The amounts are given out by the production policy (`checkout.amounts`) over an in-memory book, and pushes are judged
as `checkout.payments` judges them. What is not in the policy is in `Habits`: how people and phones behave.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from checkout import amounts
from checkout.amounts import Limits
from checkout.model.accounts import Rest
from checkout.payments import REPEAT_WINDOW_S

PRICE = 990
AMOUNTS = 100
Push = tuple[int, int, "Sale", bool]  # when it arrives, a running number, the payer's own order, whether a repeat


@dataclass(frozen=True, slots=True)
class Policy:
    """How long an amount rests: after an order that was shown, from its expiry; after a payment, from it."""

    name: str
    shown: Callable[[int], Rest]
    paid: Callable[[int, int], Rest]


@dataclass(frozen=True, slots=True)
class Habits:
    """Times in seconds, shares of 1."""

    pay: float = 0.70
    median: float = 40
    sigma: float = 0.7  # of the log-normal time to pay
    late: float = 0.03  # of the payers, after expiry
    late_mean: float = 1200
    delayed: float = 0.01  # of the pushes
    delay_mean: float = 300
    repeated: float = 0.05  # with a new t, a second later


@dataclass(slots=True)
class Sale:
    """An order, as far as amounts are concerned."""

    amount: int
    expires_at: int
    paid: bool = False


def rested(limits: Limits) -> Policy:
    """The production policy."""
    return Policy("rested", lambda expires_at: amounts.rest_of_shown(expires_at, limits), amounts.rest_of_paid)


def at_once() -> Policy:
    """The usual one: the lowest free amount, free again as soon as its order is paid or expired."""
    return Policy("at once", lambda expires_at: Rest(expires_at, expires_at), lambda now, _: Rest(now, now))


class Market:
    """One run. `tally` counts what happened to orders and to payments (repeats apart)."""

    def __init__(self, policy: Policy, limits: Limits, habits: Habits, seed: int) -> None:
        self._policy, self._limits, self._habits = policy, limits, habits
        self._random = Random(seed)
        self._slots: dict[int, tuple[Sale, int, int]] = {}  # amount → order, free_at, rested_at
        self._pushed: dict[int, int] = {}  # amount → when it was reported last
        self._pushes: list[Push] = []
        self.tally: Counter[str] = Counter()

    def run(self, arrivals: int, gap: float) -> Counter[str]:
        """`arrivals` buyers, `gap` seconds apart on average (Poisson); then everything still under way arrives."""
        moment = 0.0
        for _ in range(arrivals):
            moment += self._random.expovariate(1 / gap)
            self._receive_until(int(moment))
            self._arrive(moment)
        self._receive_until(None)
        return self.tally

    def _arrive(self, moment: float) -> None:
        now = int(moment)
        self.tally["arrivals"] += 1
        resting = {amount: free_at for amount, (_, free_at, rested_at) in self._slots.items() if rested_at > now}
        amount = amounts.choose(amounts.candidates(PRICE, "up", AMOUNTS - 1), resting, now)
        if amount is None:
            self.tally["refused"] += 1
            return
        sale = Sale(amount, now + self._limits.order_ttl)
        self._book(sale, self._policy.shown(sale.expires_at))
        self.tally["opened"] += 1
        self.tally["offset"] += amount - PRICE
        if self._random.random() < self._habits.pay:
            self._plan(sale, moment)

    def _plan(self, sale: Sale, moment: float) -> None:
        """When the phone will report the payment."""
        habits, random = self._habits, self._random
        if random.random() < habits.late:
            at = sale.expires_at + random.expovariate(1 / habits.late_mean)
        else:
            at = moment + random.lognormvariate(math.log(habits.median), habits.sigma)
        if random.random() < habits.delayed:
            at += random.expovariate(1 / habits.delay_mean)
        self._push(int(at), sale, repeat=False)
        if random.random() < habits.repeated:
            self._push(int(at) + 1, sale, repeat=True)

    def _push(self, at: int, sale: Sale, *, repeat: bool) -> None:
        self.tally["pushes"] += 1
        heapq.heappush(self._pushes, (at, self.tally["pushes"], sale, repeat))

    def _receive_until(self, now: int | None) -> None:
        while self._pushes and (now is None or self._pushes[0][0] <= now):
            at, _, payer, repeat = heapq.heappop(self._pushes)
            self._judge(at, payer, repeat)

    def _judge(self, now: int, payer: Sale, repeat: bool) -> None:
        kind = "repeats " if repeat else ""
        self.tally[f"{kind}received"] += 1
        holder, free_at, _ = self._slots[payer.amount]
        last = self._pushed.get(payer.amount)
        self._pushed[payer.amount] = now
        if free_at <= now:
            self.tally[f"{kind}unmatched"] += 1
        elif holder.paid or (last is not None and last >= now - REPEAT_WINDOW_S):
            self.tally[f"{kind}suspected"] += 1
        else:
            holder.paid = True
            self._book(holder, self._policy.paid(now, holder.expires_at))
            self._count_credit(now, payer, right=holder is payer)

    def _count_credit(self, now: int, payer: Sale, *, right: bool) -> None:
        self.tally["right" if right else "wrong"] += 1
        if not right and now - payer.expires_at <= self._limits.grace:
            self.tally["wrong within the grace"] += 1

    def _book(self, sale: Sale, rest: Rest) -> None:
        self._slots[sale.amount] = (sale, rest.free_at, rest.rested_at)

"""Money that goes back, whatever happens in whatever order: asked for, sent, lost, refused, found again, told by
notices, given back on the gateway's own pages, recorded by hand, with workers that die. Never more than came; nothing
is called done that did not go; nothing that went is forgotten.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from checkout import gateways, store
from checkout.channel import (
    Channel,
    GatewayError,
    Heard,
    Notice,
    Paid,
    RefundAsk,
    Refunded,
    RefundStanding,
)
from checkout.errors import Code, Refusal
from checkout.model.refunds import Refund, RefundState
from checkout.refunds import calls, ledger, money_back
from checkout.store import open_store
from tests.channels.orders import TOKEN, order
from tests.model.test_life import STEPS
from tests.shop import Shop

CAME = 990
amounts = st.sampled_from([1, 100, 300, 495, 690, 990])
moods = st.sampled_from(["good", "good", "good", "slow", "lost", "down", "refuses", "mute"])


@dataclass
class Ledger:
    """A gateway with a book of its own. `mood`: good | slow (takes it, not done yet) | lost (takes it, the answer is
    lost) | down (takes nothing) | refuses | mute (takes it, and cannot say how anything stands)."""

    name: str = "alipay"
    method: str = "alipay"
    mood: str = "good"
    moved: dict[str, int] = field(default_factory=dict)  # by number, also what is still on its way
    done: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)  # ended there without reaching the buyer

    @property
    def in_all(self) -> int:
        return sum(amount for number, amount in self.moved.items() if number not in self.broken)

    def take(self, number: str, amount: int) -> None:
        if self.moved.get(number, amount) != amount or number in self.broken:
            raise GatewayError("Another amount.", permanent=True)
        if number not in self.moved and self.in_all + amount > CAME:
            raise GatewayError("Too much.", permanent=True)
        self.moved[number] = amount

    def refund(self, ask: RefundAsk) -> Refunded:
        assert ask.paid == CAME
        if self.mood == "down":
            raise GatewayError("It is down.", permanent=False)
        if self.mood == "refuses" and ask.number not in self.moved:
            raise GatewayError("It refuses.", permanent=True)
        self.take(ask.number, ask.amount)
        if self.mood in ("lost", "mute"):
            raise GatewayError("Its answer was lost.", permanent=False)
        if self.mood == "slow":
            return Refunded(RefundStanding.PROCESSING)
        self.done.add(ask.number)
        return Refunded(RefundStanding.DONE)

    def refund_standing(self, ask: RefundAsk) -> Refunded:
        if self.mood in ("down", "mute"):
            raise GatewayError("It does not say.", permanent=self.mood == "mute")
        if ask.number not in self.moved:
            return Refunded(RefundStanding.REPEAT)
        if ask.number in self.broken:
            return Refunded(RefundStanding.FAILED, "It did not reach the buyer.")
        if self.mood == "slow" and ask.number not in self.done:
            return Refunded(RefundStanding.PROCESSING)
        self.done.add(ask.number)
        return Refunded(RefundStanding.DONE)


class MoneyBack(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="back-"))
        self.shop = Shop(open_store(str(self.folder / "checkout.db"))).fill()
        self.ledger = Ledger()
        self.channel = cast(Channel, self.ledger)
        self.by_hand = 0
        self.console = 0
        self.notices: list[Notice] = []
        self.shop.add_account(id="ali-official", method="alipay", channel="alipay", code="")
        with self.shop.store.transaction() as db:
            store.orders.add(db, order())
        self.paid = Paid(TOKEN, "T1", CAME, self.shop.now)
        gateways.book(self.shop.store, self.channel, self.paid, "{}", new_id=self.shop.new_id, now=self.shop.now)

    def teardown(self) -> None:
        self.shop.store.close()
        shutil.rmtree(self.folder)

    # What people do

    @rule(amount=amounts | st.none(), number=st.sampled_from(["", "", "A", "B"]))
    def asked(self, amount: int | None, number: str) -> None:
        left, before = self.stands().left, {one.number: one for one in self.rows()}
        try:
            found = ledger.ask(
                self.shop.store, TOKEN, {"alipay"}, amount=amount, number=number, reason="r", actor="o",
                new_id=self.shop.new_id, now=self.shop.now,
            )  # fmt: skip
        except Refusal as refusal:
            if refusal.code is Code.DUPLICATE:
                assert number in before
            else:
                assert (amount or 1) > left
            return
        if number in before:
            assert found == before[number]
        else:
            assert found.amount == (left if amount is None else amount) <= left

    @rule(amount=amounts)
    def given_by_hand(self, amount: int) -> None:
        left = self.stands().left
        try:
            ledger.by_hand(
                self.shop.store, TOKEN, amount=amount, reason="r", actor="o", new_id=self.shop.new_id, now=self.shop.now
            )
        except Refusal:
            assert amount > left
        else:
            self.by_hand += amount

    @rule(amount=amounts)
    def given_on_the_gateway_s_pages(self, amount: int) -> None:
        if self.ledger.in_all + amount > CAME:
            return
        self.console += 1
        number = f"console-{self.console}"
        self.ledger.take(number, amount)
        self.ledger.done.add(number)
        self.notices.append(self.notice(number))

    # What gateways and machines do

    @rule(mood=moods)
    def the_mood_changes(self, mood: str) -> None:
        self.ledger.mood = mood

    @rule(seconds=st.sampled_from([1, 2, 5, 30, 60, 3600, 86_400, 40 * 86_400]))
    def time_goes(self, seconds: int) -> None:
        self.shop.go(seconds)

    @rule()
    def a_worker_works(self) -> None:
        for one in self.due():
            if claimed := calls.claim(self.shop.store, one, self.shop.now):
                calls.call(self.shop.store, {"alipay": self.channel}, claimed, "", clock=lambda: self.shop.now)

    @rule(is_called=st.booleans())
    def a_worker_dies(self, is_called: bool) -> None:
        """Before its call, or after it and before it has booked what came of it."""
        for one in self.due()[:1]:
            claimed = calls.claim(self.shop.store, one, self.shop.now)
            assert claimed is not None
            if is_called:
                with self.shop.store.read() as db:
                    asked = calls._asked(db, claimed, "", self.shop.now)
                calls._outcome(self.channel, asked, is_first=claimed.attempts == 1)

    @precondition(lambda self: any(number not in self.ledger.done for number in self.ledger.moved))
    @rule()
    def one_does_not_reach_the_buyer(self) -> None:
        self.ledger.broken.add(next(number for number in self.ledger.moved if number not in self.ledger.done))

    @precondition(lambda self: self.ledger.broken)
    @rule()
    def the_owner_finishes_it_there(self) -> None:
        number = min(self.ledger.broken)
        if self.ledger.in_all + self.ledger.moved[number] <= CAME:
            self.ledger.broken.remove(number)
            self.ledger.done.add(number)
            self.notices.append(self.notice(number))

    @precondition(lambda self: self.ledger.moved)
    @rule(which=st.integers(0, 20))
    def a_notice_of_one_of_ours_or_theirs_is_sent(self, which: int) -> None:
        number = sorted(self.ledger.moved)[which % len(self.ledger.moved)]
        self.notices.append(self.notice(number))

    @precondition(lambda self: self.notices)
    @rule(which=st.integers(0, 20), again=st.booleans())
    def a_notice_comes(self, which: int, again: bool) -> None:
        """In any order, and any of them more than once; one that is not taken is sent again."""
        at = which % len(self.notices)
        notice = self.notices[at]
        taken = gateways.handle_notice(
            self.shop.store, self.channel, notice, new_id=self.shop.new_id, now=self.shop.now
        )
        if taken and not again:
            del self.notices[at]

    # What must hold

    @invariant()
    def no_more_than_came(self) -> None:
        stands = self.stands()
        assert stands.back + stands.under_way <= stands.came == CAME
        assert self.ledger.in_all <= CAME
        with self.shop.store.read() as db:
            for promise in store.invariants.PROMISES:
                assert store.invariants.broken(db, promise, self.shop.now) == [], promise.name

    @invariant()
    def nothing_is_done_that_did_not_go(self) -> None:
        for one in self.rows():
            if one.state is RefundState.DONE and one.id in self.ledger.moved:
                assert self.ledger.moved[one.id] == one.amount
                assert one.id in self.ledger.done
            elif one.state is RefundState.DONE:
                assert one.number.startswith(("console-", "ref_"))
        assert sum(one.amount for one in self.rows() if one.state is RefundState.DONE) <= self.ledger.in_all

    @invariant()
    def what_failed_frees_only_money_that_is_not_on_its_way(self) -> None:
        """Except where the gateway kept silent for a month, and the owner was told so."""
        for one in self.rows():
            if one.state is RefundState.FAILED and one.id in self.ledger.moved and one.id not in self.ledger.broken:
                assert "Nobody knows" in one.error or "went back otherwise" in one.error or self.is_heard_of(one)

    def is_heard_of(self, failed: Refund) -> bool:
        """It failed there, and the owner finished it since: the notice is on its way, or was taken in vain."""
        return failed.error.startswith("It did not reach the buyer.")

    def stands(self) -> money_back.Back:
        with self.shop.store.read() as db:
            return money_back.of(db, self.shop.order(TOKEN))

    def rows(self) -> list[Refund]:
        with self.shop.store.read() as db:
            return store.refunds.of_order(db, TOKEN)

    def due(self) -> list[Refund]:
        with self.shop.store.read() as db:
            return store.refunds.due(db, self.shop.now, 100)

    def notice(self, number: str) -> Notice:
        """As Alipay tells of refunds: the payment once more, the number of the last one, and what went back in all."""
        if self.ledger.in_all == CAME and len(self.ledger.done) == len(self.ledger.moved):
            return Notice(Heard.CLOSED, TOKEN, "{}")
        return Notice(Heard.REFUND, TOKEN, "{}", self.paid, number, self.done_in_all())

    def done_in_all(self) -> int:
        found = self.ledger.done - self.ledger.broken
        return sum(self.ledger.moved[number] for number in found)


MoneyBack.TestCase.settings = settings(
    max_examples=max(20, STEPS // 400), stateful_step_count=40, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
test_money_back = MoneyBack.TestCase

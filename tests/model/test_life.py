"""The real rules over a real database against the book: whatever happens, in whatever order, both say the same.

Opened, shown, switched, renewed, closed, paid, paid late, paid twice, repeated, told by two phones, confirmed and
linked by hand, refunded, delivered, restarted, with the clock going on and back. After each step the promises of the
database hold. CHECKOUT_TEST_STEPS sets how many steps are made in all.
"""

# ruff: noqa: PT017 - whether a step is refused is the book's to say

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from checkout import orders, payments, protocols, selling, store, switching
from checkout.errors import Code, Refusal
from checkout.http.client import Answer, Outgoing
from checkout.model.deliveries import Delivery, DeliveryState
from checkout.model.orders import Order
from checkout.outbox import deliveries
from checkout.products import Caps
from checkout.refunds import ledger
from checkout.store import open_store
from tests.model.book import ACCOUNTS, REVIEW, Asked, Book, Money, Sale
from tests.shop import Shop
from tests.world import answer

STEPS = int(os.environ.get("CHECKOUT_TEST_STEPS", "20000"))
STEPS_EACH = 50

numbers = st.sampled_from(["A", "B", "C", "D", "E"])
prices = st.sampled_from([500, 502, 900])
methods = st.sampled_from(list(ACCOUNTS))
phones = st.sampled_from(["phone", "phone", "phone", "second"])
which = st.integers(0, 40)
steps = st.sampled_from([1, 2, 3, 4, 30, 119, 121, 290, 300, 301, 599, 601, 900, 3600, 7300, 86_400])


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="life-"))
        self.database = self.new_database()
        self.shop = Shop(open_store(self.database)).fill()
        self.shop.add_account(id="ali-main", method="alipay", code="https://qr.alipay.com/fkx")
        self.shop.add_device("second", ["wx-main"])
        with self.shop.store.transaction() as db:
            db.run("INSERT INTO device_accounts (device, account) VALUES ('phone', 'ali-main')")
            db.run("UPDATE accounts SET max_offset = 3")
        self.book = Book()
        self.ids: dict[int, str] = {}  # id(money) → the payment's id
        self.times = 0
        self.acknowledged: set[str] = set()
        self.again: set[str] = set()

    def new_database(self) -> str:
        return str(self.folder / "checkout.db")

    def teardown(self) -> None:
        self.shop.store.close()
        shutil.rmtree(self.folder)

    # Orders

    @rule(number=numbers, price=prices, method=methods)
    def a_shop_asks(self, number: str, price: int, method: str) -> None:
        expected = self.book.opening(number, price, method, "vmq", self.shop.now)
        amount = self.book.amount_for(ACCOUNTS[method], price, self.shop.now)
        try:
            got = self.shop.open(number, price, method=method)
        except Refusal as refusal:
            assert refusal.code is (Code.DUPLICATE if expected == "duplicate" else Code.BUSY)
            assert expected == "duplicate" or (expected == "new" and amount is None)
            return
        if isinstance(expected, Sale):
            assert got.token == expected.token
            self.book.shows(expected, self.shop.now)
            return
        assert expected == "new"
        assert got.really_price == amount
        self.book.sales.append(sale := Sale(got.token, number, got.attempt, "vmq", price, "", "", None, self.shop.now))
        self.book.give(sale, method, amount or 0, self.shop.now, shown=True)

    @rule(number=numbers, price=prices)
    def a_buyer_opens(self, number: str, price: int) -> None:
        expected = self.book.opening(number, price, "", "embed", self.shop.now)
        try:
            got = self.shop.open(number, price, dialect="embed", method="", shown=False)
        except Refusal as refusal:
            assert (refusal.code, expected) == (Code.DUPLICATE, "duplicate")
            return
        if expected == "new":
            self.book.sales.append(Asked(got.token, number, got.attempt, "embed", price, "", "", None, self.shop.now))
        else:
            assert isinstance(expected, Sale)
            assert got.token == expected.token

    @precondition(lambda self: self.book.sales)
    @rule(one=which, method=methods)
    def a_buyer_chooses(self, one: int, method: str) -> None:
        sale, now = self._sale(one), self.shop.now
        try:
            got = switching.choose_method(self.shop.store, sale.token, method, self.shop.rules, now)
        except Refusal as refusal:
            if refusal.code is Code.BUSY:
                assert self.book.amount_for(ACCOUNTS[method], sale.price, now) is None
            else:
                assert refusal.code is Code.NOT_ALLOWED
                assert not sale.waits(now) or sale.dialect == "vmq"
            return
        if sale.method != method:
            assert sale.waits(now)
            expected = self.book.switches(sale, method, now)
            if expected is None:
                expected = self.book.amount_for(ACCOUNTS[method], sale.price, now)
                assert expected is not None
                self.book.give(sale, method, expected, now, shown=False)
            assert got.really_price == expected

    @precondition(lambda self: self.book.sales)
    @rule(one=which)
    def a_buyer_asks_for_a_new_code(self, one: int) -> None:
        sale, now = self._sale(one), self.shop.now
        expected, last = self.book.renewing(sale, now), self.book.standing(sale.number)
        assert last is not None
        amount = self.book.amount_for(ACCOUNTS[last.method], last.price, now) if last.method else None
        try:
            got = selling.renew(self.shop.store, self.shop.order(sale.token), self.shop.rules, Caps(), now)
        except Refusal as refusal:
            assert refusal.code is (Code.NOT_ALLOWED if expected == "refused" else Code.BUSY)
            assert expected == "refused" or (expected == "new" and last.method and amount is None)
            return
        assert got is not None
        if isinstance(expected, Sale):
            assert got.token == expected.token
            return
        assert (expected, got.price, got.really_price) == ("new", last.price, amount)
        kind = type(last)  # to its shop it is what was asked for before
        self.book.sales.append(
            new := kind(got.token, last.number, got.attempt, last.dialect, last.price, "", "", None, now)
        )
        if amount is not None:
            self.book.give(new, last.method, amount, now, shown=False)

    @precondition(lambda self: self.book.sales)
    @rule(one=which)
    def the_code_is_shown(self, one: int) -> None:
        sale = self._sale(one)
        orders.show(self.shop.store, self.shop.order(sale.token), self.shop.rules.limits, self.shop.now)
        self.book.shows(sale, self.shop.now)

    @precondition(lambda self: self.book.sales)
    @rule(one=which)
    def a_shop_closes(self, one: int) -> None:
        sale = self._sale(one)
        try:
            self.shop.close(self.shop.order(sale.token))
        except Refusal as refusal:
            assert refusal.code is Code.NOT_ALLOWED
            assert not self.book.closes(sale, self.shop.now)
            return
        assert self.book.closes(sale, self.shop.now)

    @rule()
    def the_worker_expires(self) -> None:
        assert orders.expire_due(self.shop.store, self.shop.now) == self.book.expires(self.shop.now)

    # Money

    @precondition(lambda self: any(one.amount for one in self.book.sales))
    @rule(one=which, phone=phones)
    def a_buyer_pays(self, one: int, phone: str) -> None:
        sale = [sale for sale in self.book.sales if sale.amount][::-1]
        chosen = sale[one % len(sale)]
        self._push(phone, chosen.method, chosen.amount or 0)

    @rule(phone=phones, method=methods, amount=st.integers(499, 507))
    def money_comes(self, phone: str, method: str, amount: int) -> None:
        self._push(phone, method, amount)

    @precondition(lambda self: self.book.money)
    @rule(one=which, new_time=st.booleans())
    def the_phone_repeats(self, one: int, new_time: bool) -> None:
        money = self.book.money[::-1][one % len(self.book.money)]
        if money.phone:
            self._push(money.phone, money.method, money.amount, None if new_time else money.at)

    @precondition(lambda self: any(one.dialect == "embed" for one in self.book.sales))
    @rule(one=which, first=methods, shown=st.booleans())
    def a_buyer_switches_and_pays_by_the_first_code(self, one: int, first: str, shown: bool) -> None:
        chosen = [number for number, sale in enumerate(self.book.sales[::-1]) if sale.dialect == "embed"]
        number = chosen[one % len(chosen)]
        self.a_buyer_chooses(number, first)
        if shown:
            self.the_code_is_shown(number)
        amount = self._sale(number).amount
        self.a_buyer_chooses(number, "alipay" if first == "wechat" else "wechat")
        if amount is not None:
            self._push("phone", first, amount)

    @precondition(lambda self: any(one.judgement == "matched" for one in self.book.money))
    @rule(one=which, number=numbers)
    def the_other_phone_wakes_up_when_the_amount_is_anothers(self, one: int, number: str) -> None:
        booked = [money for money in self.book.money[::-1] if money.judgement == "matched"]
        money = booked[one % len(booked)]
        self.shop.now = max(self.shop.now, self.book.holds[money.account, money.amount].free_at)
        self.a_shop_asks(number, money.amount, money.method)
        self._push("second" if money.phone == "phone" else "phone", money.method, money.amount)

    # By hand

    @precondition(lambda self: self.book.sales)
    @rule(one=which, wrong=st.sampled_from([0, 0, 0, 1]))
    def the_owner_confirms(self, one: int, wrong: int) -> None:
        sale, now = self._sale(one), self.shop.now
        try:
            self.shop.confirm(self.shop.order(sale.token), (sale.amount or sale.price) + wrong)
        except Refusal as refusal:
            expected = Code.NOT_ALLOWED if sale.amount is None or not wrong else Code.BAD_AMOUNT
            assert refusal.code is expected
            assert (
                wrong or sale.amount is None or not self.book.settles(sale, Money("", "", 0, 0, now), now, by_hand=True)
            )
            return
        money = Money("", sale.method, sale.amount or 0, 0, now)
        assert not wrong
        assert self.book.settles(sale, money, now, by_hand=True)
        self.book.money.append(money)
        with self.shop.store.read() as db:
            self.ids[id(money)] = next(p.id for p in store.payments.of_order(db, sale.token) if p.channel == "hand")

    @precondition(lambda self: self.book.sales and self.book.money)
    @rule(one=which, other=which)
    def the_owner_links(self, one: int, other: int) -> None:
        money, sale, now = self.book.money[::-1][one % len(self.book.money)], self._sale(other), self.shop.now
        try:
            payments.link(
                self.shop.store, self.ids[id(money)], sale.token, reason="seen", actor="owner",
                new_id=self.shop.new_id, now=now,
            )  # fmt: skip
        except Refusal as refusal:
            if money.judgement not in REVIEW:
                assert refusal.code is Code.CONFLICT
            else:
                assert refusal.code is Code.NOT_ALLOWED
                assert sale.amount is None or not self.book.settles(sale, money, now, by_hand=True)
            return
        assert money.judgement in REVIEW
        assert self.book.settles(sale, money, now, by_hand=True)

    @precondition(lambda self: self.book.money)
    @rule(one=which)
    def the_owner_sets_aside(self, one: int) -> None:
        money = self.book.money[::-1][one % len(self.book.money)]
        try:
            payments.ignore(
                self.shop.store, self.ids[id(money)], reason="a friend's", actor="owner", new_id=self.shop.new_id,
                now=self.shop.now,
            )  # fmt: skip
        except Refusal as refusal:
            assert refusal.code is Code.CONFLICT
            assert money.judgement not in REVIEW
            return
        assert money.judgement in REVIEW
        money.judgement = "ignored"

    @precondition(lambda self: any(one.state == "paid" for one in self.book.sales))
    @rule(one=which, amount=st.sampled_from([1, 250, 500, 1000]))
    def the_owner_refunds(self, one: int, amount: int) -> None:
        sale = self._sale(one)
        left = 0 if sale.state != "paid" else self.book.came_for(sale) - self.book.refunded.get(sale.token, 0)
        try:
            ledger.by_hand(
                self.shop.store, sale.token, amount=amount, reason="asked for", actor="owner",
                new_id=self.shop.new_id, now=self.shop.now,
            )  # fmt: skip
        except Refusal as refusal:
            assert refusal.code in (Code.BAD_AMOUNT, Code.NOT_ALLOWED)
            assert amount > left
            return
        assert amount <= left
        self.book.refunded[sale.token] = self.book.refunded.get(sale.token, 0) + amount

    # Messages to the merchant

    @rule(heard=st.booleans())
    def the_worker_delivers(self, heard: bool) -> None:
        sent: list[str] = []

        def send(request: Outgoing) -> Answer:
            sent.append(request.headers["webhook-id"])
            return answer(200, b"success") if heard else answer(500, b"busy")

        for one in self._due():
            claimed = deliveries.claim(self.shop.store, one, self.shop.now)
            assert claimed is not None
            assert deliveries.claim(self.shop.store, one, self.shop.now) is None
            deliveries.deliver(self.shop.store, protocols.dialects(), send, claimed, lambda: self.shop.now)
        assert not self.acknowledged.intersection(sent) - self.again
        if heard:
            self.acknowledged.update(sent)
            self.again.difference_update(sent)

    @precondition(lambda self: any(one.state == "paid" for one in self.book.sales))
    @rule(one=which)
    def the_owner_resends(self, one: int) -> None:
        paid = [sale for sale in self.book.sales if sale.state == "paid"]
        (first,) = self._messages(paid[one % len(paid)])
        deliveries.resend(self.shop.store, first.id, self.shop.now)
        self.again.add(first.id)

    # Time

    @rule(seconds=steps)
    def time_goes_on(self, seconds: int) -> None:
        self.shop.go(seconds)

    @precondition(lambda self: self.book.sales)
    @rule(one=which, past=st.sampled_from([-1, 0, 1]), what=st.sampled_from(["expires", "free", "rested"]))
    def time_goes_to_an_edge_and_the_worker_looks(self, one: int, past: int, what: str) -> None:
        """The seconds around the end of an order, or around the moment at which its amount may be given out again."""
        sale = self._sale(one)
        hold = self.book.holds.get((sale.account, sale.amount or 0))
        edge = sale.expires_at
        if hold is not None and what != "expires":
            edge = hold.free_at if what == "free" else hold.rested_at
        self.shop.now = max(self.shop.now, edge + past)
        self.the_worker_expires()

    @rule(seconds=st.sampled_from([1, 60, 3600, 86_400]))
    def the_clock_is_put_back(self, seconds: int) -> None:
        self.shop.go(-seconds)

    @rule()
    def the_server_restarts(self) -> None:
        self.shop.store.close()
        self.shop.store = open_store(self.database)

    # What must hold after each step

    @invariant()
    def orders_stand_as_in_the_book(self) -> None:
        with self.shop.store.read() as db:
            rows = db.all("SELECT token, state, late, method, account, really_price, attempt FROM orders")
        book = [(one.token, one.state, int(one.late), one.method, one.account, one.amount, one.attempt)
                for one in self.book.sales]  # fmt: skip
        assert sorted(map(tuple, rows)) == sorted(book)

    @invariant()
    def money_stands_as_in_the_book(self) -> None:
        with self.shop.store.read() as db:
            rows = db.all("SELECT id, judgement, order_token, account, amount FROM payments")
        book = [(self.ids[id(one)], one.judgement, one.token if one.judgement != "ignored" else None, one.account,
                 one.amount) for one in self.book.money]  # fmt: skip
        found = [(row[0], row[1], row[2] if row[1] != "ignored" else None, row[3], row[4]) for row in rows]
        assert sorted(found, key=lambda row: row[0]) == sorted(book, key=lambda row: row[0])

    @invariant()
    def each_paid_order_owes_one_message_and_no_other_does(self) -> None:
        with self.shop.store.read() as db:
            told = [row[0] for row in db.all("SELECT order_token FROM deliveries WHERE event = 'order.paid'")]
        assert sorted(told) == sorted(one.token for one in self.book.sales if one.state == "paid")

    @invariant()
    def no_promise_is_broken(self) -> None:
        with self.shop.store.read() as db:
            for promise in store.invariants.PROMISES:
                assert store.invariants.broken(db, promise, self.shop.now) == [], promise.sentence

    # Helpers

    def _sale(self, one: int) -> Sale:
        """Mostly one of the latest orders."""
        return self.book.sales[::-1][one % len(self.book.sales)]

    def _push(self, phone: str, method: str, amount: int, at: int | None = None) -> None:
        self.times += 1
        at = self.times if at is None else at
        got = self.shop.push(amount, phone, method=method, at=at)
        money = self.book.receives(phone, method, amount, at, self.shop.now)
        assert got.repeated == (money is None)
        if money is not None:
            self.ids[id(money)] = got.payment.id
            assert (got.order is not None) == (money.judgement in ("matched", "late"))

    def _due(self) -> list[Delivery]:
        with self.shop.store.read() as db:
            return store.deliveries.due(db, self.shop.now)

    def _messages(self, sale: Sale) -> Iterator[Delivery]:
        order: Order = self.shop.order(sale.token)
        found = [one for one in self.shop.deliveries(order) if one.event == "order.paid"]
        assert all(one.state in DeliveryState for one in found)
        return iter(found)


Life.TestCase.settings = settings(
    max_examples=max(1, STEPS // STEPS_EACH), stateful_step_count=STEPS_EACH, deadline=None,
    suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)  # fmt: skip
TestLife = Life.TestCase

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from checkout import orders, payments, switching
from checkout import store as stores
from checkout.errors import Code, Conflict, Refusal
from checkout.interfaces import Owed, Store
from checkout.model.accounts import Method
from checkout.model.deliveries import Delivery
from checkout.model.merchants import Merchant
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement, Payment
from checkout.outbox import deliveries
from checkout.payments import REPEAT_WINDOW_S
from tests.shop import Shop
from tests.world import START


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


def refusal(caught: pytest.ExceptionInfo[Refusal]) -> Code:
    return caught.value.code


def unmatched(shop: Shop, amount: int = 777) -> Payment:
    return shop.payment(shop.push(amount))


def ignore(shop: Shop, payment: Payment | str, reason: str = "my own transfer") -> None:
    payment_id = payment if isinstance(payment, str) else payment.id
    payments.ignore(shop.store, payment_id, reason=reason, actor="owner", new_id=shop.new_id, now=shop.now)


# Judged by itself


def test_an_exact_amount_settles_its_order(shop: Shop) -> None:
    order = shop.open()
    found = shop.push(990)
    assert found.order == shop.order(order)
    assert not found.repeated
    stored = shop.payment(found)
    assert (stored.judgement, stored.order_token, stored.account) == (Judgement.MATCHED, order.token, "wx-main")
    assert (stored.received_at, stored.judged_at, stored.raw) == (START, START, "{}")


@pytest.mark.parametrize("amount", [989, 991, 1])
def test_money_that_no_order_waits_for_is_kept(shop: Shop, amount: int) -> None:
    order = shop.open()
    found = shop.push(amount)
    assert found.order is None
    assert shop.payment(found).judgement is Judgement.UNMATCHED
    assert shop.payments(review=True) == [shop.payment(found)]
    assert shop.order(order).state is State.PENDING


def test_money_of_another_method_is_not_the_order_s(shop: Shop) -> None:
    shop.add_account(id="ali-main", method=Method.ALIPAY)
    shop.add_device("both", ["wx-main", "ali-main"])
    order = shop.open()
    assert shop.push(990, "both", method="alipay").order is None
    assert shop.push(990, "both").order == shop.order(order)


def test_a_phone_pays_only_the_orders_of_the_accounts_that_it_watches(shop: Shop) -> None:
    shop.add_account(id="wx-other", code="wxp://other")
    shop.add_device("stranger", ["wx-other"])
    shop.add_device("idle", [])
    shop.change_account(weight=1, disabled_at=None)
    order = shop.open()
    wrong = "stranger" if order.account == "wx-main" else "phone"
    assert shop.push(990, wrong).order is None
    assert shop.push(990, "idle").order is None
    assert shop.order(order).state is State.PENDING


def test_an_amount_that_cannot_be_read_waits_for_a_person(shop: Shop) -> None:
    found = shop.push(None)
    assert found.order is None
    stored = shop.payment(found)
    assert (stored.judgement, stored.amount) == (Judgement.UNREADABLE, None)
    assert stored.note == "The amount could not be read."


def test_the_reason_why_an_amount_cannot_be_read_is_kept(shop: Shop) -> None:
    with shop.store.read() as db:
        device = stores.devices.get(db, "phone")
    assert device is not None
    report = payments.Report(device, "wechat", None, "r1", "{}", START, note="Three decimals.")
    found = payments.receive(shop.store, report, new_id=shop.new_id, now=START)
    assert shop.payment(found).note == "Three decimals."


def test_an_amount_that_two_orders_hold_pays_neither(shop: Shop) -> None:
    """Possible when a phone is given a second account while both have an order of that amount."""
    first = shop.open("N1")
    shop.add_account(id="wx-other", code="wxp://other")
    shop.change_account(disabled_at=START)
    second = shop.open("N2")
    assert (first.account, second.account) == ("wx-main", "wx-other")
    assert first.really_price == second.really_price == 990
    with shop.store.transaction() as db:
        stores.devices.watch(db, "phone", "wx-other")
    found = shop.push(990)
    assert found.order is None
    assert shop.payment(found).judgement is Judgement.UNMATCHED
    assert "Several" in shop.payment(found).note


def test_a_push_is_a_sign_of_life(shop: Shop) -> None:
    shop.push(1)
    with shop.store.read() as db:
        device = stores.devices.get(db, "phone")
    assert device is not None
    assert (device.push_at, device.beat_at) == (START, START)


class Told:
    """An `Owed` that notes what it is told, and claims every callback."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.receipts: list[str] = []
        self.seen: list[Delivery] = []
        self.look: Callable[[], list[Delivery]] = list

    @property
    def owed(self) -> list[str]:
        return [word for word in self.words if word != "begin"]

    def reset(self) -> None:
        self.words.append("begin")

    def callback(self, delivery: Delivery, order: Order, merchant: Merchant, receipt: str) -> Delivery:
        assert (delivery.order_token, delivery.merchant) == (order.token, merchant.id)
        self.words.append(order.token)
        self.receipts.append(receipt)
        self.seen += self.look()
        return deliveries.leased(delivery, START)

    def event(self, delivery: Delivery) -> None:
        self.words.append(delivery.id)


def test_what_a_paid_order_owes_is_told_of_within_the_transaction_and_nothing_else_is(shop: Shop) -> None:
    told = Told()

    @contextmanager
    def at_once() -> Iterator[Owed]:
        yield told

    shop.at_once = at_once
    order = shop.open()
    shop.push(991)
    shop.push(None)
    assert told.owed == []
    told.look = lambda: shop.deliveries(shop.order(order))
    shop.push(990, at=1)
    shop.push(990, at=1)
    (receipt,) = told.receipts
    with shop.store.read() as db:
        assert stores.receipts.get(db, receipt) == stores.receipts.of_order(db, order.token)
    assert told.owed == [order.token]
    assert told.seen == [], "seen outside before the commit"
    assert shop.deliveries(shop.order(order))[0].attempts == 1, "kept as it was claimed"


def test_before_money_is_judged_it_is_said_that_what_an_undone_transaction_owed_is_undone(shop: Shop) -> None:
    """The message was booked by another process meanwhile: done again, the transaction owes nothing any more."""
    told = Told()

    @contextmanager
    def at_once() -> Iterator[Owed]:
        yield told

    shop.at_once = at_once
    order = shop.open()
    shop.push(990, at=1)
    assert told.words == ["begin", order.token]
    shop.push(990, at=1)
    assert told.words == ["begin", order.token, "begin"]


# Repeats


def test_the_same_message_again_changes_nothing(shop: Shop) -> None:
    order = shop.open()
    shop.push(990, at=1)
    before = (shop.order(order), shop.payments(), shop.slots(), shop.deliveries(order))
    shop.go(500)
    again = shop.push(990, at=1)
    assert (again.repeated, again.order) == (True, None)
    assert (shop.order(order), shop.payments(), shop.slots(), shop.deliveries(order)) == before


def test_the_same_message_again_does_not_pay_the_next_order_of_its_amount(shop: Shop) -> None:
    shop.open("N1")
    shop.push(990, at=1)
    shop.go(500)
    following = shop.open("N2")
    assert following.really_price == 990
    assert shop.push(990, at=1).order is None
    assert shop.order(following).state is State.PENDING


def test_a_new_message_of_the_same_amount_for_a_paid_order_is_suspected(shop: Shop) -> None:
    order = shop.open()
    shop.push(990)
    shop.go(1)
    found = shop.push(990)
    assert found.order is None
    assert (shop.payment(found).judgement, shop.payment(found).order_token) == (Judgement.SUSPECTED, order.token)
    assert shop.payment(found).note == "Its order was paid a moment ago: a repeat, or paid twice."
    assert len(shop.deliveries(order)) == 1


@pytest.mark.parametrize(("after", "paid"), [(REPEAT_WINDOW_S, False), (REPEAT_WINDOW_S + 1, True)])
def test_a_repeat_within_three_seconds_does_not_pay_an_order_that_was_opened_in_between(
    shop: Shop, after: int, paid: bool
) -> None:
    """The first message found no order; its repeat must not take the one that was opened a moment later."""
    unmatched(shop, 990)
    order = shop.open()
    shop.go(after)
    found = shop.push(990)
    assert (found.order is not None) is paid
    if not paid:
        assert shop.payment(found).judgement is Judgement.SUSPECTED
        assert shop.payment(found).order_token == order.token


def test_two_orders_of_one_second_are_both_paid_by_their_own_amounts(shop: Shop) -> None:
    first, second = shop.open("N1"), shop.open("N2")
    assert shop.push(991).order == shop.order(second)
    assert shop.push(990).order == shop.order(first)


# Two phones on one account


def test_the_second_phone_of_an_account_reports_the_same_money_again(shop: Shop) -> None:
    shop.add_device("tablet", ["wx-main"])
    order = shop.open()
    assert shop.push(990).order is not None
    shop.go(1)
    found = shop.push(990, "tablet")
    assert (found.order, shop.payment(found).judgement) == (None, Judgement.SUSPECTED)
    assert shop.payment(found).order_token == order.token


def test_a_second_phone_that_was_asleep_does_not_pay_the_next_order_with_old_money(shop: Shop) -> None:
    shop.add_device("tablet", ["wx-main"])
    shop.open("N1")
    shop.push(990)
    shop.go(700)
    following = shop.open("N2")
    assert following.really_price == 990
    found = shop.push(990, "tablet")
    assert (found.order, shop.payment(found).judgement) == (None, Judgement.SUSPECTED)
    assert shop.payment(found).order_token == following.token
    shop.go(5)
    assert shop.push(990).order == shop.order(following)


def test_either_of_two_phones_may_be_the_first(shop: Shop) -> None:
    shop.add_device("tablet", ["wx-main"])
    for number, (first, second) in enumerate([("phone", "tablet"), ("tablet", "phone"), ("tablet", "phone")]):
        order = shop.open(f"N{number}")
        assert order.really_price == 990
        assert shop.push(990, first).order == shop.order(order)
        shop.go(1)
        assert shop.push(990, second).order is None
        shop.go(400)


def test_a_phone_that_was_set_up_afterwards_is_believed_an_hour_later(shop: Shop) -> None:
    shop.open("N1")
    shop.push(990)
    shop.add_device("tablet", ["wx-main"])
    shop.go(payments.ECHO_WINDOW_S + 1)
    following = shop.open("N2")
    assert shop.push(990, "tablet").order == shop.order(following)


# A buyer who switched the method


def test_money_by_the_method_before_the_switch_pays_the_order_and_is_booked_as_it_came(shop: Shop) -> None:
    shop.open("N0")
    shop.add_account(id="ali-main", method=Method.ALIPAY, code="https://qr.alipay.com/fkx")
    order = shop.open("N1", dialect="api")
    shop.go(5)
    switched = switching.choose_method(shop.store, order.token, "alipay", shop.rules, shop.now)
    orders.show(shop.store, switched, shop.rules.limits, shop.now)
    assert (order.really_price, switched.really_price) == (991, 990)
    paid = shop.push(991).order
    assert paid is not None
    assert (paid.token, paid.method, paid.account, paid.really_price) == (order.token, "wechat", "wx-main", 991)
    assert shop.order(order) == paid
    expires_at = order.expires_at
    assert shop.slots()["wx-main", 991] == (order.token, expires_at, expires_at)
    assert shop.slots()["ali-main", 990][:2] == (order.token, expires_at + 600)


# Late money, all the way


def test_money_that_comes_after_the_grace_does_not_pay_a_stranger_while_the_amount_rests(shop: Shop) -> None:
    shop.open("N1")
    shop.go(300 + 600)
    stranger = shop.open("N2")
    assert stranger.really_price == 991
    found = shop.push(990)
    assert (found.order, shop.payment(found).judgement) == (None, Judgement.UNMATCHED)


# By hand


@pytest.mark.parametrize("kind", ["unmatched", "suspected", "unreadable"])
def test_money_under_review_can_be_linked_to_an_order(shop: Shop, kind: str) -> None:
    if kind == "suspected":
        shop.open("N0")
        shop.push(990)
        shop.go(1)
    found = shop.push({"unmatched": 777, "suspected": 990, "unreadable": None}[kind])
    assert shop.payment(found).judgement.value == kind
    order = shop.open("N1")
    paid = shop.link(found.payment, order)
    assert (paid.state, paid.late, paid.token) == (State.PAID, False, order.token)
    stored = shop.payment(found)
    assert (stored.judgement, stored.order_token, stored.account) == (Judgement.LINKED, order.token, "wx-main")
    assert stored.note == "the buyer showed the bill"
    assert len(shop.deliveries(order)) == 1
    (entry,) = shop.audit()
    assert (entry.actor, entry.action, entry.subject) == ("owner", "payment.link", found.payment.id)
    assert order.token in entry.detail


def test_linking_to_an_order_that_has_expired_pays_it_late(shop: Shop) -> None:
    order = shop.open()
    shop.go(5000)
    assert shop.link(unmatched(shop), order).late


def test_the_own_amount_of_a_linked_order_is_still_held_for_its_own_push(shop: Shop) -> None:
    """The buyer typed 7.77 instead of 9.90; that somebody sends 9.90 now is for a person to look at."""
    order = shop.open()
    shop.link(unmatched(shop), order)
    shop.go(890)
    assert shop.open("N2").really_price == 991
    assert shop.payment(shop.push(990)).judgement is Judgement.SUSPECTED


def test_linking_asks_for_a_reason_a_payment_under_review_and_an_order_that_can_be_paid(shop: Shop) -> None:
    payment, order = unmatched(shop), shop.open()
    methodless = shop.open("N2", method="", shown=False)
    paid = shop.open("N3")
    shop.push(991)
    with pytest.raises(Refusal) as caught:
        shop.link(payment, order, reason=" \n")
    assert refusal(caught) is Code.BAD_REQUEST
    for wrong in (methodless, paid):
        with pytest.raises(Refusal) as caught:
            shop.link(payment, wrong)
        assert refusal(caught) is Code.NOT_ALLOWED
    for payment_id, token, what in (("nothing", order.token, "payment"), (payment.id, "nothing", "order")):
        with pytest.raises(Refusal, match=f"no such {what}") as caught:
            payments.link(shop.store, payment_id, token, reason="r", actor="owner", new_id=shop.new_id, now=shop.now)
        assert refusal(caught) is Code.NOT_FOUND
    assert shop.order(order).state is State.PENDING
    assert shop.audit() == []
    assert payment in shop.payments(review=True)


def test_a_payment_is_linked_once(shop: Shop) -> None:
    payment = unmatched(shop)
    first, second = shop.open("N1"), shop.open("N2")
    shop.link(payment, first)
    with pytest.raises(Refusal) as caught:
        shop.link(payment, second)
    assert refusal(caught) is Code.CONFLICT
    assert shop.order(second).state is State.PENDING
    assert len(shop.audit()) == 1


def test_an_order_is_linked_once(shop: Shop) -> None:
    payment, another = unmatched(shop, 777), unmatched(shop, 778)
    order = shop.open("N1")
    shop.link(payment, order)
    with pytest.raises(Refusal) as caught:
        shop.link(another, order)
    assert refusal(caught) is Code.NOT_ALLOWED
    assert another in shop.payments(review=True)
    assert len(shop.deliveries(order)) == 1


def test_money_that_is_no_order_s_can_be_set_aside(shop: Shop) -> None:
    payment = unmatched(shop)
    ignore(shop, payment)
    assert shop.payments(review=True) == []
    (stored,) = shop.payments()
    assert (stored.judgement, stored.note) == (Judgement.IGNORED, "my own transfer")
    (entry,) = shop.audit()
    assert (entry.action, entry.subject) == ("payment.ignore", payment.id)
    for again in (payment, "nothing"):
        with pytest.raises(Refusal) as caught:
            ignore(shop, again)
        assert refusal(caught) is Code.CONFLICT
    assert len(shop.audit()) == 1


def test_setting_money_aside_needs_a_reason_and_spares_what_was_booked(shop: Shop) -> None:
    shop.open()
    booked, under_review = shop.push(990).payment, unmatched(shop)
    with pytest.raises(Refusal) as caught:
        ignore(shop, under_review, reason="")
    assert refusal(caught) is Code.BAD_REQUEST
    with pytest.raises(Refusal) as caught:
        ignore(shop, booked)
    assert refusal(caught) is Code.CONFLICT
    assert shop.audit() == []


# The database's own promises


def test_an_order_cannot_be_settled_by_two_payments_even_past_the_rules(shop: Shop) -> None:
    order = shop.open()
    shop.push(990)
    other = unmatched(shop)
    with pytest.raises(Conflict), shop.store.transaction() as db:
        stores.payments.judge(db, other, Judgement.LINKED, order=order, account="wx-main", note="", now=START)


def test_pages_of_payments_hold_each_once_newest_first(shop: Shop) -> None:
    for amount in range(1, 8):
        shop.push(amount)
        shop.go(amount % 2)
    found: list[Payment] = []
    before = None
    while True:
        with shop.store.read() as db:
            page = stores.payments.listed(db, review=False, before=before, limit=3)
        if not page:
            break
        found += page
        before = (page[-1].received_at, page[-1].id)
    assert [payment.amount for payment in found] == [7, 6, 5, 4, 3, 2, 1]


def test_the_sum_of_matched_payments_is_the_sum_of_the_paid_orders(shop: Shop) -> None:
    for number in range(6):
        shop.open(f"N{number}")
        shop.go(50)
    for amount in (990, 992, 994, 999, 993):
        shop.push(amount)
    orders.expire_due(shop.store, shop.now)
    with shop.store.read() as db:
        row = db.one(
            "SELECT (SELECT sum(amount) FROM payments WHERE judgement IN ('matched', 'late')),"
            " (SELECT sum(really_price) FROM orders WHERE state = 'paid')"
        )
    assert row is not None
    assert row[0] == row[1] == 990 + 992 + 994 + 993

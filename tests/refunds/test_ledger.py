"""What may go back of an order's money, held against the database alone: no gateway is called."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from checkout import payments
from checkout import store as stores
from checkout.errors import Code, Refusal
from checkout.interfaces import Store
from checkout.model.deliveries import DeliveryState, Endpoint, Try
from checkout.model.orders import Order
from checkout.model.payments import Judgement, Payment
from checkout.model.refunds import Refund, RefundState
from checkout.refunds import ledger, money_back
from checkout.refunds.ledger import MAX_REASON
from checkout.refunds.money_back import NOTHING_BACK, Back
from tests.shop import Shop
from tests.world import START

CHANNELS = {"alipay"}


class Counter:
    """A shop with an order of 9.90 that was paid through a gateway, and a payment that settled nothing."""

    def __init__(self, store: Store) -> None:
        self.shop = Shop(store).fill()
        self.order = self.shop.open()
        [found] = [self.shop.push(990)]
        self.payment = found.payment.id
        self.change_payments(channel="alipay")
        self.order = self.shop.order(self.order)

    @property
    def store(self) -> Store:
        return self.shop.store

    @property
    def by(self) -> dict[str, Any]:
        return {"reason": "returned", "actor": "owner", "new_id": self.shop.new_id, "now": self.shop.now}

    def change_payments(self, **changes: Any) -> None:
        with self.store.transaction() as db:
            for name, value in changes.items():
                db.run(f"UPDATE payments SET {name} = :value", value=value)

    def ask(self, amount: int | None = None, **more: Any) -> Refund:
        return ledger.ask(self.store, self.order.token, CHANNELS, **{"amount": amount, **self.by, **more})

    def by_hand(self, amount: int | None = None, **more: Any) -> Refund:
        return ledger.by_hand(self.store, self.order.token, **{"amount": amount, **self.by, **more})

    def stray(self, **changes: Any) -> Payment:
        """Money that a gateway told of and that settled no order."""
        fields: dict[str, Any] = {
            "id": self.shop.new_id("pay"), "channel": "alipay", "reference": self.shop.new_id("ref"), "device": "",
            "method": "alipay", "amount": 500, "judgement": Judgement.SUSPECTED, "order_token": self.order.token,
            "account": "wx-main", "raw": "{}", "note": "", "happened_at": START, "received_at": START,
            "judged_at": None, **changes,
        }  # fmt: skip
        payment = Payment(**fields)
        with self.store.transaction() as db:
            assert stores.payments.add(db, payment)
        return payment

    def send_back(self, payment: Payment, **more: Any) -> Refund:
        return ledger.ask_for_payment(self.store, payment.id, CHANNELS, **{**self.by, **more})

    def back(self) -> Back:
        with self.store.read() as db:
            return money_back.of(db, self.shop.order(self.order))

    def refunds(self) -> list[Refund]:
        with self.store.read() as db:
            return stores.refunds.of_order(db, self.order.token)

    def end(self, refund: Refund, state: str) -> Refund:
        """The refund as a gateway's answer leaves it."""
        with self.store.transaction() as db:
            if state == "done":
                ledger.done(db, refund, self.shop.now)
            else:
                db.run("UPDATE refunds SET state = 'failed', due_at = NULL WHERE id = :id", id=refund.id)
        return replace(refund, state=RefundState(state))

    def fits(self, refund: Refund) -> bool:
        with self.store.read() as db:
            return ledger.fits(db, refund)


@pytest.fixture
def counter(store: Store) -> Counter:
    return Counter(store)


def refused(caught: pytest.ExceptionInfo[Refusal]) -> Code:
    return caught.value.code


# Asking


def test_what_is_asked_for_is_written_down_with_who_asked_and_why(counter: Counter) -> None:
    made = counter.ask(400, number="R-1")
    assert made == Refund(
        made.id, counter.order.token, "R-1", 400, "returned", RefundState.ASKED, START, None, channel="alipay",
        due_at=START,
    )  # fmt: skip
    assert counter.refunds() == [made]
    entry = counter.shop.audit()[0]
    assert (entry.actor, entry.action, entry.subject, entry.at) == (
        "owner", "order.refund", counter.order.token, START,
    )  # fmt: skip
    assert json.loads(entry.detail) == {"refund": made.id, "amount": "4.00", "reason": "returned"}


def test_a_refund_without_a_number_has_its_own_id_for_one(counter: Counter) -> None:
    for made in (counter.ask(100), counter.by_hand(100)):
        assert made.number == made.id
        assert made.id.startswith("ref_0000")
    assert counter.by_hand(100, number="H").number == "H"


def test_all_that_is_left_goes_back_when_no_amount_is_named(counter: Counter) -> None:
    counter.ask(400)
    counter.by_hand(90)
    assert counter.ask().amount == 500
    for ask in (counter.ask, counter.by_hand):
        with pytest.raises(Refusal, match="went back already, or is on its way") as caught:
            ask()
        assert refused(caught) is Code.NOT_ALLOWED


@pytest.mark.parametrize("amount", [0, -1, 991, 10**12])
def test_no_more_than_is_left_goes_back_and_no_less_than_a_fen(counter: Counter, amount: int) -> None:
    for ask in (counter.ask, counter.by_hand):
        with pytest.raises(Refusal, match=r"At most 9\.90") as caught:
            ask(amount)
        assert refused(caught) is Code.BAD_AMOUNT
    assert counter.refunds() == []
    assert counter.ask(1).amount == 1
    assert counter.by_hand(989).amount == 989


@pytest.mark.parametrize("reason", ["", "  ", "x" * (MAX_REASON + 1)])
def test_a_refund_has_a_reason_of_at_most_two_hundred_letters(counter: Counter, reason: str) -> None:
    for ask in (counter.ask, counter.by_hand):
        with pytest.raises(Refusal) as caught:
            ask(100, reason=reason)
        assert refused(caught) is Code.BAD_REQUEST
    with pytest.raises(Refusal) as caught:
        counter.send_back(counter.stray(), reason=reason)
    assert refused(caught) is Code.BAD_REQUEST
    assert counter.refunds() == []
    assert MAX_REASON == 200
    assert counter.ask(100, reason="x" * 200).reason == "x" * 200


@pytest.mark.parametrize(
    ("number", "is_good"), [("!", True), ("~" * 64, True), ("x" * 65, False), ("a b", False), ("号", False)]
)
def test_the_number_of_a_refund_has_1_to_64_plain_signs(counter: Counter, number: str, is_good: bool) -> None:
    for ask in (counter.ask, counter.by_hand):
        if is_good:
            assert ask(100, number=number).number == number
            continue
        with pytest.raises(Refusal) as caught:
            ask(100, number=number)
        assert refused(caught) is Code.BAD_REQUEST


def test_the_same_number_again_is_the_same_refund_and_another_amount_is_refused(counter: Counter) -> None:
    made = counter.ask(400, number="R-1")
    counter.shop.go(10**6)
    assert counter.ask(400, number="R-1") == counter.ask(number="R-1") == counter.by_hand(400, number="R-1") == made
    counter.end(made, "failed")
    assert counter.ask(400, number="R-1").state is RefundState.FAILED
    for ask in (counter.ask, counter.by_hand):
        with pytest.raises(Refusal, match=r"over 4\.00") as caught:
            ask(401, number="R-1")
        assert refused(caught) is Code.DUPLICATE
    assert len(counter.refunds()) == 1


def test_an_equal_request_without_a_number_repeats_the_one_shortly_before(counter: Counter) -> None:
    made = counter.ask(100, repeat_s=60)
    counter.shop.go(59)
    assert counter.ask(100, repeat_s=60) == made
    assert counter.ask(101, repeat_s=60) != made
    assert counter.ask(100) != made
    counter.shop.go(1)
    later = counter.ask(100, repeat_s=60)
    assert later.created_at == START + 59  # the one without a time of repeats
    counter.shop.go(59)
    again = counter.ask(100, repeat_s=60)
    assert again.created_at == START + 119


def test_who_asks_once_more_for_all_that_was_left_gets_the_same_refund(counter: Counter) -> None:
    counter.ask(400, repeat_s=60)
    made = counter.ask(repeat_s=60)
    assert made.amount == 590
    counter.shop.go(59)
    assert counter.ask(repeat_s=60) == made
    counter.shop.go(1)
    with pytest.raises(Refusal, match="went back already, or is on its way"):
        counter.ask(repeat_s=60)
    counter.end(made, "failed")
    assert counter.ask(repeat_s=60) != made


def test_a_request_repeats_neither_one_that_failed_nor_one_with_a_number(counter: Counter) -> None:
    numbered = counter.ask(100, number="R-1", repeat_s=60)
    failed = counter.ask(100, repeat_s=60)
    assert failed != numbered
    counter.end(failed, "failed")
    made = counter.ask(100, repeat_s=60)
    assert made.id not in (numbered.id, failed.id)
    assert counter.ask(100, number="R-2", repeat_s=60).id not in (numbered.id, failed.id, made.id)


def test_only_a_paid_order_that_exists_is_refunded(counter: Counter) -> None:
    waiting = counter.shop.open("N2")
    for token, code in ((waiting.token, Code.NOT_ALLOWED), ("0" * 32, Code.NOT_FOUND)):
        with pytest.raises(Refusal) as caught:
            ledger.ask(counter.store, token, CHANNELS, amount=100, **counter.by)
        assert refused(caught) is code
        with pytest.raises(Refusal) as caught:
            ledger.by_hand(counter.store, token, amount=100, **counter.by)
        assert refused(caught) is code


@pytest.mark.parametrize(("channel", "words"), [("personal", "goes back by hand"), ("wechat", "checkout.toml")])
def test_a_gateway_that_is_not_there_sends_nothing_back(counter: Counter, channel: str, words: str) -> None:
    counter.change_payments(channel=channel)
    with pytest.raises(Refusal, match=words) as caught:
        counter.ask(100)
    assert refused(caught) is Code.NOT_ALLOWED
    assert counter.refunds() == []
    assert money_back.is_by_hand(channel) is (channel == "personal")
    assert money_back.is_by_hand("hand")


def test_what_was_confirmed_by_hand_goes_back_by_hand(counter: Counter) -> None:
    order = counter.shop.open("N2")
    counter.shop.confirm(order, counter.shop.order(order).really_price or 0)
    with pytest.raises(Refusal, match="by hand"):
        ledger.ask(counter.store, order.token, {"hand", "alipay"}, **counter.by)


# How an order stands


def test_nothing_came_for_an_order_that_is_not_paid(counter: Counter) -> None:
    waiting = counter.shop.open("N2")
    with counter.store.read() as db:
        assert money_back.of(db, waiting) == NOTHING_BACK == Back(0, 0, 0)
        assert money_back.settling(db, waiting) is None
        assert money_back.channel_of(db, waiting) == "hand"


@pytest.mark.parametrize("judgement", ["matched", "late", "linked"])
def test_an_order_s_money_is_what_its_payment_brought(counter: Counter, judgement: str) -> None:
    counter.change_payments(judgement=judgement, amount=777)
    counter.stray(received_at=START - 9)
    with counter.store.read() as db:
        settling = money_back.settling(db, counter.order)
        assert settling is not None
        assert settling.id == counter.payment
        assert money_back.channel_of(db, counter.order) == "alipay"
        assert money_back.paid_amount(db, counter.order) == 777


def test_without_a_payment_or_an_amount_what_was_to_be_paid_counts(counter: Counter) -> None:
    counter.change_payments(amount=None)
    with counter.store.read() as db:
        assert money_back.paid_amount(db, counter.order) == 990
        assert money_back.paid_amount(db, replace(counter.order, really_price=991)) == 991
        assert money_back.paid_amount(db, replace(counter.order, really_price=None, price=980)) == 980
    with counter.store.transaction() as db:
        db.run("DELETE FROM payments")
    with counter.store.read() as db:
        assert money_back.paid_amount(db, replace(counter.order, really_price=991)) == 991
        assert money_back.channel_of(db, counter.order) == "hand"


@pytest.mark.parametrize(
    ("back", "left", "is_whole"),
    [
        (Back(990, 0, 0), 990, False),
        (Back(990, 400, 90), 500, False),
        (Back(990, 989, 0), 1, False),
        (Back(990, 990, 0), 0, True),
        (Back(990, 0, 990), 0, False),
        (Back(990, 1000, 0), 0, True),
        (Back(0, 0, 0), 0, False),
        (Back(1, 1, 0), 0, True),
    ],
)
def test_what_is_left_and_when_all_is_back(back: Back, left: int, is_whole: bool) -> None:
    assert (back.left, back.is_whole) == (left, is_whole)


def test_money_on_its_way_counts_until_it_fails(counter: Counter) -> None:
    made = counter.ask(400)
    counter.end(counter.ask(90), "done")
    assert counter.back() == Back(990, 90, 400)
    counter.end(made, "failed")
    assert counter.back() == Back(990, 90, 0)


# Told, and given up


def owed(counter: Counter) -> Any:
    [delivery] = counter.shop.deliveries(counter.order)
    return delivery


def test_when_all_is_back_before_the_shop_heard_of_it_it_is_not_told_any_more(counter: Counter) -> None:
    with counter.store.transaction() as db:
        claimed = stores.deliveries.claim(db, owed(counter), START + 30)
    assert claimed is not None
    counter.by_hand(989)
    assert owed(counter).state is DeliveryState.WAITING
    counter.shop.go(5)
    counter.by_hand(1)
    assert (owed(counter).state, owed(counter).done_at) == (DeliveryState.FAILED, START + 5)
    with counter.store.read() as db:
        [why] = stores.deliveries.tries(db, owed(counter).id)
    assert (why.number, why.at, why.status, why.answer, why.elapsed_ms) == (2, START + 5, None, "", 0)
    assert why == Try(owed(counter).id, 2, START + 5, None, 0, "", why.error)


def test_those_who_listen_hear_of_a_refund_that_went_through(counter: Counter) -> None:
    hook = Endpoint(
        id="whk", merchant=1001, url="https://hooks.example/in", events="order.refunded", description="",
        secret="whsec_" + "c2VjcmV0" * 5, previous_secret="", previous_secret_until=0, failing_since=None,
        paused_at=None, pause="", created_at=START,
    )  # fmt: skip
    with counter.store.transaction() as db:
        stores.endpoints.add(db, hook)
    counter.ask(100)
    made = counter.by_hand(400)
    with counter.store.read() as db:
        [told] = stores.deliveries.listed(db, state=None, endpoint="whk")
    assert (told.event, told.subject, told.order_token) == ("order.refunded", made.id, counter.order.token)
    assert told.id.startswith("msg_0000")


def test_a_refund_that_a_gateway_tells_of_by_itself_counts_like_any_other(counter: Counter) -> None:
    found = Refund("ref_x", counter.order.token, "ref_x", 990, "there", RefundState.DONE, START, START, "alipay")
    with counter.store.transaction() as db:
        ledger.record(db, found, counter.shop.new_id, START)
    assert counter.back() == Back(990, 990, 0)
    assert owed(counter).state is DeliveryState.FAILED


def test_whoever_hears_second_that_money_went_back_changes_nothing(counter: Counter) -> None:
    payment = counter.stray()
    made = counter.send_back(payment)
    counter.end(made, "done")
    counter.shop.go(5)
    counter.end(made, "done")
    with counter.store.read() as db:
        after = stores.payments.get(db, payment.id)
    assert after == replace(
        payment, judgement=Judgement.IGNORED, note="Given back to the buyer: returned", judged_at=START
    )


# Payments that settled nothing


def test_a_payment_goes_back_as_a_whole(counter: Counter) -> None:
    payment = counter.stray()
    made = counter.send_back(payment)
    assert made == Refund(
        made.id, counter.order.token, made.id, 500, "returned", RefundState.ASKED, START, None, channel="alipay",
        due_at=START, payment=payment.id,
    )  # fmt: skip
    entry = counter.shop.audit()[0]
    assert (entry.actor, entry.action, entry.subject, entry.at) == ("owner", "payment.refund", payment.id, START)
    assert json.loads(entry.detail) == {"refund": made.id, "amount": "5.00", "reason": "returned"}
    assert counter.back() == Back(990, 0, 0)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"channel": "personal"}, Code.NOT_ALLOWED),
        ({"channel": "hand"}, Code.NOT_ALLOWED),
        ({"channel": "wechat"}, Code.NOT_ALLOWED),
        ({"amount": None, "judgement": Judgement.UNREADABLE}, Code.NOT_ALLOWED),
        ({"order_token": ""}, Code.NOT_ALLOWED),
        ({"judgement": Judgement.IGNORED}, Code.CONFLICT),
    ],
)
def test_what_no_gateway_can_send_back_is_refused(counter: Counter, change: dict[str, Any], code: Code) -> None:
    payment = counter.stray(**change)
    with pytest.raises(Refusal) as caught:
        counter.send_back(payment)
    assert refused(caught) is code
    assert counter.refunds() == []
    with pytest.raises(Refusal) as caught:
        counter.send_back(replace(payment, id="nothing"))
    assert refused(caught) is Code.NOT_FOUND


@pytest.mark.parametrize("judgement", [Judgement.SUSPECTED, Judgement.UNMATCHED, Judgement.UNREADABLE])
def test_each_payment_that_waits_for_a_person_can_go_back_once(counter: Counter, judgement: Judgement) -> None:
    payment = counter.stray(judgement=judgement)
    made = counter.send_back(payment)
    for again in (
        lambda: counter.send_back(payment),
        lambda: payments.link(counter.store, payment.id, counter.shop.open("N2").token, **counter.by),
    ):
        with pytest.raises(Refusal, match="on its way back") as caught:
            again()
        assert refused(caught) is Code.CONFLICT
    counter.end(made, "failed")
    assert counter.send_back(payment).id != made.id


# What a refund that failed could still become


def test_a_failed_refund_fits_while_the_order_has_its_money(counter: Counter) -> None:
    failed = counter.end(counter.ask(500), "failed")
    assert counter.fits(failed)
    counter.by_hand(490)
    assert counter.fits(failed)
    counter.by_hand(1)
    assert not counter.fits(failed)
    assert not counter.fits(replace(failed, order_token="0" * 32))


def test_a_failed_refund_of_a_payment_fits_while_that_waits(counter: Counter) -> None:
    payment = counter.stray()
    failed = counter.end(counter.send_back(payment), "failed")
    assert counter.fits(failed)
    assert not counter.fits(replace(failed, payment="nothing"))
    second = counter.send_back(payment)
    assert not counter.fits(failed)
    counter.end(second, "failed")
    assert counter.fits(failed)
    payments.ignore(counter.store, payment.id, **counter.by)
    assert not counter.fits(failed)


def test_the_row_of_the_order_is_locked_and_seen_to_change(counter: Counter) -> None:
    """Pages that show the order look again."""

    def rev() -> int:
        found: Order = counter.shop.order(counter.order)
        return found.rev

    before = rev()
    counter.ask(100)
    counter.by_hand(100)
    counter.send_back(counter.stray())
    assert rev() == before + 3

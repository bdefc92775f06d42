"""Everything that belongs to one payment of one order, and nothing of another: by hand, by money that came another way
than the order says, and with other attempts at the same number."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import pytest
from msgspec.structs import replace

from checkout import orders, settlement, switching, tallies
from checkout import store as stores
from checkout.errors import Code, Refusal
from checkout.interfaces import Store
from checkout.model.accounts import Method
from checkout.model.deliveries import Delivery, DeliveryState
from checkout.model.merchants import Merchant
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement, Payment
from checkout.store.gateways import Watch
from tests.hooks import Listener
from tests.shop import Shop
from tests.world import START, FakeClock, Outside

DAY_S = 86_400


@pytest.fixture
def shop(store: Store) -> Shop:
    made = Shop(store).fill()
    made.add_account(id="ali-main", method=Method.ALIPAY)
    made.add_device("both", ["wx-main", "ali-main"])
    return made


def money(shop: Shop, **changes: Any) -> Payment:
    """A payment as it is stored before it is judged."""
    fields: dict[str, Any] = {
        "id": shop.new_id("pay"), "channel": "personal", "reference": shop.new_id("ref"), "device": "phone",
        "method": "wechat", "amount": 990, "judgement": Judgement.UNMATCHED, "order_token": "", "account": "wx-main",
        "raw": "{}", "note": "", "happened_at": shop.now, "received_at": shop.now, "judged_at": None, **changes,
    }  # fmt: skip
    payment = Payment(**fields)
    with shop.store.transaction() as db:
        assert stores.payments.add(db, payment)
    return payment


def settle(
    shop: Shop, order: Order, payment: Payment, judgement: Judgement = Judgement.MATCHED, note: str = ""
) -> Order | None:
    with shop.store.transaction() as db:
        return settlement.settle(db, shop.order(order), payment, judgement, note=note, new_id=shop.new_id, now=shop.now)


def stored(shop: Shop, payment: Payment) -> Payment:
    with shop.store.read() as db:
        found = stores.payments.get(db, payment.id)
    assert found is not None
    return found


# One transaction


def test_a_settled_order_has_its_payment_its_receipt_and_its_message(shop: Shop) -> None:
    order = shop.open()
    shop.go(20)
    payment = money(shop)
    paid = settle(shop, order, payment, note="seen")
    assert paid == shop.order(order)
    assert paid is not None
    assert (paid.state, paid.paid_at, paid.late, paid.account) == (State.PAID, START + 20, False, "wx-main")
    assert stored(shop, payment) == replace(
        payment, judgement=Judgement.MATCHED, order_token=order.token, note="seen", judged_at=START + 20, merchant=1001
    )
    with shop.store.read() as db:
        receipt = stores.receipts.of_order(db, order.token)
    assert receipt is not None
    assert receipt.created_at == START + 20
    [owed] = shop.deliveries(order)
    assert (owed.event, owed.state, owed.due_at) == ("order.paid", DeliveryState.WAITING, START + 20)
    assert owed.id.startswith("msg_0000")


def test_a_second_payment_of_an_order_changes_nothing(shop: Shop) -> None:
    order = shop.open()
    settle(shop, order, money(shop))
    before, slots = shop.order(order), shop.slots()
    second = money(shop)
    shop.go(5)
    assert settle(shop, order, second) is None
    assert (shop.order(order), stored(shop, second), shop.slots()) == (before, second, slots)


def test_a_payment_without_an_account_is_booked_to_the_order_s(shop: Shop) -> None:
    order = shop.open()
    payment = money(shop, account="")
    paid = settle(shop, order, payment)
    assert paid is not None
    assert (paid.account, stored(shop, payment).account) == ("wx-main", "wx-main")


def test_money_after_the_end_is_called_late_only_where_a_phone_matched_it(shop: Shop) -> None:
    found = []
    for number, judgement in (("N1", Judgement.MATCHED), ("N2", Judgement.LINKED)):
        order = shop.open(number)
        shop.close(order)
        payment = money(shop, amount=order.really_price)
        settle(shop, order, payment, judgement)
        found.append((shop.order(order).late, stored(shop, payment).judgement))
    assert found == [(True, Judgement.LATE), (True, Judgement.LINKED)]


def test_late_money_has_the_day_of_its_order_summed_up_anew(shop: Shop) -> None:
    order = shop.open()
    shop.go(3 * DAY_S)
    orders.expire_due(shop.store, shop.now)
    assert tallies.sum_up(shop.store, shop.now) > 0
    settle(shop, order, money(shop))
    assert tallies.sum_up(shop.store, shop.now) == 1


# Other attempts at the same number


def attempts(shop: Shop) -> tuple[Order, Order]:
    """Two that wait at once, as when the worker has not written down the end of the first one."""
    first = shop.open()
    shop.close(first)
    return first, shop.open()


def test_whoever_waits_under_the_same_number_is_closed_and_its_gateway_told(shop: Shop) -> None:
    first, second = attempts(shop)
    with shop.store.transaction() as db:
        for order in (first, second):
            stores.gateways.watch(db, order.token, "alipay", START + 10**6)
    shop.go(7)
    assert settle(shop, first, money(shop)) is not None
    assert (shop.order(second).state, shop.order(second).closed_at) == (State.CLOSED, START + 7)
    with shop.store.read() as db:
        ended, own = stores.gateways.watch_of(db, second.token), stores.gateways.watch_of(db, first.token)
    assert (ended, own) == (
        Watch(second.token, "alipay", START + 7, 0, False), Watch(first.token, "alipay", START + 10**6, 0, False),
    )  # fmt: skip


def test_an_attempt_that_has_ended_already_is_left_as_it_is(shop: Shop) -> None:
    first, second = attempts(shop)
    closed = shop.close(second)
    shop.go(7)
    assert settle(shop, first, money(shop)) is not None
    assert shop.order(second) == closed


def test_what_a_number_s_other_attempts_say_is_told_to_those_who_listen(
    store: Store, clock: FakeClock, outside: Outside
) -> None:
    listener = Listener(store, clock, outside)
    endpoint = listener.add("order.paid", "order.closed")
    first = listener.shop.open()
    with store.transaction() as db:
        db.run("UPDATE orders SET state = 'expired'")
    second = listener.shop.open()
    listener.shop.push(first.really_price)
    told = [(one.event, one.order_token) for one in listener.owed(endpoint)]
    assert sorted(told) == [("order.closed", second.token), ("order.paid", first.token)]
    assert all(one.id.removeprefix("msg_").isdigit() for one in listener.owed(endpoint))


def test_what_endpoints_are_owed_is_told_to_whoever_sends_it(store: Store, clock: FakeClock, outside: Outside) -> None:
    told: list[Delivery] = []

    class Told:
        def reset(self) -> None: ...

        def callback(self, delivery: Delivery, order: Order, merchant: Merchant, receipt: str) -> Delivery:
            return delivery

        def event(self, delivery: Delivery) -> None:
            told.append(delivery)

    listener = Listener(store, clock, outside)
    endpoints = [listener.add("order.paid", url=f"https://{name}.example/in") for name in "ab"]
    listener.shop.at_once = lambda: nullcontext(Told())
    listener.paid()
    assert [one.event for one in told] == ["order.paid"] * 2
    assert sorted(one.id for one in told) == sorted(one.id for it in endpoints for one in listener.owed(it))


def test_one_number_is_settled_by_one_payment(shop: Shop) -> None:
    first, second = attempts(shop)
    settle(shop, second, money(shop, amount=second.really_price))
    before = shop.order(first)
    assert settle(shop, first, money(shop)) is None
    assert shop.order(first) == before


# How the money came


def test_money_by_the_method_before_is_booked_as_it_came(shop: Shop) -> None:
    order = shop.open(dialect="api")
    switching.choose_method(shop.store, order.token, "alipay", shop.rules, shop.now)
    paid = settle(shop, order, money(shop))
    assert paid is not None
    assert (paid.method, paid.account, paid.channel, paid.really_price) == ("wechat", "wx-main", "personal", 990)


def test_money_of_an_account_that_is_gone_leaves_the_order_as_it_was_asked(shop: Shop) -> None:
    order = shop.open()
    paid = settle(shop, order, money(shop, account="removed", amount=5))
    assert paid is not None
    assert (paid.account, paid.really_price) == ("wx-main", 990)


def test_a_gateway_that_the_order_had_moved_away_from_may_be_paid(shop: Shop) -> None:
    shop.add_account(id="official", method=Method.ALIPAY, channel="alipay", code="")
    order = shop.open()
    paid = settle(shop, order, money(shop, account="official", channel="alipay"))
    assert paid is not None
    assert (paid.method, paid.account, paid.channel, paid.really_price) == ("alipay", "official", "alipay", 990)


def test_an_account_that_is_not_the_payment_s_channel_s_counts_only_where_the_order_held_its_amount(
    shop: Shop,
) -> None:
    shop.add_account(id="official", method=Method.ALIPAY, channel="alipay", code="")
    order = shop.open("N1")
    paid = settle(shop, order, money(shop, account="official", amount=order.really_price))
    assert paid is not None
    assert (paid.account, paid.channel) == ("wx-main", "personal")
    order = shop.open("N2", dialect="api")
    held = shop.order(order)
    switching.choose_method(shop.store, order.token, "alipay", shop.rules, shop.now)
    paid = settle(shop, order, money(shop, channel="alipay", amount=held.really_price))
    assert paid is not None
    assert (paid.account, paid.method, paid.channel) == ("wx-main", "wechat", "personal")


def test_an_amount_that_nobody_could_read_leaves_the_order_as_it_was_asked(shop: Shop) -> None:
    order = shop.open()
    paid = settle(shop, order, money(shop, account="ali-main", amount=None))
    assert paid is not None
    assert (paid.account, paid.really_price) == ("wx-main", 990)


def test_money_that_a_person_booked_moves_no_account(shop: Shop) -> None:
    order = shop.open()
    paid = settle(shop, order, money(shop, account="ali-main", amount=5), Judgement.LINKED)
    assert paid is not None
    assert (paid.account, paid.really_price) == ("wx-main", 990)


def test_money_that_a_person_linked_is_kept_at_the_account_that_it_came_to(shop: Shop) -> None:
    shop.add_account(id="gate", method=Method.ALIPAY, channel="gate")
    for number, device, channel, account in (("1", "both", "personal", "ali-main"), ("2", "", "gate", "gate")):
        payment = money(shop, account="", device=device, channel=channel, method="alipay")
        assert settle(shop, shop.open(number=number), payment, Judgement.LINKED)
        assert stored(shop, payment).account == account


def test_money_that_may_have_come_to_several_accounts_is_kept_at_the_order_s(shop: Shop) -> None:
    shop.add_account(id="ali-second", method=Method.ALIPAY)
    shop.add_device("three", ["wx-main", "ali-main", "ali-second"])
    payment = money(shop, account="", device="three", method="alipay")
    assert settle(shop, shop.open(), payment, Judgement.LINKED)
    assert stored(shop, payment).account == "wx-main"


@pytest.mark.parametrize("judgement", [Judgement.MATCHED, Judgement.LINKED])
def test_a_paid_amount_is_held_as_long_as_its_code_can_be_on_a_screen(shop: Shop, judgement: Judgement) -> None:
    order = shop.open(shown=False)
    held = shop.slots()["wx-main", 990]
    shop.go(290)
    settle(shop, order, money(shop), judgement)
    assert held == (order.token, START + 300, START + 300)
    assert shop.slots()["wx-main", 990] == (order.token, START + 410, START + 410)


# By hand


def test_an_order_confirmed_by_hand_keeps_who_why_and_how_much(shop: Shop) -> None:
    order = shop.open()
    shop.go(9)
    paid = shop.confirm(order, 990, "seen in the bill")
    [payment] = shop.payments()
    assert payment == Payment(
        payment.id, "hand", order.token, "", "wechat", 990, Judgement.LINKED, order.token, "wx-main", "",
        "seen in the bill", START + 9, START + 9, START + 9, 1001,
    )  # fmt: skip
    assert payment.id.startswith("pay_0000")
    assert paid == shop.order(order)
    [entry] = shop.audit()
    assert (entry.actor, entry.action, entry.subject, entry.at) == ("owner", "order.confirm", order.token, START + 9)
    assert json.loads(entry.detail) == {"amount": "9.90", "reason": "seen in the bill"}


@pytest.mark.parametrize(
    ("amount", "reason", "code"),
    [(990, " ", Code.BAD_REQUEST), (989, "seen", Code.BAD_AMOUNT), (991, "seen", Code.BAD_AMOUNT)],
)
def test_confirming_asks_for_the_exact_amount_and_a_reason(shop: Shop, amount: int, reason: str, code: Code) -> None:
    order = shop.open()
    with pytest.raises(Refusal) as caught:
        shop.confirm(order, amount, reason)
    assert caught.value.code is code
    assert (shop.order(order).state, shop.payments(), shop.audit()) == (State.PENDING, [], [])


def test_an_order_that_is_paid_is_not_confirmed_and_its_payment_not_doubled(shop: Shop) -> None:
    order = shop.open()
    shop.push(990)
    with pytest.raises(Refusal) as caught:
        shop.confirm(order, 990)
    assert caught.value.code is Code.NOT_ALLOWED
    assert (len(shop.payments()), shop.audit()) == (1, [])
    with pytest.raises(Refusal) as caught:
        shop.confirm(replace(order, token="0" * 32), 990)
    assert caught.value.code is Code.NOT_FOUND

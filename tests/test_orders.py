from __future__ import annotations

import logging
from typing import Any

import pytest

from checkout import opening, orders, settlement, switching
from checkout import store as stores
from checkout.errors import Code, Damaged, Refusal
from checkout.interfaces import Rows, Store
from checkout.model.accounts import FixedCode, Method
from checkout.model.deliveries import DeliveryState
from checkout.model.orders import MOVES, Order, State
from checkout.model.payments import Judgement
from tests.shop import Shop
from tests.world import START, account, merchant

TTL, GRACE, REST = 300, 600, 7200


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


def refusal(caught: pytest.ExceptionInfo[Refusal]) -> Code:
    return caught.value.code


# Opening


def test_a_new_order_waits_for_its_time_and_has_the_exact_price(shop: Shop) -> None:
    order = shop.open("N1", 990, title="Book", param="p", buyer="user-42", notify_url="https://a.example/n")
    assert shop.order(order) == order
    assert (order.state, order.really_price, order.account) == (State.PENDING, 990, "wx-main")
    assert (order.created_at, order.expires_at, order.shown_at) == (START, START + TTL, START)
    assert (order.number, order.attempt, order.title, order.buyer) == ("N1", 1, "Book", "user-42")
    assert len(order.token) == 32


def test_a_merchant_may_give_an_order_a_time_of_its_own(shop: Shop) -> None:
    assert shop.open(ttl=60).expires_at == START + 60


def test_tokens_of_orders_differ(shop: Shop) -> None:
    assert len({shop.open(f"N{number}").token for number in range(20)}) == 20


def test_new_orders_are_refused_when_the_disk_is_nearly_full_and_payments_are_not(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shop.open()
    shop.rules = orders.Rules(shop.rules.limits, min_free_disk=50 * 1024 * 1024)
    monkeypatch.setattr(shop.store, "free_bytes", lambda: 50 * 1024 * 1024 - 1)
    with pytest.raises(Refusal) as caught:
        shop.open("N2")
    assert refusal(caught) is Code.DISK_FULL
    assert shop.push(990).order == shop.order(order)
    monkeypatch.setattr(shop.store, "free_bytes", lambda: 50 * 1024 * 1024)
    shop.open("N2")


def test_a_store_that_knows_no_disk_takes_orders(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.store, "free_bytes", lambda: None)
    assert shop.open().state is State.PENDING


def test_a_database_that_is_known_to_be_damaged_takes_no_orders_and_still_payments(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shop.open()

    def damaged() -> None:
        raise Damaged("The database is damaged.")

    monkeypatch.setattr(shop.store, "expect_sound", damaged)
    with pytest.raises(Damaged):
        shop.open("N2")
    assert list(shop.slots()) == [("wx-main", 990)]
    assert shop.push(990).order == shop.order(order)


def test_a_check_of_the_caller_s_looks_before_a_new_order_and_not_before_a_retry(shop: Shop) -> None:
    looks = []

    def check(db: Rows) -> None:
        looks.append(stores.orders.counts(db).get("pending", 0))
        if len(looks) > 1:
            raise Refusal(Code.LIMITED, "Too many.")

    def ask(number: str) -> Order:
        return opening.open_order(shop.store, shop.ask(number), shop.rules, shop.now, check=check)

    assert ask("N1") == ask("N1")
    with pytest.raises(Refusal) as caught:
        ask("N2")
    assert (refusal(caught), looks) == (Code.LIMITED, [0, 1])
    assert list(shop.slots()) == [("wx-main", 990)]


# The same number again


def test_the_same_order_again_is_the_order_that_waits(shop: Shop) -> None:
    first = shop.open()
    shop.go(TTL - 1)
    assert shop.open() == first
    assert len(shop.slots()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"price": 1000}, {"method": "alipay"}, {"param": "x"}, {"buyer": "x"}, {"notify_url": "https://a.example/"},
        {"return_url": "https://a.example/"}, {"product": "x"}, {"quantity": 2}, {"dialect": "gogo"},
    ],
)  # fmt: skip
def test_the_same_number_with_other_details_is_refused(shop: Shop, change: dict[str, Any]) -> None:
    shop.add_account(id="ali-main", method=Method.ALIPAY)
    shop.open()
    with pytest.raises(Refusal) as caught:
        shop.open(**{"number": "N1", **change})
    assert refusal(caught) is Code.DUPLICATE
    assert len(shop.slots()) == 1


def test_the_number_of_a_paid_order_is_refused_however_old_it_is(shop: Shop) -> None:
    shop.open()
    shop.push(990)
    shop.go(10 * 86_400)
    with pytest.raises(Refusal) as caught:
        shop.open()
    assert refusal(caught) is Code.DUPLICATE


@pytest.mark.parametrize("end", ["expired", "closed"])
def test_the_number_of_an_order_that_ended_may_be_asked_for_again_with_other_details(shop: Shop, end: str) -> None:
    first = shop.open()
    if end == "closed":
        shop.close(first)
    shop.go(0 if end == "closed" else TTL)
    second = shop.open(price=1000)
    assert (second.attempt, second.token != first.token) == (2, True)
    assert shop.open(price=1000) == second


def test_the_number_of_another_merchant_is_another_number(shop: Shop) -> None:
    first = shop.open()
    with shop.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002))
    assert shop.open(merchant=merchant(id=1002)).token != first.token


def test_a_merchant_without_reuse_gets_each_number_once(shop: Shop) -> None:
    shop.change_merchant(reuse=False)
    shop.open()
    for wait in (0, TTL):
        shop.go(wait)
        with pytest.raises(Refusal) as caught:
            shop.open()
        assert refusal(caught) is Code.DUPLICATE


def test_late_money_for_an_earlier_attempt_pays_it_and_closes_the_one_that_waits(shop: Shop) -> None:
    first = shop.open()
    shop.go(TTL)
    second = shop.open()
    assert (first.really_price, second.really_price) == (990, 991)
    assert shop.push(990).order == shop.order(first)
    assert (shop.order(first).state, shop.order(first).late) == (State.PAID, True)
    assert shop.order(second).state is State.CLOSED
    with pytest.raises(Refusal) as caught:
        shop.open()
    assert refusal(caught) is Code.DUPLICATE


def test_money_for_a_second_attempt_of_a_paid_number_waits_for_a_person(shop: Shop) -> None:
    shop.open()
    shop.go(TTL)
    second = shop.open()
    shop.push(990)
    found = shop.push(991)
    assert found.order is None
    assert (shop.payment(found).judgement, shop.payment(found).order_token) == (Judgement.SUSPECTED, second.token)
    assert shop.order(second).state is State.CLOSED


def test_a_retry_whose_answer_carries_the_code_counts_as_shown(shop: Shop) -> None:
    """First asked for by a page that shows the code later, then by one whose answer holds it."""
    first = shop.open(shown=False)
    assert first.shown_at is None
    shop.go(10)
    assert shop.open(shown=True).shown_at == START + 10
    assert shop.slots()["wx-main", 990][1:] == (START + TTL + GRACE, START + TTL + GRACE + REST)
    assert shop.open(shown=False).shown_at == START + 10


# Choosing the method


def test_an_order_without_a_method_gets_account_and_amount_when_the_buyer_chooses(shop: Shop) -> None:
    order = shop.open(method="", shown=False)
    assert (order.method, order.account, order.really_price) == ("", "", None)
    assert shop.slots() == {}
    chosen = switching.choose_method(shop.store, order.token, "wechat", shop.rules, shop.now)
    assert (chosen.method, chosen.account, chosen.really_price, chosen.rev) == ("wechat", "wx-main", 990, 1)
    assert switching.choose_method(shop.store, order.token, "wechat", shop.rules, shop.now) == chosen


def test_the_method_is_chosen_once_and_in_time(shop: Shop) -> None:
    shop.add_account(id="ali-main", method=Method.ALIPAY)
    chosen, slow = shop.open("N1"), shop.open("N2", method="", shown=False)
    with pytest.raises(Refusal) as caught:
        switching.choose_method(shop.store, chosen.token, "alipay", shop.rules, shop.now)
    assert refusal(caught) is Code.NOT_ALLOWED
    with pytest.raises(Refusal) as caught:
        switching.choose_method(shop.store, slow.token, "alipay", shop.rules, slow.expires_at)
    assert refusal(caught) is Code.NOT_ALLOWED
    with pytest.raises(Refusal) as caught:
        switching.choose_method(shop.store, "no such token", "alipay", shop.rules, shop.now)
    assert refusal(caught) is Code.NOT_FOUND


# Showing


def test_showing_the_code_lets_the_amount_wait_for_late_payers(shop: Shop) -> None:
    order = shop.open(shown=False)
    assert shop.slots()["wx-main", 990][1:] == (order.expires_at, order.expires_at)
    shown = orders.show(shop.store, order, shop.rules.limits, START + 9)
    assert shown.shown_at == START + 9
    assert shop.slots()["wx-main", 990][1:] == (order.expires_at + GRACE, order.expires_at + GRACE + REST)
    assert orders.show(shop.store, shown, shop.rules.limits, START + 20) == shown
    assert orders.show(shop.store, order, shop.rules.limits, START + 20) == shown


@pytest.mark.parametrize("end", ["closed", "paid", "expired"])
def test_a_page_that_comes_too_late_neither_shows_the_code_nor_holds_the_amount(shop: Shop, end: str) -> None:
    """It has read the order before it ended."""
    order = shop.open(shown=False)
    if end == "closed":
        shop.close(order)
    elif end == "paid":
        shop.push(990)
    now = order.expires_at if end == "expired" else START
    slots = shop.slots()
    found = orders.show(shop.store, order, shop.rules.limits, now)
    assert found.shown_at is None
    assert found == shop.order(order)
    assert shop.slots() == slots


def test_there_is_nothing_to_show_before_the_method_is_chosen(shop: Shop) -> None:
    order = shop.open(method="", shown=False)
    assert orders.show(shop.store, order, shop.rules.limits, START) == order


def test_a_fixed_amount_code_is_shown_only_when_it_says_exactly_the_really_price(shop: Shop) -> None:
    with shop.store.transaction() as db:
        stores.accounts.set_code(db, FixedCode("wx-main", 990, "wxp://fixed990", START))
    exact, other = shop.open("N1"), shop.open("N2")
    with shop.store.read() as db:
        assert orders.code_of(db, exact) == ("wxp://fixed990", False)
        assert orders.code_of(db, other) == ("wxp://f2f0wechat", True)


# Ends


def test_orders_expire_at_their_second_and_not_before(shop: Shop) -> None:
    order = shop.open()
    assert orders.expire_due(shop.store, order.expires_at - 1) == 0
    assert order.state_at(order.expires_at - 1) is State.PENDING
    assert order.state_at(order.expires_at) is State.EXPIRED
    assert orders.expire_due(shop.store, order.expires_at) == 1
    assert orders.expire_due(shop.store, order.expires_at) == 0
    expired = shop.order(order)
    assert (expired.state, expired.rev) == (State.EXPIRED, 1)


def test_expiring_goes_in_portions_the_oldest_first(shop: Shop) -> None:
    opened = []
    for number in range(3):
        opened.append(shop.open(f"N{number}"))
        shop.go(1)
    assert orders.expire_due(shop.store, START + 1000, limit=2) == 2
    assert [shop.order(order).state for order in opened] == [State.EXPIRED, State.EXPIRED, State.PENDING]


def test_of_two_workers_that_expire_orders_at_once_the_second_finds_nothing_to_tell(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shop.open()
    shop.go(TTL)
    with caplog.at_level(logging.INFO):
        assert orders.expire_due(shop.store, shop.now) == 1
        told = len(caplog.records)
        monkeypatch.setattr(stores.orders, "any_expiring", lambda db, now: True)  # as it was a moment ago
        assert orders.expire_due(shop.store, shop.now) == 0
    assert len(caplog.records) == told


def test_closing_an_order_that_was_shown_holds_its_amount_for_the_grace_from_then_on(shop: Shop) -> None:
    order = shop.open()
    shop.go(100)
    closed = shop.close(order)
    assert (closed.state, closed.closed_at) == (State.CLOSED, START + 100)
    assert shop.slots()["wx-main", 990][1:] == (START + 100 + GRACE, START + 100 + GRACE + REST)
    assert shop.open("N2").really_price == 991


def test_closing_an_order_that_nobody_saw_frees_its_amount_at_once(shop: Shop) -> None:
    shop.close(shop.open("N1", shown=False))
    assert shop.open("N2").really_price == 990


def test_closing_frees_only_those_amounts_of_an_order_whose_code_nobody_saw(shop: Shop) -> None:
    """The buyer saw the WeChat code, looked at Alipay, went back, and the shop closed the order at that moment."""
    shop.add_account(id="ali-main", method=Method.ALIPAY, code="https://qr.alipay.com/fkx")
    order = shop.open(dialect="api")
    switching.choose_method(shop.store, order.token, "alipay", shop.rules, shop.now)
    back = switching.choose_method(shop.store, order.token, "wechat", shop.rules, shop.now)
    assert (back.account, back.shown_at) == ("wx-main", None)
    shop.go(100)
    shop.close(order)
    slots = shop.slots()
    assert slots["wx-main", 990][1:] == (order.expires_at + GRACE, order.expires_at + GRACE + REST)
    assert slots["ali-main", 990][1:] == (shop.now, shop.now)


def test_closing_an_order_without_a_method_changes_no_amounts(shop: Shop) -> None:
    assert shop.close(shop.open(method="", shown=False)).state is State.CLOSED
    assert shop.slots() == {}


def test_only_an_order_that_waits_can_be_closed(shop: Shop) -> None:
    order = shop.open()
    shop.now = order.expires_at
    with pytest.raises(Refusal) as caught:
        shop.close(order)
    assert refusal(caught) is Code.NOT_ALLOWED
    with pytest.raises(Refusal) as caught:
        orders.close(shop.store, "no such token", shop.rules.limits, START)
    assert refusal(caught) is Code.NOT_FOUND


def put_into(shop: Shop, order: Order, state: State) -> None:
    """Through the store's own moves."""
    with shop.store.transaction() as db:
        if state is State.PAID:
            assert stores.orders.pay(db, order.token, START)
        elif state is State.CLOSED:
            assert stores.orders.close(db, order.token, START)
        elif state is State.EXPIRED:
            assert stores.orders.expire(db, order.expires_at, 10)


@pytest.mark.parametrize("source", list(State))
@pytest.mark.parametrize("target", [State.PAID, State.EXPIRED, State.CLOSED])
def test_the_store_makes_the_allowed_moves_and_no_others(shop: Shop, source: State, target: State) -> None:
    order = shop.open()
    put_into(shop, order, source)
    before = shop.order(order)
    with shop.store.transaction() as db:
        moved: Order | None
        if target is State.PAID:
            moved = stores.orders.pay(db, order.token, START)
        elif target is State.CLOSED:
            moved = stores.orders.close(db, order.token, START)
        else:
            moved = next(iter(stores.orders.expire(db, order.expires_at, 10)), None)
    if target in MOVES[source]:
        assert moved is not None
        assert (moved.state, moved.rev) == (target, before.rev + 1)
        assert shop.order(order) == moved
    else:
        assert moved is None
        assert shop.order(order) == before


# Paid


@pytest.mark.parametrize(
    ("after", "state", "late", "judgement"),
    [
        (TTL - 1, State.PAID, False, Judgement.MATCHED),
        (TTL, State.PAID, True, Judgement.LATE),
        (TTL + GRACE - 1, State.PAID, True, Judgement.LATE),
        (TTL + GRACE, State.EXPIRED, False, Judgement.UNMATCHED),
    ],
)
@pytest.mark.parametrize("looked", [True, False])
def test_money_finds_its_order_until_the_grace_is_over(
    shop: Shop, after: int, state: State, late: bool, judgement: Judgement, looked: bool
) -> None:
    """Whether or not the worker has looked at the order in between."""
    order = shop.open()
    shop.go(after)
    if looked:
        orders.expire_due(shop.store, shop.now)
    found = shop.push(990)
    assert shop.order(order).state_at(shop.now) is state
    assert shop.order(order).late is late
    assert shop.payment(found).judgement is judgement
    assert len(shop.deliveries(order)) == (1 if state is State.PAID else 0)


def test_money_for_a_closed_order_pays_it_late(shop: Shop) -> None:
    order = shop.open()
    shop.close(order)
    paid = shop.push(990).order
    assert paid is not None
    assert (paid.token, paid.late, paid.closed_at) == (order.token, True, START)


def test_a_paid_amount_is_held_until_its_order_would_have_expired(shop: Shop) -> None:
    shop.open()
    shop.go(10)
    shop.push(990)
    shop.now = START + TTL - 1
    assert shop.open("N2").really_price == 991
    shop.go(1)
    assert shop.open("N3").really_price == 990


def test_an_amount_that_was_paid_late_is_held_for_two_minutes(shop: Shop) -> None:
    shop.open()
    shop.go(TTL + 10)
    shop.push(990)
    shop.go(119)
    assert shop.open("N2").really_price == 991
    shop.go(1)
    assert shop.open("N3").really_price == 990


def test_a_paid_order_owes_the_merchant_one_message(shop: Shop) -> None:
    order = shop.open(notify_url="https://a.example/n")
    shop.push(990)
    (owed,) = shop.deliveries(order)
    assert (owed.event, owed.url, owed.state) == ("order.paid", "https://a.example/n", DeliveryState.WAITING)
    assert (owed.due_at, owed.attempts, owed.dialect) == (START, 0, "vmq")


def test_a_merchant_without_an_address_is_owed_a_message_that_goes_nowhere(shop: Shop) -> None:
    shop.change_merchant(notify_url="")
    order = shop.open()
    shop.push(990)
    assert [owed.state for owed in shop.deliveries(order)] == [DeliveryState.NONE]


# By hand


@pytest.mark.parametrize("state", [State.PENDING, State.EXPIRED, State.CLOSED])
def test_the_owner_can_confirm_an_order_that_is_not_paid(shop: Shop, state: State) -> None:
    order = shop.open()
    put_into(shop, order, state)
    paid = shop.confirm(order, 990)
    assert (paid.state, paid.paid_at, paid.late) == (State.PAID, START, state is not State.PENDING)
    (payment,) = shop.payments()
    assert (payment.judgement, payment.order_token, payment.amount) == (Judgement.LINKED, order.token, 990)
    assert len(shop.deliveries(order)) == 1
    (entry,) = shop.audit()
    assert (entry.actor, entry.action, entry.subject) == ("owner", "order.confirm", order.token)
    assert entry.detail == '{"amount": "9.90", "reason": "seen in the bill"}'


def test_confirming_needs_the_right_amount_and_a_reason(shop: Shop) -> None:
    shop.open("N0")
    order = shop.open("N1")
    for amount, reason, code in ((990, "why", Code.BAD_AMOUNT), (991, "  ", Code.BAD_REQUEST)):
        with pytest.raises(Refusal) as caught:
            shop.confirm(order, amount, reason)
        assert refusal(caught) is code
    with pytest.raises(Refusal) as caught:
        settlement.confirm(shop.store, "nothing", amount=1, reason="why", actor="owner", new_id=shop.new_id, now=START)
    assert refusal(caught) is Code.NOT_FOUND
    assert (shop.order(order), shop.payments(), shop.audit()) == (order, [], [])


def test_a_paid_order_cannot_be_confirmed_and_nothing_is_noted(shop: Shop) -> None:
    order = shop.open()
    shop.push(990)
    before = shop.payments()
    with pytest.raises(Refusal) as caught:
        shop.confirm(order, 990)
    assert refusal(caught) is Code.NOT_ALLOWED
    assert (shop.payments(), shop.audit(), len(shop.deliveries(order))) == (before, [], 1)


def test_an_order_cannot_be_confirmed_when_another_attempt_of_its_number_is_paid(shop: Shop) -> None:
    first = shop.open()
    shop.go(TTL)
    second = shop.open()
    shop.push(990)
    with pytest.raises(Refusal) as caught:
        shop.confirm(second, 991)
    assert refusal(caught) is Code.NOT_ALLOWED
    assert shop.order(first).state is State.PAID
    assert shop.order(second).state is State.CLOSED


def test_an_order_without_a_method_cannot_have_been_paid(shop: Shop) -> None:
    """No QR code of it was ever shown, and its callback would have no amount to name."""
    order = shop.open(method="", shown=False)
    with pytest.raises(Refusal) as caught:
        shop.confirm(order, 990)
    assert refusal(caught) is Code.NOT_ALLOWED
    assert shop.order(order) == order


def test_after_confirming_by_hand_the_amount_waits_for_the_phone_as_long_as_before(shop: Shop) -> None:
    """The owner was faster than the phone; when its push comes at last it must not pay a stranger's order."""
    order = shop.open()
    shop.go(TTL)
    shop.confirm(order, 990)
    shop.go(GRACE - 1)
    assert shop.open("N2").really_price == 991
    found = shop.push(990)
    assert shop.payment(found).judgement is Judgement.SUSPECTED
    assert shop.payment(found).order_token == order.token


def test_confirming_at_the_end_of_the_grace_holds_the_amount_two_minutes_more(shop: Shop) -> None:
    order = shop.open()
    shop.go(TTL + GRACE - 1)
    shop.confirm(order, 990)
    assert shop.slots()["wx-main", 990][1] == shop.now + 120


def test_confirming_an_order_whose_amount_another_one_has_leaves_that_one_alone(shop: Shop) -> None:
    order = shop.open(shown=False)
    shop.go(TTL)
    other = shop.open("N2")
    assert other.really_price == 990
    slots = shop.slots()
    shop.confirm(order, 990)
    assert shop.slots() == slots
    assert shop.push(990).order == shop.order(other)


def test_switching_accounts_does_not_move_an_open_order(shop: Shop) -> None:
    order = shop.open()
    shop.change_account(disabled_at=START)
    shop.add_account(id="wx-second", code="wxp://second")
    assert shop.push(990).order == shop.order(order)
    assert account().id == order.account


def test_a_clock_that_is_put_back_revives_no_order_whose_amount_stands_for_another(shop: Shop) -> None:
    first = shop.open("N1", shown=False)
    shop.go(TTL)
    second = shop.open("N2")
    assert second.really_price == first.really_price
    shop.go(-10)
    assert shop.order(first).state_at(shop.now) is State.EXPIRED
    paid = shop.push(990)
    assert paid.order is not None
    assert paid.order.token == second.token

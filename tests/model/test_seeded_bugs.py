"""The book finds faults: each of these, put into the real rules, makes it and the rules disagree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec.structs import replace

from checkout import amounts, opening, orders, payments, selling, settlement, store
from checkout.interfaces import Rows, Store
from checkout.model.accounts import Rest
from checkout.model.merchants import Merchant
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement, Payment
from checkout.opening import Ask
from checkout.outbox import deliveries
from checkout.refunds import money_back
from tests.model.test_life import Life

Break = Callable[[pytest.MonkeyPatch], None]
BUGS: dict[str, Break] = {}


def bug(put_in: Break) -> Break:
    BUGS[put_in.__name__] = put_in
    return put_in


@bug
def late_money_has_no_grace(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(amounts, "rest_of_shown", lambda ended_at, limits: Rest(ended_at, ended_at + limits.rest))


@bug
def a_paid_amount_is_free_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(amounts, "rest_of_paid", lambda paid_at, expires_at: Rest(paid_at, paid_at))


@bug
def amounts_do_not_rest(patch: pytest.MonkeyPatch) -> None:
    def count(db: Rows, accounts: Sequence[str], low: int, high: int, now: int) -> int:
        resting = store.slots.resting(db, accounts, low, high, now)
        return sum(free_at > now for free_at in resting.values())

    patch.setattr(store.slots, "count_resting", count)


@bug
def an_amount_that_another_order_holds_is_given_out(patch: pytest.MonkeyPatch) -> None:
    def take(db: Rows, account: str, amount: int, token: str, rest: Rest, now: int) -> bool:
        return store_take(db, account, amount, token, rest, now + 10**9)

    store_take = store.slots.take
    patch.setattr(store.slots, "take", take)
    patch.setattr(amounts, "nearest", lambda price, offset, most, count: price)


@bug
def the_offset_is_one_too_far(patch: pytest.MonkeyPatch) -> None:
    nearest = amounts.nearest
    patch.setattr(amounts, "nearest", lambda price, offset, most, count: nearest(price + 1, offset, most - 1, count))


@bug
def a_repeated_push_is_money_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(payments, "_doubt", lambda db, report, payment, order, now: "")


@bug
def two_phones_count_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store.payments, "echoes", lambda db, payment, since, repeat_s: False)


@bug
def the_same_message_is_stored_twice(patch: pytest.MonkeyPatch) -> None:
    def judge(db: Rows, payment: Payment, *values: Any, **more: Any) -> None:
        whole(db, replace(payment, reference=payment.reference + payment.id), *values, **more)

    whole = store.payments.judge
    patch.setattr(store.payments, "judge", judge)
    patch.setattr(store.payments, "is_known", lambda db, payment: False)


@bug
def a_number_is_paid_once_for_each_attempt(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store.orders, "other_attempts", lambda db, order: [])


@bug
def late_money_leaves_the_next_attempt_open(patch: pytest.MonkeyPatch) -> None:
    def settle(db: Rows, order: Order, payment: Payment, judgement: Judgement, **more: Any) -> Order | None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(store.orders, "close", lambda db, token, now: None)
            return whole(db, order, payment, judgement, **more)

    whole = settlement.settle
    patch.setattr(settlement, "settle", settle)


@bug
def late_is_not_noted(patch: pytest.MonkeyPatch) -> None:
    def pay(db: Rows, token: str, now: int) -> Order | None:
        paid = whole(db, token, now)
        db.run("UPDATE orders SET late = 0 WHERE token = :token", token=token)
        return replace(paid, late=False) if paid else None

    whole = store.orders.pay
    patch.setattr(store.orders, "pay", pay)


@bug
def only_the_last_method_finds_its_order(patch: pytest.MonkeyPatch) -> None:
    def assign(db: Rows, token: str, **more: Any) -> Order | None:
        db.run("UPDATE slots SET free_at = 0 WHERE order_token = :token AND account <> :account",
               token=token, account=more["account"])  # fmt: skip
        return whole(db, token, **more)

    whole = store.orders.assign
    patch.setattr(store.orders, "assign", assign)


@bug
def a_switched_order_keeps_the_amount_of_its_last_method(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settlement, "_as_paid", lambda db, paid, payment, now: paid)


@bug
def closing_frees_a_code_that_was_shown(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(orders, "_rest_after_end", lambda db, order, limits, now: store.slots.release(
        db, order.token, order.expires_at + 10**9, now))  # fmt: skip


@bug
def an_ended_order_is_closed_too(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store.orders, "close", lambda db, token, now: db.run(
        "UPDATE orders SET state = 'closed', closed_at = :now WHERE token = :token AND state <> 'paid'",
        token=token, now=now) and store.orders.get(db, token))  # fmt: skip


@bug
def any_sum_confirms(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settlement, "amount_due", lambda order: AnySum(order.really_price or order.price))


class AnySum(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


@bug
def what_was_dealt_with_is_linked_again(patch: pytest.MonkeyPatch) -> None:
    def get(db: Rows, payment_id: str) -> Payment | None:
        found = whole(db, payment_id)
        return replace(found, judgement=Judgement.UNMATCHED) if found else None

    whole = store.payments.get
    patch.setattr(store.payments, "get", get)


@bug
def more_goes_back_than_came(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(money_back, "paid_amount", lambda db, order: 10**6)


@bug
def what_was_refunded_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store.refunds, "sums", lambda db, token: (0, 0))


@bug
def a_message_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    owe = deliveries.owe
    patch.setattr(
        deliveries, "owe", lambda db, order, event, **more: None if order.late else owe(db, order, event, **more)
    )


@bug
def an_acknowledged_message_is_sent_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store.deliveries, "acknowledge", lambda db, one, now: None)


@bug
def two_workers_get_one_message(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deliveries, "claim", lambda db_store, one, now: one)


@bug
def orders_expire_a_second_early(patch: pytest.MonkeyPatch) -> None:
    expire = store.orders.expire
    patch.setattr(store.orders, "expire", lambda db, now, limit: expire(db, now + 1, limit))
    patch.setattr(store.orders, "any_expiring", lambda db, now: True)


@bug
def the_same_number_opens_a_second_order(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(opening, "_answers", lambda before, ask, now: before.state_at(now) is State.PAID)


@bug
def a_clock_put_back_revives_an_order(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store.orders, "any_expiring", lambda db, now: False)
    patch.setattr(orders, "expire_due", lambda db_store, now: _expire_in_its_own_time(db_store, now))


def _expire_in_its_own_time(db_store: Store, now: int) -> int:
    with db_store.transaction() as db:
        return len(store.orders.expire(db, now, 500))


@bug
def the_daily_rest_moves_to_the_other_account(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store.accounts, "neighbours", lambda db, account: ["ali-main"])


@bug
def a_buyer_renews_what_its_shop_has_closed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(selling, "may_renew", lambda db, latest, now: True)


@bug
def a_buyer_renews_at_the_price_of_an_earlier_attempt(patch: pytest.MonkeyPatch) -> None:
    same = selling._same

    def first_asked(order: Order, merchant: Merchant) -> Ask:
        return same(replace(order, price=500), merchant)

    patch.setattr(selling, "_same", first_asked)


@pytest.mark.parametrize("name", BUGS)
def test_a_seeded_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BUGS[name](monkeypatch)
    with pytest.raises(BaseException) as found:  # noqa: PT011 - a refusal, a conflict or a plain difference
        run_state_machine_as_test(
            Life,
            settings=settings(
                max_examples=600, stateful_step_count=60, deadline=None, derandomize=True, database=None,
                suppress_health_check=list(HealthCheck), phases=[Phase.generate], report_multiple_bugs=False,
            ),
        )  # fmt: skip
    assert not isinstance(found.value, KeyboardInterrupt)

"""Two servers on one PostgreSQL, side by side: what touches the same waits for it, what does not goes past it.

Of each pair the first has done its work and not yet committed when the second comes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from unittest.mock import Mock

import psycopg
import pytest

from checkout import accounts, locks, opening, orders, protocols, switching
from checkout import store as stores
from checkout.errors import Code, Refusal, StoreError
from checkout.interfaces import Rows
from checkout.locks import Held, NotLocked
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement
from checkout.outbox.dispatcher import Dispatcher
from checkout.outbox.lanes import Lanes
from checkout.payments import Outcome
from checkout.store import migrations, open_store, postgres
from tests.shop import Shop
from tests.store.conftest import REAL_COMMIT, Pair
from tests.world import merchant

ON_A, ON_B = frozenset({"b"}), frozenset({"a"})  # the accounts that an order passes over
OTHER_ROW = "UPDATE merchants SET name = name || :mark WHERE id = :id"


def test_orders_of_accounts_with_phones_of_their_own_are_opened_side_by_side(pair: Pair) -> None:
    a, b, is_beside = pair.run(lambda: pair.one.open("N1", without=ON_A), lambda: pair.two.open("N2", without=ON_B))
    assert is_beside
    assert [(one.account, one.really_price) for one in (a, b)] == [("a", 990), ("b", 990)]


def test_an_account_chosen_by_lot_goes_past_another(pair: Pair) -> None:
    """The second server takes whichever it draws: the free one at once, the other after the first."""
    for number in range(6):
        pair.again()
        ours, theirs = pair.one.ask(f"N{number}", without=ON_A), pair.two.ask(f"M{number}")
        first, second, is_beside = pair.run(partial(_opened, pair.one, ours), partial(_opened, pair.two, theirs))
        assert is_beside is (second.account == "b")
        assert first.account == "a"


def test_accounts_on_one_phone_take_turns_and_never_share_an_amount(pair: Pair) -> None:
    pair.one.add_device("both", ["a", "b"])
    a, b, is_beside = pair.run(lambda: pair.one.open("N1", without=ON_A), lambda: pair.two.open("N2", without=ON_B))
    assert not is_beside
    assert [(one.account, one.really_price) for one in (a, b)] == [("a", 990), ("b", 991)]


def test_without_locks_they_would_share_it(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above sees what it should."""
    pair.one.add_device("both", ["a", "b"])
    monkeypatch.setattr(migrations.postgres, "lock", lambda keys: ("BEGIN; SELECT 1", 1))
    a, b, _ = pair.run(lambda: pair.one.open("N1", without=ON_A), lambda: pair.two.open("N2", without=ON_B))
    assert a.really_price == b.really_price == 990


def test_a_phone_that_is_given_both_accounts_meanwhile_makes_them_take_turns(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both servers have looked who the neighbours are before it, and begin after it."""
    pair.one.add_device("both", ["a", "b"])
    monkeypatch.setattr(stores.accounts, "neighbours", _at_first_alone(stores.accounts.neighbours))
    a, b, is_beside = pair.run(lambda: pair.one.open("N1", without=ON_A), lambda: pair.two.open("N2", without=ON_B))
    assert not is_beside
    assert [(one.account, one.really_price) for one in (a, b)] == [("a", 990), ("b", 991)]


def test_one_number_asked_for_at_both_is_one_order(pair: Pair) -> None:
    first, second, is_beside = pair.run(
        lambda: pair.one.open("N1", without=ON_A), lambda: pair.two.open("N1", without=ON_B)
    )
    assert not is_beside
    assert (first.token, first.account) == (second.token, second.account)
    assert len(pair.one.slots()) == 1


def test_money_for_one_account_is_booked_while_the_other_opens_an_order(pair: Pair) -> None:
    waiting = pair.one.open("N1", without=ON_B)
    assert waiting.account == "b"
    _, outcome, is_beside = pair.run(lambda: pair.one.open("N2", without=ON_A), lambda: pair.two.push(990, "phone-b"))
    assert is_beside
    assert outcome.order.token == waiting.token


def test_the_same_report_at_both_is_booked_once(pair: Pair) -> None:
    waiting = pair.one.open("N1", without=ON_A)
    first, second, is_beside = pair.run(
        lambda: pair.one.push(990, "phone-a", at=7), lambda: pair.two.push(990, "phone-a", at=7)
    )
    assert not is_beside
    assert (first.order.token, second.repeated, second.order) == (waiting.token, True, None)
    assert len(pair.one.payments()) == len(pair.one.deliveries(waiting)) == 1


def test_two_phones_of_an_account_that_tell_of_one_payment_pay_one_order(pair: Pair) -> None:
    pair.one.add_device("tablet", ["a"])
    waiting = pair.one.open("N1", without=ON_A)
    first, second, is_beside = pair.run(lambda: pair.one.push(990, "phone-a"), lambda: pair.two.push(990, "tablet"))
    assert not is_beside
    assert isinstance(first, Outcome)
    assert first.order is not None
    assert first.order.token == waiting.token
    assert second.order is None
    assert pair.two.payment(second).judgement is Judgement.SUSPECTED
    assert len(pair.one.deliveries(waiting)) == 1


def test_money_for_an_attempt_and_the_next_attempt_at_another_account_take_turns(pair: Pair) -> None:
    """The shop asks again under a number whose first attempt is being paid late: it must hear that it is paid."""
    early = ended(pair.one, pair.one.open("N1", without=ON_A))
    pair.two.now = pair.one.now
    outcome, refusal, is_beside = pair.run(
        lambda: pair.one.push(990, "phone-a"), lambda: pair.two.open("N1", without=ON_B)
    )
    assert not is_beside
    assert outcome.order.token == early.token
    assert isinstance(refusal, Refusal)
    assert refusal.code is Code.DUPLICATE


def test_the_next_attempt_is_closed_by_money_that_comes_beside_it(pair: Pair) -> None:
    """The same the other way round."""
    early = ended(pair.one, pair.one.open("N1", without=ON_A))
    pair.two.now = pair.one.now
    late, outcome, is_beside = pair.run(
        lambda: pair.one.open("N1", without=ON_B), lambda: pair.two.push(990, "phone-a")
    )
    assert not is_beside
    assert outcome.order.token == early.token
    assert pair.one.order(late).state is State.CLOSED


def test_what_is_done_by_hand_waits_for_everybody_and_everybody_for_it(pair: Pair) -> None:
    waiting = pair.one.open("N1", without=ON_A)
    paid, outcome, is_beside = pair.run(lambda: pair.one.confirm(waiting, 990), lambda: pair.two.push(990, "phone-a"))
    assert not is_beside
    assert isinstance(paid, Order)
    assert outcome.order is None
    assert pair.two.payment(outcome).judgement is Judgement.SUSPECTED


def test_by_hand_after_the_phone_is_too_late(pair: Pair) -> None:
    waiting = pair.one.open("N1", without=ON_A)
    outcome, refusal, is_beside = pair.run(
        lambda: pair.one.push(990, "phone-a"), lambda: pair.two.confirm(waiting, 990)
    )
    assert not is_beside
    assert outcome.order.token == waiting.token
    assert isinstance(refusal, Refusal)
    assert refusal.code is Code.NOT_ALLOWED


def test_the_code_is_shown_of_an_order_that_is_being_paid_beside_it(pair: Pair) -> None:
    """Or the amount of an order that was paid would rest as one that was not."""
    waiting = pair.one.open("N1", without=ON_A, shown=False)
    outcome, shown, is_beside = pair.run(
        lambda: pair.one.push(990, "phone-a"),
        lambda: orders.show(pair.two.store, waiting, pair.two.rules.limits, pair.two.now),
    )
    assert not is_beside
    assert outcome.order.token == waiting.token
    assert shown.state is State.PAID


def test_a_buyer_chooses_a_method_beside_orders_elsewhere(pair: Pair) -> None:
    order = choosable(pair)
    opened, moved, is_beside = pair.run(
        lambda: pair.one.open("N2", without=ON_A), lambda: choose(pair.two, order, "alipay")
    )
    assert is_beside
    assert (opened.account, moved.account, moved.really_price) == ("a", "ali", 990)


def test_a_buyer_who_chooses_in_two_windows_at_once_has_one_amount(pair: Pair) -> None:
    order = choosable(pair)
    first, second, is_beside = pair.run(
        lambda: choose(pair.one, order, "alipay"), lambda: choose(pair.two, order, "alipay")
    )
    assert not is_beside
    assert (first.account, first.really_price, first.rev) == (second.account, second.really_price, second.rev)
    assert len(pair.one.slots()) == 1


def test_an_order_that_is_being_paid_changes_its_method_no_more(pair: Pair) -> None:
    order = choosable(pair)
    choose(pair.one, order, "alipay")
    outcome, refusal, is_beside = pair.run(
        lambda: pair.one.push(990, "phone-ali", method="alipay"), lambda: choose(pair.two, order, "wechat")
    )
    assert not is_beside
    assert outcome.order.token == order.token
    assert isinstance(refusal, Refusal)
    assert refusal.code is Code.NOT_ALLOWED


def choosable(pair: Pair) -> Order:
    """An order whose method the buyer chooses, of two; Alipay's account has a phone of its own."""
    pair.one.add_account(id="ali", method="alipay", code="https://qr.alipay.com/fkx")
    pair.one.add_device("phone-ali", ["ali"])
    return pair.one.open("N1", method="", dialect="api", shown=False)


def choose(shop: Shop, order: Order, method: str) -> Order:
    return switching.choose_method(shop.store, order.token, method, shop.rules, shop.now)


def test_what_finds_more_than_it_may_touch_is_done_again_alone(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "likely_keys", lambda *_, **__: [])
    assert pair.one.open("N1", without=ON_A).account == "a"
    seen: list[Held] = []

    def work(db: Rows, held: Held) -> str:
        seen.append(held)
        db.run(OTHER_ROW, mark="!", id=1001)
        held.require(["b"])
        return "done"

    assert pair.one.store.locked(lambda _: ["a"], work) == "done"
    assert seen == [Held(frozenset({"a"})), locks.ALL]
    with pair.one.store.read() as db:
        owner = stores.merchants.get(db, 1001)
    assert owner is not None
    assert owner.name == "shop!"


def test_whoever_locked_each_other_out_are_both_done_in_the_end(pair: Pair) -> None:
    """Rows that no word stands for, in opposite order: PostgreSQL undoes one, and it is done again alone."""
    with pair.one.store.transaction() as db:
        for number in (1, 2):
            stores.merchants.add(db, _merchant(number))
    met = threading.Barrier(2)

    def both(own: int, other: int) -> Callable[[Rows, Held], None]:
        def work(db: Rows, held: Held) -> None:
            db.run(OTHER_ROW, mark="!", id=own)
            if held != locks.ALL:
                met.wait(60)
            db.run(OTHER_ROW, mark="!", id=other)

        return work

    with ThreadPoolExecutor(2) as pool:
        done = [
            pool.submit(shop.store.locked, lambda _, w=word: [w], both(own, other))
            for shop, word, own, other in ((pair.one, "x", 1, 2), (pair.two, "y", 2, 1))
        ]
        for one in done:
            one.result(60)
    with pair.one.store.read() as db:
        assert [db.one("SELECT name FROM merchants WHERE id = :id", id=number) for number in (1, 2)] == [("n!!",)] * 2


def test_what_a_transaction_claimed_that_was_undone_is_not_told(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first attempt was being paid late when the owner books the second one by hand: money for the first one is
    told to nobody. Some engines say so only when the transaction is committed."""
    early = ended(pair.one, pair.one.open("N1", without=ON_A, notify_url="https://a.example/n"))
    pair.two.now = pair.one.now
    following = pair.one.open("N1", without=ON_B)
    courier = Mock()
    dispatcher = Dispatcher(
        pair.one.store, protocols.dialects(), courier, lambda: pair.one.now, Lanes(), submit=Mock(), wake=Mock(),
        is_over=lambda: False,
    )  # fmt: skip
    pair.one.at_once = dispatcher.at_once
    fails = iter([True])

    def commit(line: Any) -> None:
        if next(fails, False):
            line.execute("ROLLBACK")
            pair.two.confirm(following, 990)
            raise StoreError("Two transactions got into each other's way.") from psycopg.errors.SerializationFailure()
        REAL_COMMIT(line)

    monkeypatch.setattr(postgres, "_commit", commit)
    outcome = pair.one.push(990, "phone-a")
    assert outcome.order is None
    assert pair.one.order(early).state is not State.PAID
    assert not courier.carry.called


def test_a_collision_that_never_ends_is_told(pair: Pair) -> None:
    tries = []

    def work(db: Rows, held: Held) -> None:
        tries.append(held)
        raise StoreError("Two transactions got into each other's way.") from psycopg.errors.SerializationFailure()

    with pytest.raises(StoreError, match="each other's way"):
        pair.one.store.locked(lambda _: ["x"], work)
    assert len(tries) == 4


def test_not_locked_is_an_error_of_ours_where_nobody_does_it_again() -> None:
    with pytest.raises(NotLocked):
        Held(frozenset({"a"})).require_all()
    locks.ALL.require_all()


def test_incomplete_lock_rows_are_told_and_filled_by_a_restart(pair: Pair) -> None:
    with psycopg.connect(pair.address, autocommit=True) as connection:
        connection.execute("DELETE FROM _checkout_turns WHERE id = 64")
    with pytest.raises(StoreError, match="restart Checkout"), pair.one.store.transaction():
        pass
    open_store(pair.address).close()
    with pair.one.store.transaction():
        pass


def _opened(shop: Shop, ask: opening.Ask) -> Order:
    return opening.open_order(shop.store, ask, shop.rules, shop.now)


def _at_first_alone(real: Callable[[Rows, str], list[str]]) -> Callable[[Rows, str], list[str]]:
    """An account has no neighbours when they are looked up first."""
    asked: set[str] = set()

    def neighbours(db: Rows, account_id: str) -> list[str]:
        if account_id in asked:
            return real(db, account_id)
        asked.add(account_id)
        return [account_id]

    return neighbours


def ended(shop: Shop, order: Order) -> Order:
    """The order after its time, which is written down, with its amount still held."""
    shop.go(310)
    assert orders.expire_due(shop.store, shop.now) == 1
    return shop.order(order)


def _merchant(number: int) -> Any:
    return merchant(id=number, name="n", key=f"{number}" * 32)

"""The statements about refunds, one by one: which rows each of them sees, and who is second."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from checkout import store as stores
from checkout.errors import Conflict
from checkout.interfaces import Store
from checkout.model.refunds import Refund, RefundState
from tests.shop import Shop
from tests.world import START, merchant

ASKED, DONE, FAILED, BY_HAND = RefundState.ASKED, RefundState.DONE, RefundState.FAILED, RefundState.BY_HAND
Put = Callable[..., Refund]


@pytest.fixture
def shop(store: Store) -> Shop:
    """Four orders of the merchant, and one of another merchant."""
    made = Shop(store).fill()
    model = made.open()
    with made.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002))
        for token, owner in (("T", 1001), ("U", 1001), ("V", 1001), ("W", 1001), ("theirs", 1002)):
            stores.orders.add(db, replace(model, token=token, number=token, merchant=owner))
    return made


@pytest.fixture
def put(shop: Shop) -> Put:
    """Writes a refund as it is told, of the order "T" unless told otherwise."""

    def write(name: str, **changes: Any) -> Refund:
        fields: dict[str, Any] = {
            "id": name, "order_token": "T", "number": name, "amount": 100, "reason": "returned", "state": ASKED,
            "created_at": START, "done_at": None, "channel": "alipay", "due_at": START, **changes,
        }  # fmt: skip
        refund = Refund(**fields)
        with shop.store.transaction() as db:
            stores.refunds.add(db, refund)
        return refund

    return write


def names(found: list[Refund]) -> list[str]:
    return [one.id for one in found]


def stored(shop: Shop, name: str) -> Refund:
    with shop.store.read() as db:
        found = stores.refunds.get(db, name)
    assert found is not None
    return found


def change(shop: Shop, statement: Callable[..., Any], *about: Any) -> Any:
    with shop.store.transaction() as db:
        return statement(db, *about)


# One refund


def test_a_refund_is_read_as_it_was_written_by_its_id_or_by_its_number_in_its_order(shop: Shop, put: Put) -> None:
    mine = put("a", number="N", attempts=3, error="busy", payment="pay_1")
    others = [put("b"), put("c", number="N", order_token="U")]
    with shop.store.read() as db:
        assert [stores.refunds.get(db, name) for name in ("a", "b", "c", "d")] == [mine, *others, None]
        by_number = stores.refunds.by_number
        assert by_number(db, "T", "N") == mine
        assert by_number(db, "U", "N") == others[1]
        assert by_number(db, "T", "b") == others[0]
        assert by_number(db, "U", "b") is None
        assert by_number(db, "T", "M") is None
        assert stores.refunds.count(db) == 3


def test_an_order_has_one_refund_of_a_number(shop: Shop, put: Put) -> None:
    put("a", number="N")
    with pytest.raises(Conflict):
        put("b", number="N")


def test_who_adds_a_refund_turns_the_page_of_its_order_and_of_no_other(shop: Shop) -> None:
    mine, other = shop.order("T"), shop.order("U")
    change(shop, stores.refunds.lock, "T")
    assert [shop.order(one).rev for one in (mine, other)] == [mine.rev + 1, other.rev]


# Those of an order, a payment, a merchant


def test_refunds_of_an_order_or_of_a_payment_come_in_the_order_in_which_they_were_made(shop: Shop, put: Put) -> None:
    for name, at, token, payment in (
        ("d", 1, "T", ""), ("c", 2, "T", "pay_1"), ("b", 2, "T", "pay_1"), ("a", 3, "T", "pay_1"), ("e", 1, "U", ""),
    ):  # fmt: skip
        put(name, created_at=at, order_token=token, payment=payment)
    with shop.store.read() as db:
        assert names(stores.refunds.of_order(db, "T")) == ["d", "b", "c", "a"]
        assert names(stores.refunds.of_payment(db, "pay_1")) == ["b", "c", "a"]
        assert stores.refunds.of_payment(db, "pay_2") == []


def test_a_merchant_finds_its_own_refunds_of_orders_by_id_and_by_number(shop: Shop, put: Put) -> None:
    mine, theirs = put("a", number="R"), put("b", number="R-2", order_token="theirs", created_at=START + 1)
    put("c", number="R-3", payment="pay_1")
    with shop.store.read() as db:
        of = partial(stores.refunds.of_merchant, db)
        for refund_id, number in (("a", ""), ("", "R"), ("a", "R-2")):
            assert of(1001, refund_id=refund_id, number=number) == mine
            assert of(1002, refund_id=refund_id, number=number) is None
        for refund_id, number in (("b", ""), ("", "R-2")):
            assert of(1001, refund_id=refund_id, number=number) is None
            assert of(1002, refund_id=refund_id, number=number) == theirs
        for refund_id, number in (("", ""), ("c", ""), ("", "R-3"), ("d", "R")):
            assert of(1001, refund_id=refund_id, number=number) is None


def test_of_several_orders_refunds_of_one_number_the_merchant_gets_the_newest(shop: Shop, put: Put) -> None:
    for name, at, token in (("b", 1, "T"), ("d", 3, "U"), ("c", 3, "V"), ("a", 2, "W")):
        put(name, created_at=at, order_token=token, number="R")
    with shop.store.read() as db:
        found = stores.refunds.of_merchant(db, 1001, refund_id="", number="R")
    assert found is not None
    assert found.id == "d"


# Sums


def test_sums_tell_what_went_back_from_what_is_on_its_way_and_leave_out_what_failed(shop: Shop, put: Put) -> None:
    for name, state, amount in (("a", DONE, 1), ("b", BY_HAND, 20), ("c", ASKED, 300), ("d", FAILED, 4_000)):
        put(name, state=state, amount=amount)
    put("e", amount=50_000, payment="pay_1")
    put("f", amount=600_000, order_token="U")
    put("g", amount=7_000_000, order_token="V", state=DONE)
    with shop.store.read() as db:
        assert stores.refunds.sums(db, "T") == (21, 300)
        assert stores.refunds.total(db, "T") == 321
        assert stores.refunds.sums(db, "U") == (0, 600_000)
        assert stores.refunds.sums(db, "V") == (7_000_000, 0)
        assert stores.refunds.sums(db, "W") == (0, 0)


# Calls of the gateway


def test_those_are_due_that_wait_for_a_call_the_longest_due_first(shop: Shop, put: Put) -> None:
    for name, state, due_at in (
        ("c", ASKED, 5), ("b", ASKED, 7), ("a", ASKED, 7), ("d", ASKED, 8), ("e", DONE, 5), ("f", FAILED, 5),
        ("g", ASKED, None),
    ):  # fmt: skip
        put(name, state=state, due_at=due_at)
    with shop.store.read() as db:
        assert names(stores.refunds.due(db, 7, 9)) == ["c", "a", "b"]
        assert names(stores.refunds.due(db, 7, 2)) == ["c", "a"]


def test_a_refund_is_claimed_once_for_one_call(shop: Shop, put: Put) -> None:
    mine, other = put("a", attempts=2), put("b", attempts=2)
    claimed = change(shop, stores.refunds.claim, mine, START + 60)
    assert claimed == replace(mine, attempts=3, due_at=START + 60) == stored(shop, "a")
    assert change(shop, stores.refunds.claim, mine, START + 60) is None
    assert stored(shop, "a") == claimed
    assert stored(shop, "b") == other


@pytest.mark.parametrize("since", [{"state": DONE}, {"state": FAILED}, {"due_at": START + 1}, {"attempts": 1}])
def test_what_has_changed_since_it_was_found_due_is_not_claimed(shop: Shop, put: Put, since: dict[str, Any]) -> None:
    now = put("a", **since)
    seen = replace(now, state=ASKED, due_at=START, attempts=0)
    assert change(shop, stores.refunds.claim, seen, START + 60) is None
    assert stored(shop, "a") == now


def test_the_first_to_hear_that_the_money_went_back_books_it(shop: Shop, put: Put) -> None:
    mine, other = put("a", error="busy"), put("b")
    booked = change(shop, stores.refunds.done, "a", START + 9)
    assert booked == replace(mine, state=DONE, error="", done_at=START + 9, due_at=None) == stored(shop, "a")
    assert change(shop, stores.refunds.done, "a", START + 10) is None
    assert stored(shop, "a") == booked
    assert stored(shop, "b") == other


@pytest.mark.parametrize("state", [DONE, FAILED, BY_HAND])
def test_only_what_is_on_its_way_is_booked_fails_or_is_postponed(shop: Shop, put: Put, state: RefundState) -> None:
    before = put("a", state=state)
    assert change(shop, stores.refunds.done, "a", START + 9) is None
    assert change(shop, stores.refunds.fail, before, "no money", START + 9) is False
    change(shop, stores.refunds.postpone, before, START + 60, "busy")
    assert stored(shop, "a") == before


def test_a_call_that_fails_for_good_ends_the_refund_with_its_reason(shop: Shop, put: Put) -> None:
    mine, other = put("a", attempts=1), put("b", attempts=1)
    assert change(shop, stores.refunds.fail, mine, "no money", START + 9) is True
    assert stored(shop, "a") == replace(mine, state=FAILED, error="no money", done_at=START + 9, due_at=None)
    assert stored(shop, "b") == other


def test_a_call_that_fails_for_now_comes_again_later(shop: Shop, put: Put) -> None:
    mine, other = put("a", attempts=1), put("b", attempts=1)
    change(shop, stores.refunds.postpone, mine, START + 60, "busy")
    assert stored(shop, "a") == replace(mine, due_at=START + 60, error="busy")
    assert stored(shop, "b") == other


def test_whose_lease_was_taken_over_neither_fails_nor_postpones_the_refund(shop: Shop, put: Put) -> None:
    claimed = put("a", attempts=1)
    taken_over = change(shop, stores.refunds.claim, claimed, START + 60)
    assert change(shop, stores.refunds.fail, claimed, "no money", START + 9) is False
    change(shop, stores.refunds.postpone, replace(claimed, due_at=START + 60), START + 90, "busy")
    assert stored(shop, "a") == taken_over


def test_a_call_that_a_notice_brought_forward_is_not_put_off_again(shop: Shop, put: Put) -> None:
    claimed = put("a", attempts=1, due_at=START + 60)
    change(shop, stores.refunds.hurry, "a", START + 5)
    change(shop, stores.refunds.postpone, claimed, START + 600, "busy")
    assert stored(shop, "a") == replace(claimed, due_at=START + 5)


def test_a_notice_brings_a_call_forward_and_puts_none_off(shop: Shop, put: Put) -> None:
    before = [put("a", due_at=START + 60), put("b", due_at=START + 60), put("c", due_at=START)]
    ended = [put("d", state=DONE, due_at=START + 60), put("e", state=FAILED, due_at=START + 60)]
    for name in ("a", "c", "d", "e"):
        change(shop, stores.refunds.hurry, name, START + 5)
    assert [stored(shop, one.id) for one in before] == [replace(before[0], due_at=START + 5), *before[1:]]
    assert [stored(shop, one.id) for one in ended] == ended


def test_a_refund_that_failed_at_the_gateway_is_asked_about_again(shop: Shop, put: Put) -> None:
    ended: dict[str, Any] = {"done_at": START + 9, "due_at": None, "error": "no money"}
    first, later = put("a", state=FAILED, attempts=1, **ended), put("b", state=FAILED, attempts=2, **ended)
    others = [put("c", state=FAILED, attempts=1, **ended), put("d", state=FAILED, **ended)]
    others += [put(state, state=state, attempts=1, **ended) for state in (DONE, BY_HAND)]
    for name in ("a", "b", "d", DONE, BY_HAND):
        change(shop, stores.refunds.reopen, name, START + 20)
    for one in (first, later):
        assert stored(shop, one.id) == replace(one, state=ASKED, due_at=START + 20, done_at=None)
    assert [stored(shop, one.id) for one in others] == others


def test_an_explanation_is_kept_with_its_refund_and_changes_nothing_else(shop: Shop, put: Put) -> None:
    mine, other = put("a", state=FAILED), put("b")
    change(shop, stores.refunds.explain, "a", "it went back twice")
    assert stored(shop, "a") == replace(mine, error="it went back twice")
    assert stored(shop, "b") == other


# Lists


def test_a_page_begins_right_behind_the_last_row_of_the_one_before(shop: Shop, put: Put) -> None:
    for name, at, state in (("b", 1, ASKED), ("e", 2, DONE), ("d", 2, ASKED), ("c", 2, FAILED), ("a", 3, ASKED)):
        put(name, created_at=at, state=state)
    with shop.store.read() as db:
        listed = stores.refunds.listed
        assert names(listed(db)) == ["a", "e", "d", "c", "b"]
        assert names(listed(db, limit=2)) == ["a", "e"]
        assert names(listed(db, before=(2, "d"))) == ["c", "b"]
        assert names(listed(db, state="asked")) == ["a", "d", "b"]
        assert names(listed(db, state="asked", before=(2, "d"))) == ["b"]
        assert names(listed(db, state="by_hand")) == []


def test_a_list_has_fifty_rows_unless_it_is_told_otherwise(shop: Shop, put: Put) -> None:
    for number in range(52):
        put(f"{number:02d}")
    with shop.store.read() as db:
        assert len(stores.refunds.listed(db)) == 50

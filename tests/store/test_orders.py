"""The statements about orders, one by one: where each list begins and ends, and who is second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from checkout import store as stores
from checkout.interfaces import Rows, Store
from checkout.model.orders import Order, State
from checkout.store.orders import Filter, PollState
from tests.shop import Shop
from tests.world import START, merchant

FIRST, LAST = (0, ""), (1 << 62, "")


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


@pytest.fixture
def put(shop: Shop) -> Callable[..., Order]:
    """Writes an order as it is told, without any rule; `token` and number are the name."""
    model = shop.open("model")
    with shop.store.transaction() as db:
        db.run("DELETE FROM orders")

    def write(name: str, **changes: Any) -> Order:
        order = replace(model, **{"token": name, "number": name, **changes})
        with shop.store.transaction() as db:
            stores.orders.add(db, order)
        return order

    return write


def names(found: list[Order]) -> list[str]:
    return [one.token for one in found]


def picked(db: Rows, **wanted: Any) -> list[str]:
    asked = {
        "method": "", "late": False, "state": "", "merchant": None, "since": 0, "before": LAST, "now": START,
        "limit": 10, **wanted,
    }  # fmt: skip
    return names(stores.orders.picked(db, **asked))


def paid(**changes: Any) -> dict[str, Any]:
    return {"state": State.PAID, "paid_at": START, **changes}


# Lists


def test_a_page_begins_right_behind_the_last_row_of_the_one_before(shop: Shop, put: Callable[..., Order]) -> None:
    for name, at in (("a", 1), ("b", 2), ("c", 2), ("d", 2), ("e", 3)):
        put(name, created_at=at)
    with shop.store.read() as db:
        assert names(stores.orders.listed(db, Filter(before=(2, "c")))) == ["b", "a"]
        assert names(stores.orders.listed(db, Filter())) == ["e", "d", "c", "b", "a"]
        assert names(stores.orders.listed(db, Filter(limit=2))) == ["e", "d"]
        assert picked(db, before=(2, "c")) == ["b", "a"]
        assert picked(db, limit=3) == ["e", "d", "c"]
        assert names(stores.orders.of_amount(db, 990, before=(2, "c"))) == ["b", "a"]
        assert names(stores.orders.of_amount(db, 990, limit=2)) == ["e", "d"]
        assert names(stores.orders.of_amount(db, 991)) == []


def test_a_list_has_fifty_rows_unless_it_is_told_otherwise(shop: Shop, put: Callable[..., Order]) -> None:
    for number in range(52):
        put(f"{number:02d}")
    with shop.store.read() as db:
        assert len(stores.orders.listed(db, Filter())) == len(stores.orders.of_amount(db, 990)) == 50


def test_orders_are_listed_by_merchant_state_and_number_together(shop: Shop, put: Callable[..., Order]) -> None:
    with shop.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002))
    put("a", number="N1")
    put("b", number="N1", merchant=1002)
    put("c", number="N1", merchant=1002, attempt=2, state=State.CLOSED)
    put("d", number="N2", merchant=1002)
    with shop.store.read() as db:
        assert names(stores.orders.listed(db, Filter(merchant=1002, state="pending", text="N1"))) == ["b"]
        assert names(stores.orders.listed(db, Filter(state="closed"))) == ["c"]
        assert names(stores.orders.listed(db, Filter(text="d"))) == ["d"]
        assert stores.orders.counts(db) == {"pending": 3, "closed": 1}


def test_unpaid_orders_are_found_between_two_times_and_two_amounts_both_from_the_first_on(
    shop: Shop, put: Callable[..., Order]
) -> None:
    put("early", created_at=9)
    put("first", created_at=10, really_price=980)
    put("last", created_at=19, really_price=1000)
    put("over", created_at=20)
    put("cheap", created_at=12, really_price=979)
    put("dear", created_at=12, really_price=1001)
    put("paid", created_at=12, **paid())
    put("closed", created_at=12, state=State.CLOSED)
    put("agreed", created_at=12)
    with shop.store.read() as db:
        between = stores.orders.unpaid_between
        assert names(between(db, 10, 20, (980, 1000), limit=9)) == ["last", "closed", "agreed", "first"]
        assert names(between(db, 10, 20, (980, 1000), limit=2)) == ["last", "closed"]
        assert names(stores.orders.unpaid_of_amount(db, 980, 10, 20, limit=9)) == ["first"]
        assert names(stores.orders.unpaid_of_amount(db, 1000, 10, 20, limit=9)) == ["last"]
        assert names(stores.orders.unpaid_of_amount(db, 990, 9, 21, limit=9)) == ["over", "closed", "agreed", "early"]
        assert names(stores.orders.unpaid_of_amount(db, 990, 9, 21, limit=1)) == ["over"]
        assert names(stores.orders.unpaid_of_amount(db, 990, 10, 20, limit=9)) == ["closed", "agreed"]


def test_a_number_was_first_asked_for_when_the_merchant_s_first_attempt_at_it_was_opened(
    shop: Shop, put: Callable[..., Order]
) -> None:
    with shop.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002))
    first = put("a", number="N1", created_at=7, state=State.CLOSED)
    again = put("b", number="N1", created_at=9, attempt=2)
    theirs = put("c", number="N1", created_at=5, merchant=1002)
    other = put("d", number="N2", created_at=3)
    with shop.store.read() as db:
        assert [stores.orders.first_asked_at(db, one) for one in (first, again, theirs, other)] == [7, 7, 5, 3]


def test_how_far_back_a_number_of_orders_lies_is_counted_from_the_one_that_is_named(
    shop: Shop, put: Callable[..., Order]
) -> None:
    for name, at in (("a", 1), ("b", 2), ("c", 2), ("d", 4)):
        put(name, created_at=at)
    with shop.store.read() as db:
        assert [stores.orders.far_back(db, LAST, rows) for rows in range(5)] == [4, 2, 2, 1, None]
        assert [stores.orders.far_back(db, (2, "c"), rows) for rows in range(3)] == [2, 1, None]
        assert stores.orders.far_back(db, FIRST, 0) is None


def test_orders_are_picked_by_method_lateness_state_merchant_and_time(shop: Shop, put: Callable[..., Order]) -> None:
    with shop.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002))
    put("a", created_at=1, method="alipay")
    put("b", created_at=2, **paid(late=True))
    put("c", created_at=3, **paid())
    put("d", created_at=4, state=State.CLOSED, merchant=1002)
    put("e", created_at=5, state=State.EXPIRED)
    put("f", created_at=6, expires_at=START)
    put("g", created_at=7, expires_at=START + 1)
    with shop.store.read() as db:
        assert picked(db) == list("gfedcba")
        assert picked(db, method="alipay") == ["a"]
        assert picked(db, late=True) == ["b"]
        assert picked(db, merchant=1002) == ["d"]
        assert picked(db, since=5) == ["g", "f", "e"]
        assert picked(db, state="paid") == ["c", "b"]
        assert picked(db, state="closed") == ["d"]
        assert picked(db, state="pending") == ["g", "a"]
        assert picked(db, state="expired") == ["f", "e"]
        assert picked(db, state="paid", method="alipay") == []


def test_a_number_stands_for_its_paid_attempt_and_else_for_the_latest(shop: Shop, put: Callable[..., Order]) -> None:
    with shop.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002))
    for attempt in (1, 2, 3):
        put(f"a{attempt}", number="A", attempt=attempt, **(paid() if attempt == 2 else {"state": State.CLOSED}))
        put(f"b{attempt}", number="B", attempt=attempt, state=State.CLOSED)
    put("c", number="A", merchant=1002, attempt=9)
    with shop.store.read() as db:
        found = {number: stores.orders.by_number(db, 1001, number) for number in "AB"}
        assert {number: one.token for number, one in found.items() if one} == {"A": "a2", "B": "b3"}
        assert stores.orders.by_number(db, 1002, "B") is None
        a2 = found["A"]
        assert a2 is not None
        assert sorted(names(stores.orders.other_attempts(db, a2))) == ["a1", "a3"]


def test_the_pulse_of_an_order_is_what_the_order_says(shop: Shop, put: Callable[..., Order]) -> None:
    order = put("a", shown_at=START + 1, closed_at=START + 2, state=State.CLOSED, rev=7)
    with shop.store.read() as db:
        assert stores.orders.poll_state(db, "a") == PollState(
            State.CLOSED, "wechat", 7, order.created_at, order.expires_at, START + 1, START + 2, "personal"
        )
        assert stores.orders.poll_state(db, "b") is None


# Moves of the state


@pytest.mark.parametrize("state", [State.PENDING, State.EXPIRED, State.CLOSED])
def test_each_unpaid_state_can_be_paid_once(shop: Shop, put: Callable[..., Order], state: State) -> None:
    put("a", state=state, rev=4, expires_at=START + 1)
    put("b", rev=4)
    with shop.store.transaction() as db:
        found = stores.orders.pay(db, "a", START)
        assert found is not None
        assert (found.state, found.paid_at, found.rev) == (State.PAID, START, 5)
        assert found.late is (state is not State.PENDING)
        assert stores.orders.pay(db, "a", START + 1) is None
        assert stores.orders.get(db, "a") == found
        assert stores.orders.pay(db, "nothing", START) is None
    assert shop.order("b").state is State.PENDING


def test_an_order_is_late_from_the_second_on_in_which_it_expires(shop: Shop, put: Callable[..., Order]) -> None:
    put("a", expires_at=START)
    put("b", expires_at=START + 1)
    with shop.store.transaction() as db:
        found = [stores.orders.pay(db, name, START) for name in "ab"]
    assert [one.late for one in found if one] == [True, False]


def test_only_an_order_that_waits_is_closed_shown_or_given_an_account(shop: Shop, put: Callable[..., Order]) -> None:
    ways: list[Callable[[Rows, str], Order | None]] = [
        lambda db, token: stores.orders.close(db, token, START),
        lambda db, token: stores.orders.show(db, token, START),
    ]
    for number, way in enumerate(ways):
        for state in (State.EXPIRED, State.CLOSED):
            put(f"{state}{number}", state=state, expires_at=START + 9, shown_at=None)
        put(f"paid{number}", **paid(), shown_at=None)
        put(f"over{number}", expires_at=START, shown_at=None)
        put(f"waits{number}", expires_at=START + 1, shown_at=None, rev=4)
        with shop.store.transaction() as db:
            every = [f"{name}{number}" for name in ("expired", "closed", "paid", "over", "nothing", "waits")]
            found = [one for one in (way(db, token) for token in every) if one]
        assert names(found) == [f"waits{number}"]
        assert [one.rev for one in found] == [5 if number == 0 else 4]
    assert shop.order("waits0").closed_at == shop.order("waits1").shown_at == START
    assert shop.order("over0").closed_at is shop.order("over1").shown_at is None


def test_who_closes_an_order_leaves_the_others_waiting(shop: Shop, put: Callable[..., Order]) -> None:
    mine, other = put("a", expires_at=START + 9), put("b", expires_at=START + 9)
    with shop.store.transaction() as db:
        closed = stores.orders.close(db, "a", START)
    assert closed == replace(mine, state=State.CLOSED, closed_at=START, rev=mine.rev + 1) == shop.order("a")
    assert shop.order("b") == other


def test_a_code_is_shown_for_the_first_time_once(shop: Shop, put: Callable[..., Order]) -> None:
    put("a", expires_at=START + 9, shown_at=None)
    put("b", expires_at=START + 9, shown_at=None)
    with shop.store.transaction() as db:
        assert stores.orders.show(db, "a", START) is not None
        assert stores.orders.show(db, "a", START + 1) is None
    assert (shop.order("a").shown_at, shop.order("b").shown_at) == (START, None)


def test_a_new_account_of_an_order_has_shown_nothing_yet(shop: Shop, put: Callable[..., Order]) -> None:
    put("a", shown_at=START, rev=4)
    put("b", shown_at=START, rev=4)
    put("c", **paid(shown_at=START))
    change: dict[str, Any] = {"method": "alipay", "account": "ali", "channel": "alipay", "really_price": 991}
    with shop.store.transaction() as db:
        moved = stores.orders.assign(db, "a", **change)
        assert moved == replace(shop_order(db, "a"), shown_at=None, rev=5, **change)
        assert stores.orders.assign(db, "c", **change) is None
    assert (shop.order("b").method, shop.order("b").shown_at) == ("wechat", START)
    assert shop.order("c").method == "wechat"


def test_how_an_order_was_really_paid_is_noted_with_a_paid_order_only(shop: Shop, put: Callable[..., Order]) -> None:
    put("a", **paid())
    put("b", **paid())
    put("c")
    change: dict[str, Any] = {"method": "alipay", "account": "ali", "channel": "alipay", "really_price": 991}
    with shop.store.transaction() as db:
        assert stores.orders.paid_by(db, "a", **change) == replace(shop_order(db, "a"), **change)
        with pytest.raises(AssertionError):
            stores.orders.paid_by(db, "c", **change)
    assert shop.order("b").method == shop.order("c").method == "wechat"


def test_the_first_that_are_over_expire_first_and_nothing_else_does(shop: Shop, put: Callable[..., Order]) -> None:
    put("b", expires_at=START, rev=4)
    put("c", expires_at=START + 1)
    put("a", expires_at=START - 1)
    put("d", expires_at=START - 9, state=State.CLOSED)
    put("e", expires_at=START - 9, **paid())
    with shop.store.transaction() as db:
        assert not stores.orders.any_expiring(db, START - 2)
        assert stores.orders.any_expiring(db, START - 1)
        assert names(stores.orders.expire(db, START, 1)) == ["a"]
        assert stores.orders.any_expiring(db, START)
        found = stores.orders.expire(db, START, 9)
        assert [(one.token, one.state, one.rev) for one in found] == [("b", State.EXPIRED, 5)]
        assert not stores.orders.any_expiring(db, START)
        assert stores.orders.counts(db) == {"pending": 1, "expired": 2, "closed": 1, "paid": 1}


def shop_order(db: Rows, token: str) -> Order:
    found = stores.orders.get(db, token)
    assert found is not None
    return found

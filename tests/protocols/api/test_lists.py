"""Lists page by page: nothing is lost or doubled, whatever happens meanwhile."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from checkout import orders
from checkout import store as stores
from checkout.interfaces import Rows
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement
from checkout.store.merchant_orders import Wanted, listed
from checkout.store.sqlite import SqliteStore
from tests.clients.api import Shop
from tests.protocols.api.test_orders import add_product
from tests.world import START, World, merchant


def numbers(found: list[dict[str, Any]]) -> list[str]:
    return [one["number"] for one in found]


def test_orders_are_listed_newest_first_in_pages(shop: Shop, world: World) -> None:
    for number in range(7):
        shop.create(f"N{number}")
        world.clock.go(number % 2)
    found = shop.all(limit="3")
    assert len(found) == 7
    assert numbers(found)[0] in ("N5", "N6")
    assert [one["created_at"] for one in found] == sorted((one["created_at"] for one in found), reverse=True)
    assert shop.page(limit="7")[1] is None


def test_each_filter_finds_its_orders(shop: Shop, world: World) -> None:
    shop.create("paid", ref="u-1")
    world.push("9.90")
    closed = shop.create("closed", 1100, ref="u-1")
    shop.close(closed["order"])
    shop.create("over", 1200, expires_in=60)
    world.clock.go(100)
    shop.create("waits", 1300)
    for state, wanted in (("paid", "paid"), ("closed", "closed"), ("expired", "over"), ("pending", "waits")):
        assert numbers(shop.all(state=state)) == [wanted]
    assert set(numbers(shop.all(ref="u-1"))) == {"paid", "closed"}
    assert numbers(shop.all(ref="u-1", state="closed")) == ["closed"]
    assert numbers(shop.all(number="over")) == ["over"]
    assert numbers(shop.all(created_from="2026-09-21T14:14:00Z")) == ["waits"]
    assert numbers(shop.all(created_from="2026-09-21T22:14:00.999+08:00")) == ["waits"]
    assert set(numbers(shop.all(created_to="2026-09-21T14:14:00Z"))) == {"paid", "closed", "over"}
    assert shop.all(created_from="2026-09-21T14:13:20Z", created_to="2026-09-21T14:13:20Z") == []


def test_what_the_worker_has_expired_stays_in_the_list_of_the_expired(shop: Shop, world: World) -> None:
    shop.create("over", expires_in=60)
    world.clock.go(60)
    before = shop.all(state="expired")
    orders.expire_due(world.store, world.clock())
    assert shop.all(state="expired") == before
    assert shop.all(state="pending") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=101", "limit=1e2", "limit=-1", "limit=%EF%BC%91", "limit=", "limit=1&limit=2", "state=payed",
        "state=", "offset=5", "merchant=1002", "cursor=x", "cursor=", "cursor=MS4uL2E", "cursor=%00", "number=%00",
        "created_from=yesterday", "created_from=2026-13-01T00:00:00Z", "created_from=2026-09-21T14:13:20",
        "created_from=1790000000", "ref=", "ref=%0a", "%ff=1", "ref=%ff",
    ],
)  # fmt: skip
def test_a_query_that_is_wrong_is_refused_with_the_name_of_the_parameter(shop: Shop, query: str) -> None:
    found = shop.refused(400, "GET", f"/orders?{query}")
    if "%ff" not in query:
        assert found["errors"][0]["parameter"] == query.partition("=")[0]


def test_a_single_look_takes_no_parameters(shop: Shop) -> None:
    order = shop.create()["order"]
    assert shop.refused(400, "GET", f"/orders/{order}?expand=1")["errors"][0]["parameter"] == "expand"


def test_products_are_listed_by_their_id(shop: Shop, world: World) -> None:
    for name in ("c", "a", "b"):
        add_product(world, id=name, stock=5, deliver="text", goods="the secret")
    first = shop.send("GET", "/products?limit=2").json()
    second = shop.send("GET", f"/products?limit=2&cursor={first['next']}").json()
    assert [one["product"] for one in first["data"] + second["data"]] == ["a", "b", "c"]
    assert second["next"] is None
    one = shop.send("GET", "/products/a").json()
    assert (one["left"], one["active"], one["buy_url"][-6:]) == (5, True, "/buy/a")
    assert "secret" not in str(one)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(State)), max_size=30),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(State)), max_size=10),
    st.integers(1, 7), st.sampled_from(["", *State]),
)  # fmt: skip
@how(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_order_is_lost_or_doubled_while_new_ones_arrive(
    store: SqliteStore, before: list[tuple[int, State]], meanwhile: list[tuple[int, State]], limit: int, state: str
) -> None:
    numbered = 0
    with store.transaction() as db:
        db.run("DELETE FROM orders")
        db.run("DELETE FROM merchants")
        stores.merchants.add(db, merchant())
        for at, of_state in before:
            numbered += 1
            stores.orders.add(db, order(numbered, START + at, of_state))
        there = {token for (token,) in db.all("SELECT token FROM orders")}
    seen: list[str] = []
    last = None
    arriving = iter(meanwhile)
    while True:
        with store.read() as db:
            page = listed(db, Wanted(1001, state=state, before=last, limit=limit), START + 2)
        seen += [one.token for one in page]
        if len(page) < limit:
            break
        last = (page[-1].created_at, page[-1].token)
        for at, of_state in [one for one in [next(arriving, None)] if one]:
            numbered += 1
            with store.transaction() as db:
                stores.orders.add(db, order(numbered, START + at, of_state))
    assert len(seen) == len(set(seen))
    with store.read() as db:
        wanted = {token for token in there if not state or state_of(db, token) == state}
    assert wanted <= set(seen)
    assert all(not state or state_at(store, token) == state for token in seen)


def state_of(db: Rows, token: str) -> State:
    found = stores.orders.get(db, token)
    assert found is not None
    return found.state_at(START + 2)


def state_at(store: SqliteStore, token: str) -> State:
    with store.read() as db:
        return state_of(db, token)


def order(number: int, created_at: int, state: State, merchant_id: int = 1001, buyer: str = "") -> Order:
    """The tokens are in no order; an order made at START expires before START + 2, others later."""
    token = f"{number * 0x9E3779B97F4A7C15 % (1 << 128):032x}"
    return Order(
        token=token, merchant=merchant_id, dialect="api", number=f"N{number}", attempt=1, state=state, late=False,
        method="", account="", channel="", price=990, really_price=None, title="", content="", param="", buyer=buyer,
        price_text="9.90", notify_url="", return_url="", extra="{}", asked="", product="", quantity=1, rev=0,
        created_at=created_at, expires_at=created_at + 1, shown_at=None,
        paid_at=created_at if state is State.PAID else None, closed_at=None,
    )  # fmt: skip


LISTS = [Wanted(1001), Wanted(1001, ref="u-5"), Wanted(1001, number="N77"), Wanted(7777), Wanted(1001, ref="nobody")]
LISTS += [Wanted(1001, state=state) for state in State]
LISTS += [Wanted(1001, state=State.PAID, ref="u-5"), Wanted(1001, since=START + 500, until=START + 600)]


@pytest.mark.sqlite_only
def test_lists_use_indexes_and_read_no_more_than_a_page_at_100000_orders(store: SqliteStore) -> None:
    with store.transaction() as db:
        stores.merchants.add(db, merchant())
        stores.merchants.add(db, merchant(id=1002, name="other"))
        for number in range(20):
            states = list(State)
            stores.orders.add(
                db, order(number, START + number, states[number % 4], 1001 + number % 2, f"u-{number % 9}")
            )
        _multiply(db, 100_000)
    with store.read() as db:
        plans = _plans(db)
    assert len(plans) > len(LISTS)
    for plan in plans:
        assert re.search(r"SEARCH (orders|payments) USING (COVERING )?INDEX", plan), plan
        assert "SCAN" not in plan, plan
        assert "TEMP B-TREE" not in plan or "orders_number" in plan, plan


class _Explaining:
    """Rows that keep the plan of every statement."""

    def __init__(self, db: Rows) -> None:
        self._db, self.plans = db, list[str]()

    def all(self, sql: str, /, **values: Any) -> list[tuple[Any, ...]]:
        told = self._db.all(f"EXPLAIN QUERY PLAN {sql}", **values)
        self.plans.append(" | ".join(str(row[-1]) for row in told))
        return self._db.all(sql, **values)

    def one(self, sql: str, /, **values: Any) -> tuple[Any, ...] | None:
        return self._db.one(sql, **values)

    def run(self, sql: str, /, **values: Any) -> int:
        raise AssertionError("A list writes nothing.")


def _plans(db: Rows) -> list[str]:
    explaining = _Explaining(db)
    for wanted in LISTS:
        listed(explaining, wanted, START + 50)
    stores.payments.of_merchants(explaining, (1001, 0), list(Judgement))
    return explaining.plans


def _multiply(db: Rows, wanted: int) -> None:
    """Copies the orders there are until there are `wanted`, each with a token, number and second of its own."""
    names = [name for name in Order.__struct_fields__ if name not in ("token", "number", "created_at")]
    rows, copies = 20, 0
    while rows < wanted:
        copies += 1
        db.run(
            f"INSERT INTO orders (token, number, created_at, {', '.join(names)})"
            " SELECT lower(hex(randomblob(16))), number || :suffix, created_at + :shift,"
            f" {', '.join(names)} FROM orders",
            suffix=f"-{copies}", shift=rows,
        )  # fmt: skip
        rows *= 2


def test_payments_are_listed_by_judgement(shop: Shop, world: World) -> None:
    order = shop.create()
    world.push("9.90")
    world.clock.go(60)
    world.push("1.23")
    (matched,) = shop.payments(judgement="matched")
    (unmatched,) = shop.payments(judgement="unmatched")
    assert (matched["order"], unmatched["order"]) == (order["order"], None)
    assert shop.payments() == [unmatched, matched]
    assert shop.send("GET", f"/payments/{matched['payment']}").json() == matched
    first = shop.send("GET", "/payments?limit=1").json()
    assert first["data"] == [unmatched]
    assert shop.payments(cursor=first["next"]) == [matched]
    assert "raw" not in matched, "the phone's own words name the payer"

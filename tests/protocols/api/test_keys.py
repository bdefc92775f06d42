"""Who may do what: keys, scopes, rates, and merchants that must not see each other."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from checkout import api_keys
from checkout import store as stores
from checkout.api_keys import Scope
from checkout.errors import StoreError
from checkout.protocols.api.operations import OPERATIONS
from tests.clients.api import Shop, problem
from tests.dump import tables
from tests.protocols.api.conftest import OTHER, key_for
from tests.protocols.api.test_orders import add_product
from tests.world import World

REASON = {"reason": "returned"}


@dataclass(frozen=True)
class Things:
    """What the merchant 1001 has."""

    order: str
    waiting: str
    payment: str
    unmatched: str


@pytest.fixture
def things(shop: Shop, world: World) -> Things:
    order, waiting = shop.create("N1")["order"], shop.create("N2", 1200)["order"]
    add_product(world)
    world.push("9.90")
    world.clock.go(60)
    world.push("1.23")
    unmatched, paid = shop.payments()
    return Things(order, waiting, paid["payment"], unmatched["payment"])


def paths(things: Things) -> dict[str, tuple[str, str, object]]:
    """For each operation the request that works for the merchant whose things these are."""
    return {
        "create_order": ("POST", "/orders", {"number": "X", "product": "tea"}),
        "list_orders": ("GET", "/orders", None),
        "get_order": ("GET", f"/orders/{things.order}", None),
        "close_order": ("POST", f"/orders/{things.waiting}/close", None),
        "create_refund": ("POST", f"/orders/{things.order}/refunds", {**REASON, "by_hand": True}),
        "list_refunds": ("GET", f"/orders/{things.order}/refunds", None),
        "list_products": ("GET", "/products", None),
        "get_product": ("GET", "/products/tea", None),
        "list_payments": ("GET", "/payments", None),
        "get_payment": ("GET", f"/payments/{things.payment}", None),
        "link_payment": ("POST", f"/payments/{things.unmatched}/link", {"order": things.waiting, **REASON}),
    }


@pytest.mark.parametrize("name", [one.name for one in OPERATIONS])
def test_another_merchant_neither_sees_nor_changes_anything(
    world: World, shop: Shop, other: Shop, things: Things, name: str
) -> None:
    before = _state(world)
    method, path, body = paths(things)[name]
    reply = other.send(method, path, body)
    if name.startswith("list_") and name != "list_refunds":
        assert reply.json()["data"] == []
    else:
        assert problem(reply, 404)["code"] == "not_found"
    assert _state(world) == before
    assert shop.send(method, path, body).status in (200, 201), "its own merchant may"


def test_another_merchants_order_cannot_be_paid_with_money_of_ones_own(
    world: World, shop: Shop, other: Shop, things: Things
) -> None:
    theirs = other.create("T1", 2000)["order"]
    found = shop.refused(404, "POST", f"/payments/{things.unmatched}/link", {"order": theirs, **REASON})
    assert found["detail"] == "There is no such order."
    assert other.refused(404, "POST", f"/payments/{things.unmatched}/link", {"order": theirs, **REASON})


def test_money_that_fits_no_order_is_the_first_merchants(shop: Shop, other: Shop, things: Things) -> None:
    assert [one["payment"] for one in shop.payments(judgement="unmatched")] == [things.unmatched]
    assert other.payments(judgement="unmatched") == []


def test_a_number_of_another_merchant_is_free(shop: Shop, other: Shop) -> None:
    assert shop.create("N1")["order"] != other.create("N1")["order"]
    assert len(shop.all(number="N1")) == 1


def test_the_same_idempotency_key_of_two_merchants_is_two_keys(shop: Shop, other: Shop) -> None:
    first, second = shop.create("N1", once="k"), other.create("N1", once="k")
    assert first["order"] != second["order"]
    assert second["merchant"] == OTHER


@pytest.mark.parametrize("name", [one.name for one in OPERATIONS])
def test_a_key_needs_the_scope_of_what_it_does(world: World, shop: Shop, things: Things, name: str) -> None:
    scope = next(one.scope for one in OPERATIONS if one.name == name)
    assert scope is not None
    lacking = shop.with_key(key_for(world, scopes=[one for one in Scope if one != scope]))
    before = _state(world)
    method, path, body = paths(things)[name]
    reply = lacking.send(method, path, body, once="k")
    assert problem(reply, 403)["code"] == "missing_scope"
    assert reply.headers["www-authenticate"] == f'Bearer realm="checkout", error="insufficient_scope", scope="{scope}"'
    assert _state(world) == before
    having = shop.with_key(key_for(world, scopes=[scope]))
    assert having.send(method, path, body).status in (200, 201)


def test_an_answer_that_was_kept_is_not_for_a_key_without_the_scope(world: World, shop: Shop) -> None:
    shop.create(once="k")
    asked = {"number": "N1", "price": {"amount": 990, "currency": "CNY"}, "method": "wechat"}
    assert shop.send("POST", "/orders", asked, once="k").headers["idempotency-replayed"] == "true"
    reader = shop.with_key(key_for(world, scopes=[Scope.ORDERS_READ]))
    assert reader.refused(403, "POST", "/orders", asked, once="k")


@pytest.mark.parametrize("name", [one.name for one in OPERATIONS])
def test_nothing_works_without_a_valid_key(world: World, shop: Shop, things: Things, name: str) -> None:
    before = _state(world)
    method, path, body = paths(things)[name]
    revoked = key_for(world)
    with world.store.read() as db:
        found = api_keys.find(db, revoked)
    assert found is not None
    api_keys.revoke(world.store, found.id, actor="test", new_id=world.parts.new_id, now=world.clock())
    key = shop.key
    wrong = ["", f"Bearer {revoked}", f"Bearer {key[:-1]}", f"Bearer {key[:-1]}g", f"Bearer {key}a",
    f"Bearer {key.upper()}",
             f"Basic {key}", key, f"Bearer {found.digest}", f"Bearer {key}, Bearer {key}", f"Bearer\u00a0{key}",
             "Bearer ",
             "Bearer ck_live_" + "0" * 64, f"Bearer {key} ", "Bearer ' OR 1=1 --"]  # fmt: skip
    for given in wrong[:-2] + wrong[-1:]:
        reply = shop.with_key("").send(method, path, body, headers={"Authorization": given})
        assert problem(reply, 401)["code"] == "unauthorized", given
        assert reply.headers["www-authenticate"].startswith('Bearer realm="checkout"')
    assert shop.with_key("").send(method, f"{path}?key={key}&access_token={key}", body).status == 401
    assert _state(world).items() >= before.items()


def test_the_scheme_may_be_spelt_in_any_case(shop: Shop) -> None:
    headers = {"Authorization": f"bearer {shop.key}"}
    assert shop.with_key("").send("GET", "/orders", headers=headers).status == 200


def test_a_cookie_of_the_owners_pages_opens_nothing(shop: Shop) -> None:
    assert shop.with_key("").send("GET", "/orders", headers={"Cookie": "__Host-session=x"}).status == 401


def test_the_use_of_a_key_is_noted_once_a_minute(world: World, shop: Shop) -> None:
    def used() -> int | None:
        with world.store.read() as db:
            (key,) = stores.api_keys.all_of(db, 1001)
        return key.used_at

    start = world.clock()
    shop.all()
    world.clock.go(59)
    shop.all()
    assert used() == start
    world.clock.go(1)
    shop.all()
    assert used() == start + 60


def test_reading_works_while_nothing_can_be_written(world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr("checkout.store.api_keys.used", full)
    assert shop.all() == []


def test_a_key_that_asks_too_often_is_told_when_to_come_again(world: World, shop: Shop) -> None:
    second = shop.with_key(key_for(world))
    statuses = [shop.send("GET", "/products").status for _ in range(3001)]
    assert statuses.index(429) == 3000
    reply = shop.send("GET", "/products")
    assert problem(reply, 429)["code"] == "limited"
    assert second.send("GET", "/products").status == 200, "each key has a rate of its own"
    world.clock.go(int(reply.headers["retry-after"]))
    assert shop.send("GET", "/products").status == 200


def test_a_stranger_who_tries_keys_is_slowed_down(shop: Shop) -> None:
    def tried() -> int:
        return shop.with_key("ck_live_" + "0" * 64).send("GET", "/orders").status

    assert {tried() for _ in range(50)} == {401}, "a private address may be a proxy with everybody behind it"


def test_the_key_is_kept_nowhere(world: World, shop: Shop) -> None:
    shop.create()
    with world.store.read() as db:
        for table in tables(db, world.parts.settings.database):
            assert shop.key not in str(db.all(f"SELECT * FROM {table}"))


def _state(world: World) -> dict[str, object]:
    with world.store.read() as db:
        tables = ("orders", "payments", "refunds", "answered", "slots", "audit", "deliveries")
        return {table: [row for row in db.all(f"SELECT * FROM {table}") if "key." not in str(row)] for table in tables}

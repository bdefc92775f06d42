"""Polls that find nothing new are answered before Flask; nobody can tell."""

from __future__ import annotations

from typing import NoReturn

import pytest

from checkout.errors import StoreError
from checkout.model.orders import Order
from checkout.rates import FULL, POLL
from checkout.store.sqlite import SqliteStore
from tests.pages.shop import opened, rev_in, settled
from tests.world import World


def waiting(world: World) -> tuple[Order, str]:
    order = opened(world)
    return order, rev_in(world.client.get(f"/pay/{order.token}").text)


def test_a_poll_that_finds_nothing_new_never_reaches_flask(world: World, dispatched: list[str]) -> None:
    order, rev = waiting(world)
    dispatched.clear()
    for query in (f"rev={rev}", f"rev={rev}&lang=zh-TW&theme=dark&embed=shop.example", f"rev={rev}&lang="):
        assert world.client.get(f"/pay/{order.token}/poll?{query}").status_code == 204
    assert dispatched == []


def test_it_says_what_the_route_says(world: World, dispatched: list[str]) -> None:
    order, rev = waiting(world)
    dispatched.clear()
    quick = world.client.get(f"/pay/{order.token}/poll?rev={rev}")
    assert dispatched == []
    slow = world.client.get(f"/pay/{order.token}/poll?rev={rev}&other=1")
    assert dispatched == ["request"]
    assert quick.status_code == slow.status_code == 204
    ours = {name: value for name, value in slow.headers.items() if name != "Content-Type"}
    assert dict(quick.headers) == ours


@pytest.mark.parametrize("query", ["", "rev=", "rev={rev}&rev={rev}", "rev={rev}%20", "rev={rev}&asked=x", "a=b"])
def test_what_is_not_plainly_such_a_poll_is_left_to_the_route(world: World, dispatched: list[str], query: str) -> None:
    order, rev = waiting(world)
    dispatched.clear()
    world.client.get(f"/pay/{order.token}/poll?{query.format(rev=rev)}")
    assert dispatched == ["request"]


def test_neither_a_paid_nor_an_unknown_order_nor_a_post_is_answered_early(world: World) -> None:
    order, rev = waiting(world)
    settled(world, order)
    assert world.client.get(f"/pay/{order.token}/poll?rev={rev}").status_code == 200
    assert world.client.get(f"/pay/{'0' * 32}/poll?rev={rev}").status_code == 404
    assert world.client.post(f"/pay/{order.token}/poll?rev={rev}").status_code == 405


def test_an_address_that_asks_too_often_is_told_so_here_too(world: World) -> None:
    order, rev = waiting(world)
    stranger = {"REMOTE_ADDR": "93.184.216.34"}
    for _ in range(FULL // POLL):
        assert world.client.get(f"/pay/{order.token}/poll?rev={rev}", environ_overrides=stranger).status_code == 204
    refused = world.client.get(f"/pay/{order.token}/poll?rev={rev}", environ_overrides=stranger)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"]


def test_a_buyer_who_says_that_he_has_paid_is_asked_for_more_when_it_is_of_no_use(world: World) -> None:
    order, _ = waiting(world)
    asked = world.clock()
    eager = rev_in(world.client.get(f"/pay/{order.token}?asked={asked}").text)
    assert world.client.get(f"/pay/{order.token}/poll?rev={eager}&asked={asked}").status_code == 204
    world.clock.go(20)
    assert world.client.get(f"/pay/{order.token}/poll?rev={eager}&asked={asked}").status_code == 200


def test_a_database_that_fails_is_said_by_the_route(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order, rev = waiting(world)

    def broken(_store: SqliteStore) -> NoReturn:
        raise StoreError("The database is locked by another program; try again in a moment.")

    monkeypatch.setattr(SqliteStore, "read", broken)
    assert world.client.get(f"/pay/{order.token}/poll?rev={rev}").status_code == 503

"""Orders and reports of money that share a commit at the desk: nothing of them gets out before it, or when it fails."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from werkzeug.test import EnvironBuilder

from checkout import logs
from checkout.errors import StoreError
from checkout.inline import Elsewhere, at_desk
from checkout.model.orders import State
from checkout.server import fast_parser
from checkout.store.commits import Commits
from checkout.store.sqlite import SqliteStore
from tests.protocols.support import rows
from tests.world import DEVICE_KEY, MERCHANT_KEY, START, World, md5


@pytest.fixture
def submitted(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The callbacks that were begun."""
    begun: list[Any] = []
    dispatcher = world.app.extensions["checkout.worker"].dispatcher
    monkeypatch.setattr(dispatcher._courier, "carry", lambda *work: begun.append(work))
    world.app.extensions["checkout"] = replace(world.parts, at_once=dispatcher.at_once)
    return begun


def file_of(world: World) -> Path:
    assert isinstance(world.store, SqliteStore)
    return world.store.path


def paid_on_disk(world: World) -> int:
    with closing(sqlite3.connect(file_of(world))) as other:
        return int(other.execute("SELECT count(*) FROM orders WHERE state = 'paid'").fetchone()[0])


def test_callbacks_leave_when_the_payments_of_all_are_on_the_disk(world: World, submitted: list[Any]) -> None:
    due = [world.create(f"N{number}")["data"]["reallyPrice"] for number in range(2)]
    with world.store.together():
        for price in due:
            with at_desk():
                assert world.push(price)["code"] == 1
            assert paid_on_disk(world) == 0
        assert submitted == []
    assert paid_on_disk(world) == 2
    assert len(submitted) == 2


def test_where_the_commit_fails_nobody_is_told_and_the_host_keeps_its_room(
    world: World, submitted: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    created = [world.create(f"N{number}")["data"] for number in range(2)]
    for _ in range(3):  # a place at the host that was lost each time would be missed
        with monkeypatch.context() as patch:
            patch.setattr(Commits, "commit", _failing)
            with pytest.raises(StoreError, match="full"), world.store.together():
                _push_all(world, created)
        assert [world.order(order["orderId"]).state for order in created] == [State.PENDING] * 2
        assert world.payments() == []
        assert submitted == []
    with world.store.together():
        _push_all(world, created)
    assert len(submitted) == 2


def _push_all(world: World, created: list[dict[str, Any]]) -> None:
    for order in created:
        world.push(order["reallyPrice"])


def _failing(commits: Commits) -> None:
    group, connection = commits.group, commits._connection
    if group is not None and connection is not None:
        commits._end(connection, StoreError("The disk is full."))


def test_events_are_logged_when_they_are_on_the_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []
    monkeypatch.setattr(logs, "event", lambda name, **fields: noted.append(name))
    with world.store.together():
        due = world.create()["data"]["reallyPrice"]
        world.push(due)
        assert noted == []
    assert noted == ["order.opened", "payment.received", "order.paid"]


def test_an_order_that_is_refused_first_keeps_nobody_from_theirs(world: World) -> None:
    """Else anybody could have a shop's neighbours told that the server is busy."""
    world.push(world.create("N1")["data"]["reallyPrice"])
    due = world.create("N2")["data"]["reallyPrice"]
    with world.store.together():
        assert world.create("N1")["code"] == -1
        assert world.create("N1", price="5.00")["code"] == -1
        assert world.create("N3")["code"] == 1
        assert world.push(due)["code"] == 1
    assert paid_on_disk(world) == 2


def test_a_later_order_sees_the_amounts_of_those_before_it_in_the_same_commit(world: World) -> None:
    with world.store.together():
        prices = [world.create(f"N{number}")["data"]["reallyPrice"] for number in range(5)]
    assert len(set(prices)) == 5


def test_the_same_push_twice_in_one_commit_is_one_payment(world: World) -> None:
    due = world.create()["data"]["reallyPrice"]
    with world.store.together():
        assert world.push(due) == world.push(due)
    assert len(world.payments()) == 1


def asked(number: str) -> dict[str, str]:
    return {"payId": number, "type": "1", "price": "9.90", "sign": md5(number, "1", "9.90", MERCHANT_KEY)}


def pushed(price: str) -> dict[str, str]:
    t = str(START * 1000)
    return {"type": "1", "price": price, "t": t, "sign": md5("1", price, t, DEVICE_KEY)}


def begun(world: World, path: str, **values: str) -> Callable[[], dict[str, Any]]:
    """A request that was read and judged; the call writes what it asks for, and gives the answer."""
    read = fast_parser.begun(world.app, EnvironBuilder(path, method="POST", data=values).get_environ())
    return lambda: json.loads(read().body)


def test_nothing_is_written_before_the_answer_is_read(world: World) -> None:
    finish = begun(world, "/createOrder", **asked("N1"))
    assert rows(world) == 0
    assert finish()["code"] == 1
    assert rows(world) == 1


def test_what_is_refused_by_what_is_read_writes_nothing_either(world: World) -> None:
    finish = begun(world, "/createOrder", **{**asked("N1"), "sign": "0" * 32})
    assert finish()["code"] == -1
    assert rows(world) == 0


def test_orders_that_were_read_together_get_amounts_of_their_own_and_one_number_is_one_order(world: World) -> None:
    first, second, again = (begun(world, "/createOrder", **asked(number)) for number in ("N1", "N2", "N1"))
    one, other, same = first()["data"], second()["data"], again()["data"]
    assert one["reallyPrice"] != other["reallyPrice"]
    assert same == one
    assert rows(world) == 2


def test_a_push_that_was_read_twice_before_it_was_written_is_one_payment(world: World) -> None:
    token, due = itemgetter("orderId", "reallyPrice")(world.create()["data"])
    first, second = (begun(world, "/appPush", **pushed(due)) for _ in range(2))
    assert world.payments() == []
    assert first() == second() == {"code": 1, "msg": "成功", "data": None}
    assert len(world.payments()) == 1
    assert world.order(token).state is State.PAID


def test_a_push_counts_from_when_it_is_written(world: World) -> None:
    """Else it could be booked to an order whose time was over before."""
    finish = begun(world, "/appPush", **pushed(world.create()["data"]["reallyPrice"]))
    world.clock.now += 5
    assert finish()["code"] == 1
    assert [payment.received_at for payment in world.payments()] == [START + 5]


def test_a_server_with_official_accounts_takes_orders_in_threads(world: World) -> None:
    """To show what to pay with, a gateway may have to be asked, and the desk waits for nobody outside."""
    world.app.extensions["checkout"] = replace(world.parts, channels={"alipay": object()})
    with at_desk(), pytest.raises(Elsewhere):
        world.create()
    assert world.create()["code"] == 1


@pytest.mark.parametrize("changes", [{"sign": "0" * 32}, {"isHtml": "1"}])
def test_what_is_not_plain_is_left_to_a_thread_before_anything_is_done(world: World, changes: dict[str, str]) -> None:
    values = {"payId": "N1", "type": "1", "price": "9.90", "sign": md5("N1", "", "1", "9.90", MERCHANT_KEY), **changes}
    if "isHtml" in changes:
        with at_desk(), pytest.raises(Elsewhere):
            world.client.post("/createOrder", data=values)
    else:
        with at_desk():
            assert world.client.post("/createOrder", data=values).get_json()["code"] == -1
    with at_desk(), pytest.raises(Elsewhere):
        world.client.post("/createOrder", json=values)

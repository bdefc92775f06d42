"""Plain createOrder requests are answered before Flask; nobody can tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Response
from werkzeug.test import TestResponse

from checkout import live, opening
from checkout.errors import StoreError
from checkout.fields import MAX_BODY
from checkout.model.merchants import Mode
from checkout.protocols import family
from checkout.store.sqlite import SqliteStore
from tests.protocols.support import rows
from tests.world import MERCHANT_KEY, START, World, md5

FORM = "application/x-www-form-urlencoded"


def asked(number: str = "N1", price: str = "9.90", kind: str = "1", param: str = "", **more: str) -> dict[str, str]:
    sign = md5(number, param, kind, price, MERCHANT_KEY)
    return {"payId": number, "type": kind, "price": price, "param": param, "sign": sign, **more}


def slow(world: World, values: dict[str, Any]) -> TestResponse:
    """The same request as the route answers it."""
    return world.client.post("/createOrder?other=1", data=values)


@pytest.mark.parametrize("path", ["/createOrder", "/vmq/1001/createOrder"])
def test_a_plain_request_never_reaches_flask(world: World, dispatched: list[str], path: str) -> None:
    assert world.client.get(path, query_string=asked("N1")).get_json()["code"] == 1
    assert world.client.post(path, data=asked("N2", param="用户 42&=+%")).get_json()["code"] == 1
    latin = {"CONTENT_TYPE": f"{FORM}; charset=UTF-8"}
    assert world.client.post(path, data=asked("N3"), environ_overrides=latin).get_json()["code"] == 1
    assert world.client.post(path, data=asked("N4", isHtml="0")).get_json()["code"] == 1
    assert dispatched == []
    assert rows(world) == 4


def test_it_answers_as_the_route_does(world: World, dispatched: list[str]) -> None:
    quick = world.client.post("/createOrder", data=asked())
    assert dispatched == []
    again = slow(world, asked())
    assert dispatched == ["request"]
    assert (quick.status_code, quick.data) == (again.status_code, again.data)
    assert list(quick.headers) == list(again.headers)
    assert rows(world) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"payId": ""},
        {"type": "3"},
        {"price": "1e2"},
        {"price": "0"},
        {"sign": "0" * 32},
        {"param": "x" * 1025},
        {"type": "2"},
        {"notifyUrl": "ftp://shop.example/"},
        {"notifyUrl": "https://other.example/"},
    ],
)
def test_it_refuses_as_the_route_does_and_writes_nothing(
    world: World, dispatched: list[str], changes: dict[str, str]
) -> None:
    values = {**asked(), **changes}
    quick = world.client.post("/createOrder", data=values)
    assert dispatched == []
    refused = slow(world, values)
    assert dispatched == ["request"]
    assert (quick.status_code, quick.data, dict(quick.headers)) == (200, refused.data, dict(refused.headers))
    assert quick.get_json()["code"] == -1
    assert rows(world) == 0


@pytest.mark.parametrize("path", ["/vmq/9999/createOrder", "/vmq/0/createOrder", "/vmq/1001x/createOrder"])
def test_a_merchant_that_there_is_not_is_refused_in_the_same_words(world: World, path: str) -> None:
    found = world.client.post(path, data=asked()).get_json()
    assert found == {"code": -1, "msg": "商户不存在", "data": None}


def test_what_changes_with_the_merchant_holds_for_the_next_request(world: World, dispatched: list[str]) -> None:
    assert world.create("N1")["code"] == 1
    world.change_merchant(disabled_at=START)
    assert world.create("N2")["msg"] == "商户已停用"
    world.change_merchant(disabled_at=None, key="another-key-0123456789")
    assert world.create("N3")["msg"] == "签名错误"
    assert dispatched == []


def with_a_body(body: bytes, **environ: str) -> Callable[[World], TestResponse]:
    settings = {"data": body, "content_type": FORM, "environ_overrides": environ}
    return lambda world: world.client.post("/createOrder", **settings)


@pytest.mark.parametrize(
    "ask",
    [
        lambda world: world.client.post("/createOrder", json=asked()),
        lambda world: world.client.post("/createOrder", data=asked(), content_type="multipart/form-data"),
        lambda world: world.client.post("/createOrder", query_string={"payId": "N1"}, data=asked()),
        lambda world: world.client.get("/createOrder", query_string=asked(), data=b"a=b"),
        lambda world: world.client.post("/createOrder", data=asked(isHtml="1"), headers={"App-Secret": MERCHANT_KEY}),
        lambda world: world.client.post("/createOrder", data=asked(appId="1001")),
        lambda world: world.client.post("/createOrder", data=asked(isHtml="1")),
        lambda world: world.client.post("/createOrder", data=asked(), headers={"App-Id": "1001"}),
        lambda world: world.client.put("/createOrder", data=asked()),
        lambda world: world.client.head("/createOrder", query_string=asked()),
        lambda world: world.client.post("/createOrder", data=asked(param="\x07")),
        with_a_body(b"a=b", CONTENT_LENGTH="+3"),
        with_a_body(b"a=b", CONTENT_LENGTH="99999999"),
        with_a_body(b"a=b", CONTENT_LENGTH="4"),
        with_a_body(b"a=b", HTTP_TRANSFER_ENCODING="chunked"),
        with_a_body(b"a=" + b"b" * 70_000),
    ],
)  # fmt: skip
def test_what_is_not_plainly_such_a_request_is_left_to_the_route_as_it_came(
    world: World, dispatched: list[str], ask: Callable[[World], TestResponse]
) -> None:
    answer = ask(world)
    assert dispatched == ["request"]
    assert answer.status_code in (200, 405)


def test_gogo_is_told_apart_after_the_body_was_read(world: World, dispatched: list[str]) -> None:
    sign = md5("1001", "N1", "", "1", "9.90", MERCHANT_KEY)
    values = {"appId": "1001", "payId": "N1", "type": "1", "price": "9.90", "sign": sign}
    answer = world.client.post("/createOrder", data=values).get_json()
    assert dispatched == ["request"]
    assert answer["code"] == 1
    assert world.order(answer["data"]["orderId"]).dialect == "gogo"


def test_a_database_that_fails_is_waited_for_once_and_said_as_the_route_says_it(
    world: World, monkeypatch: pytest.MonkeyPatch, dispatched: list[str]
) -> None:
    waits = []

    def broken(_store: SqliteStore, _words: object, _work: object) -> object:
        waits.append(1)
        raise StoreError("The database is locked by another program; try again in a moment.")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "locked", broken)
        quick = world.client.post("/createOrder", data=asked())
        assert (quick.status_code, len(waits), dispatched) == (503, 1, [])
        route = slow(world, asked())
        assert (quick.data, list(quick.headers)) == (route.data, list(route.headers))
        assert (len(waits), dispatched) == (2, ["request"])
    assert world.client.post("/createOrder", data=asked()).get_json()["code"] == 1


def test_a_fault_of_ours_is_said_and_logged_by_the_route(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_values: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(family, "read_create", broken)
    assert world.client.post("/createOrder", data=asked()).status_code == 500
    assert caplog.text.count("Unexpected error on /createOrder") == 1


def test_a_waiting_order_is_answered_again_with_its_own_code(world: World, dispatched: list[str]) -> None:
    first = world.create("N1")
    with world.store.transaction() as db:
        db.run("UPDATE accounts SET code = 'wxp://changed'")
    again = world.create("N1")
    assert again["data"]["payUrl"] == "wxp://changed"
    assert again["data"]["orderId"] == first["data"]["orderId"]
    assert dispatched == []


def test_settings_that_were_edited_hold_here_too(world: World, dispatched: list[str]) -> None:
    with world.store.transaction() as db:
        db.run("INSERT INTO preferences (name, value, changed_at) VALUES ('order_ttl', '600', 0)")
    with world.app.app_context():
        live.take_over()
    assert world.create("N1")["data"]["timeOut"] == 10
    assert dispatched == []


def test_settings_that_another_process_has_edited_hold_from_the_first_request_on(
    world: World, dispatched: list[str]
) -> None:
    with world.store.transaction() as db:
        db.run("INSERT INTO preferences (name, value, changed_at) VALUES ('order_ttl', '600', 0)")
    assert world.create("N1")["data"]["timeOut"] == 10
    assert dispatched == []


def test_a_body_of_the_greatest_length_is_read_here_and_no_longer_one(world: World, dispatched: list[str]) -> None:
    start = b"a=b&payId=" + b"x" * 101 + b"&c="
    for length, reached in ((MAX_BODY, []), (MAX_BODY + 1, ["request"])):
        answer = world.client.post("/createOrder", data=start + b"d" * (length - len(start)), content_type=FORM)
        assert (answer.status_code, answer.get_json()["code"], dispatched) == (200, -1, reached)


def test_a_browser_that_comes_with_the_request_is_led_to_the_page_by_the_route(
    world: World, dispatched: list[str]
) -> None:
    world.change_merchant(mode=Mode.COMPAT)
    first, again = (world.client.post("/createOrder", data=asked(isHtml="1")) for _ in range(2))
    assert dispatched == ["request", "request"]
    assert (first.status_code, first.data) == (200, again.data)
    assert b"/pay/" in first.data
    assert not first.is_json


@pytest.mark.parametrize("fails_when_written", [True, False])
def test_what_the_route_answers_is_closed_by_whoever_reads_it(
    world: World, monkeypatch: pytest.MonkeyPatch, dispatched: list[str], fails_when_written: bool
) -> None:
    """It is asked before anything is written, or where a fault of ours comes up then."""
    closed, faults, open_order = list[str](), [ZeroDivisionError()] * fails_when_written, opening.open_with_code

    def note(answer: Response) -> Response:
        answer.call_on_close(lambda: closed.append("closed"))
        return answer

    def failing_once(*values: Any) -> opening.Opened:
        if faults:
            raise faults.pop()
        return open_order(*values)

    world.app.after_request_funcs.setdefault(None, []).append(note)
    monkeypatch.setattr(opening, "open_with_code", failing_once)
    world.client.post("/createOrder", data=asked(isHtml="" if fails_when_written else "1")).close()
    assert (dispatched, closed) == (["request"], ["closed"])
    assert rows(world) == fails_when_written

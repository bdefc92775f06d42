"""One line for each request: its route, its order, how it ended; the rest of the path stays out."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from checkout import ids, logs
from checkout.app import create_app
from checkout.settings import Settings
from tests.world import MERCHANT_KEY, FakeClock, Outside, World, md5


@pytest.fixture
def talkative(database: str, caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    caplog.set_level(logging.INFO, "checkout.events")
    clock, outside = FakeClock(), Outside()
    settings = Settings(database=database, log_level="info", min_free_disk=0)
    app = create_app(settings, clock=clock, new_id=ids.new_id, send=outside.send, work=False)
    made = World.set_up(app, clock, outside)
    yield made
    made.store.close()


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.fields for record in caplog.records if record.getMessage() == "request"]  # type: ignore[attr-defined]


def test_the_route_is_named_and_the_order_that_the_path_names(
    talkative: World, caplog: pytest.LogCaptureFixture
) -> None:
    token = talkative.create("N1", "9.90")["data"]["orderId"]
    rev = talkative.order(token).rev
    for path in (f"/pay/{token}", f"/pay/{token}/poll?rev={rev}", f"/api/v1/orders/{token}", f"/admin/orders/{token}"):
        talkative.client.get(path)
    found = [(line["route"], line.get("order")) for line in lines(caplog)][1:]
    assert found == [
        ("/pay/<token>", token), ("/pay/<token>/poll", token), ("/api/v1/orders/<order>", token),
        ("/admin/orders/<token>", token),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "route"), [("", "/createOrder"), ("/vmq/1001", "/vmq/<merchant>/createOrder")], ids=["plain", "merchant"]
)
def test_a_create_that_is_answered_before_flask_is_written_like_any_other(
    talkative: World, caplog: pytest.LogCaptureFixture, path: str, route: str
) -> None:
    values = {"payId": "N1", "type": "1", "price": "9.90", "sign": md5("N1", "1", "9.90", MERCHANT_KEY)}
    for address in (f"{path}/createOrder", f"{path}/createOrder?other=1"):
        assert talkative.client.post(address, data=values).get_json()["code"] == 1
    quick, slow = ({**line, "duration_ms": 0, "request": ""} for line in lines(caplog))
    assert quick == slow
    assert (quick["method"], quick["route"], quick["status"]) == ("POST", route, 200)


def test_what_is_written_while_the_answer_is_read_is_noted_as_its_own(
    talkative: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"payId": "N1", "type": "1", "price": "9.90", "sign": md5("N1", "1", "9.90", MERCHANT_KEY)}
    with monkeypatch.context() as patch:
        patch.setattr(caplog.handler, "formatter", logs.Json())
        answer = talkative.client.post("/createOrder", data=values)
    noted = [json.loads(line) for line in caplog.text.splitlines()]
    token, number = answer.get_json()["data"]["orderId"], answer.headers["X-Request-Id"]
    assert [(one["event"], one["request"], one["order"]) for one in noted] == [
        ("order.opened", number, token), ("request", number, token),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/monitor/push/{secret}", "/monitor/smsforwarder/{secret}", "/{secret}", "/receipt/{secret}", "/a/%00"]
)
def test_a_path_that_may_be_a_credential_is_not_written(
    talkative: World, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    secret = "5e" * 16
    talkative.client.get(path.format(secret=secret))
    (line,) = lines(caplog)
    assert secret not in str(line)
    assert line["status"] in (400, 403, 404, 405)


def test_the_answer_carries_the_number_of_its_lines(talkative: World, caplog: pytest.LogCaptureFixture) -> None:
    first, second = (talkative.client.get("/healthz").headers["X-Request-Id"] for _ in range(2))
    assert first != second
    assert len(first) == 16


def test_a_failure_of_ours_is_a_line_too(
    talkative: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Any:
        raise SystemError("no answer at all")

    monkeypatch.setattr(talkative.app, "full_dispatch_request", broken)
    talkative.app.testing = False
    talkative.client.get("/healthz")
    (line,) = lines(caplog)
    assert line["status"] == 500


def test_by_default_no_request_is_logged_and_no_number_given(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "checkout.events")
    assert "X-Request-Id" not in world.client.get("/healthz").headers
    assert lines(caplog) == []

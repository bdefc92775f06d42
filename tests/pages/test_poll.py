"""What a waiting page hears when it asks again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from checkout import orders, switching
from checkout.model.orders import Order
from tests.pages.shop import beat, closed, opened, rev_in, settled, stage_in
from tests.world import World


def poll(world: World, order: Order, rev: str, **headers: Any) -> TestResponse:
    return world.client.get(f"/pay/{order.token}/poll", query_string={"rev": rev}, headers=headers)


def rev_of(world: World, order: Order) -> str:
    return rev_in(world.client.get(f"/pay/{order.token}").text)


def test_nothing_new_is_204_with_the_seconds_left(world: World) -> None:
    order = opened(world)
    rev = rev_of(world, order)
    world.clock.go(10)
    answer = poll(world, order, rev)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Checkout-Left"] == "290"
    assert "Set-Cookie" not in answer.headers


def test_the_page_asks_as_often_as_the_server_says(world: World) -> None:
    order = opened(world)
    html = world.client.get(f"/pay/{order.token}").text
    assert 'hx-trigger="every 2s, checkout:wake from:body" hx-swap="outerHTML"' in html
    rev = rev_in(html)
    world.clock.go(90)
    answer = poll(world, order, rev)
    assert answer.status_code == 200
    assert 'hx-trigger="every 3s, ' in answer.text
    assert 'id="state"' not in answer.text, "the page keeps its open help and its focus"
    assert poll(world, order, rev_in(answer.text)).status_code == 204


def test_with_a_new_pace_comes_news_of_the_phone(world: World) -> None:
    beat(world)
    order = opened(world, ttl=900)
    rev = rev_of(world, order)
    world.clock.go(180)
    answer = poll(world, order, rev)
    assert (
        '<p id="notice" class="note" hx-swap-oob="true">Confirmation'
        in poll(world, order, rev, **{"Accept-Language": "en"}).text
    )
    assert 'hx-trigger="every 5s, ' in answer.text


def test_payment_brings_the_receipt_out_of_band_and_the_end_of_polling(world: World) -> None:
    order = opened(world)
    rev = rev_of(world, order)
    settled(world, order)
    answer = poll(world, order, rev, **{"Accept-Language": "en"})
    assert answer.status_code == 200
    assert json.loads(answer.headers["HX-Trigger"]) == {"checkout:state": "paid"}
    assert '<div id="poll" hidden></div>' in answer.text
    assert 'hx-swap-oob="true"' in answer.text
    assert "<title>✓ Paid · Checkout</title>" in answer.text
    assert stage_in(answer.text) == "paid"
    assert "hx-trigger" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_no_part_out_of_band_lies_within_another(world: World) -> None:
    order = opened(world, method="")
    answer = poll(world, order, "")
    assert answer.text.count("hx-swap-oob") == 1
    switching.choose_method(world.store, order.token, "wechat", world.parts.rules, world.clock())
    answer = poll(world, order, "")
    assert stage_in(answer.text) == "pending"
    assert answer.text.count("hx-swap-oob") == 1


def test_expiry_slows_the_polls_down_and_the_end_of_the_window_stops_them(world: World) -> None:
    order = opened(world)
    rev = rev_of(world, order)
    world.clock.go(300)
    answer = poll(world, order, rev)
    assert json.loads(answer.headers["HX-Trigger"]) == {"checkout:state": "expired"}
    assert 'hx-trigger="every 15s, ' in answer.text
    rev = rev_in(answer.text)
    orders.expire_due(world.store, world.clock())
    world.clock.go(599)
    assert poll(world, order, rev).status_code == 204
    world.clock.go(1)
    answer = poll(world, order, rev)
    assert answer.status_code == 200
    assert "hx-trigger" not in answer.text


def test_money_within_the_late_window_is_seen(world: World) -> None:
    order = opened(world)
    rev = rev_of(world, order)
    world.clock.go(300)
    rev = rev_in(poll(world, order, rev).text)
    settled(world, order)
    assert stage_in(poll(world, order, rev).text) == "paid"


def test_a_closed_order_is_shown_as_closed(world: World) -> None:
    order = opened(world)
    rev = rev_of(world, order)
    closed(world, order)
    assert stage_in(poll(world, order, rev).text) == "closed"


def test_a_method_chosen_in_another_tab_brings_the_code(world: World) -> None:
    order = opened(world, method="")
    rev = rev_of(world, order)
    switching.choose_method(world.store, order.token, "alipay", world.parts.rules, world.clock())
    answer = poll(world, order, rev)
    assert stage_in(answer.text) == "pending"
    assert world.order(order.token).shown_at is not None


@pytest.mark.parametrize("rev", ["", "x", "0pending.2.2", "9" * 3000, "paid.0", "<b>", "\u0000", "é"])
def test_any_other_rev_gets_the_whole_state_and_no_error(world: World, rev: str) -> None:
    answer = poll(world, opened(world), rev)
    assert answer.status_code == 200
    assert stage_in(answer.text) == "pending"


def test_a_chosen_language_stays_chosen(world: World) -> None:
    order = opened(world)
    html = world.client.get(f"/pay/{order.token}?lang=en", headers={"Accept-Language": "zh-CN"}).text
    assert "/poll?rev=0pending.2&amp;lang=en" in html
    settled(world, order)
    answer = world.client.get(f"/pay/{order.token}/poll?rev=0pending.2&lang=en", headers={"Accept-Language": "zh-CN"})
    assert "Payment received" in answer.text


def test_nothing_new_costs_one_statement(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from checkout.store import sqlite

    order = opened(world)
    rev = rev_of(world, order)
    statements: list[str] = []
    execute = sqlite._SqliteRows._execute

    def counted(self: Any, sql: str, values: Any) -> Any:
        statements.append(sql)
        return execute(self, sql, values)

    monkeypatch.setattr(sqlite._SqliteRows, "_execute", counted)
    assert poll(world, order, rev).status_code == 204
    assert len(statements) == 1

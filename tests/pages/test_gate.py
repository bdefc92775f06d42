"""Pages are not asked for more often than people look."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from werkzeug.test import TestResponse

from checkout import ids
from checkout.app import create_app
from checkout.rates import FULL, PAGE, POLL
from checkout.settings import Settings
from tests.pages.shop import opened
from tests.pages.test_problems import BROWSER
from tests.world import FakeClock, Outside, World

BUYER = "1.2.3.4"


@pytest.fixture
def public(settings: Settings, clock: FakeClock, outside: Outside) -> Iterator[World]:
    """A shop behind a proxy that it knows."""
    settings = replace(settings, trusted_proxies=("127.0.0.1/32",))
    app = create_app(settings, clock=clock, new_id=ids.new_id, send=outside.send, work=False)
    app.testing = True
    yield World.set_up(app, clock, outside)
    app.extensions["checkout"].store.close()


def ask(world: World, path: str, address: str = BUYER, **headers: str) -> TestResponse:
    return world.client.get(path, headers={"X-Forwarded-For": address, **headers})


def crowded(world: World) -> None:
    for _ in range(FULL // PAGE):
        assert ask(world, "/receipt/0").status_code == 404


def test_whoever_asks_without_end_is_told_when_to_come_back(public: World) -> None:
    crowded(public)
    order = opened(public)
    places = [f"/pay/{order.token}", f"/pay/{order.token}/qr.png", "/buy/ebook", "/receipt/0", "/api/v1/receipts/0"]
    for path in [*places, f"/pay/{order.token}/poll"]:
        answer = ask(public, path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1"), path
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    public.clock.go(1)
    assert ask(public, places[0]).status_code == 200


def test_the_page_says_so_in_the_buyers_language(public: World) -> None:
    crowded(public)
    answer = ask(public, "/buy/ebook", Accept=BROWSER, Accept_Language="en")
    assert "Too many tries" in answer.text
    assert "Please try again in 1 second." in answer.text
    assert "请在 1 秒后再试" in ask(public, "/buy/ebook?lang=zh-CN", Accept=BROWSER).text


def test_another_buyer_behind_the_same_proxy_does_not_notice(public: World) -> None:
    crowded(public)
    assert ask(public, f"/pay/{opened(public).token}", "1.2.3.5").status_code == 200


def test_an_address_that_the_buyer_has_made_up_does_not_help(public: World) -> None:
    crowded(public)
    assert ask(public, "/receipt/0", f"9.9.9.9, {BUYER}").status_code == 429


def test_polls_take_little(public: World) -> None:
    order = opened(public)
    answers = [ask(public, f"/pay/{order.token}/poll?rev=x").status_code for _ in range(FULL // POLL // 10)]
    assert set(answers) == {200}
    assert ask(public, f"/pay/{order.token}").status_code == 200


def test_shops_and_phones_do_not_stand_at_this_gate(public: World) -> None:
    crowded(public)
    assert ask(public, "/appHeart").status_code == 200
    assert ask(public, "/static/checkout.js").status_code == 200

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import pytest

from checkout import ids
from checkout import store as stores
from checkout.cli import glance
from checkout.cli.output import width
from checkout.interfaces import Store
from checkout.model.accounts import Method
from checkout.settings import Settings
from checkout.store import open_store
from tests.cli.conftest import Console
from tests.shop import Shop
from tests.terminal import terminal


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = open_store(database)
    yield opened
    opened.close()


@pytest.fixture
def shop(store: Store) -> Shop:
    """One order paid, one waiting, one closed; a phone that is online and one that is not."""
    shop = Shop(store, now=ids.now() - 100).fill()
    shop.add_account(id="ali-main", method=Method.ALIPAY)
    shop.add_device("书桌上的手机", ["ali-main"])
    with store.transaction() as db:
        stores.devices.beat(db, "phone", shop.now)
        stores.devices.beat(db, "书桌上的手机", shop.now - 9000)
    for number, price, title in (("N1", 990, "会员一年"), ("N2", 1234567, "Ebook"), ("N3", 500, "x" * 90)):
        shop.open(number, price=price, title=title)
        shop.go(1)
    shop.push(990)
    shop.close(shop.open("N4", price=700))
    return shop


@pytest.fixture
def environ(database: str, shop: Shop) -> dict[str, str]:
    return {"CHECKOUT_DATABASE": database, "CHECKOUT_LANGUAGE": "en"}


# In a real terminal


def test_it_shows_how_things_stand_and_q_puts_the_terminal_back(environ: dict[str, str]) -> None:
    with terminal("top", "--every", "1", environ=environ) as term:
        term.wait_until(lambda: len(term.screen) > 5)
        assert not term.is_as_before()
        text = "\n".join(term.screen)
        assert "Checkout" in term.screen[0]
        assert "q quits" in term.screen[0]
        assert "phone online" in text
        assert "书桌上的手机 offline 2 h" in text
        assert "12345.67" in text
        assert text.count("paid ") >= 1
        assert "closed" in text
        term.type("q")
        assert term.end() == 0
        assert term.is_as_before()
        assert term.everything.endswith("\x1b[?25h\x1b[?1049l")


def test_what_comes_is_shown_without_being_asked_for(environ: dict[str, str], shop: Shop) -> None:
    with terminal("top", "--every", "1", environ=environ) as term:
        term.wait_until(lambda: bool(term.screen))
        assert "N-NEW" not in "\n".join(term.screen)
        shop.now = ids.now()
        shop.open("N-NEW", price=300)
        term.wait_until(lambda: "N-NEW" in "\n".join(term.screen))
        term.type("\x1b")
        assert term.end() == 0


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_puts_the_terminal_back(environ: dict[str, str], end: signal.Signals) -> None:
    with terminal("top", environ=environ) as term:
        term.wait_until(lambda: bool(term.screen))
        os.kill(term.process.pid, end)
        term.end()
        assert term.is_as_before()
        assert term.everything.endswith("\x1b[?25h\x1b[?1049l")


def test_a_terminal_that_changes_its_size_gets_pictures_that_fit(environ: dict[str, str]) -> None:
    with terminal("top", "--every", "1", environ=environ, columns=100, rows=30) as term:
        term.wait_until(lambda: any("ali-main" in line or "wx-main" in line for line in term.screen))
        term.resize(34, 8)
        term.wait_until(lambda: bool(term.screen) and all(width(line) <= 34 for line in term.screen))
        assert len(term.screen) <= 8
        term.type("q")
        assert term.end() == 0


# On paper


def test_without_a_terminal_it_prints_one_picture(co: Console, environ: dict[str, str]) -> None:
    co.environ.update(environ)
    result = co("top")
    assert result.code == 0
    assert "\x1b" not in result.out
    assert "12345.67" in result.out
    assert "q quits" not in result.out
    assert co("top", "--once").out.splitlines()[1:] == result.out.splitlines()[1:]


def test_json_tells_the_same(co: Console, environ: dict[str, str], shop: Shop) -> None:
    co.environ.update(environ)
    co.clock.now = shop.now
    told = co.json("top")
    assert [one["number"] for one in told["orders"]] == ["N4", "N3", "N2", "N1"]
    assert told["paid_today"] == {"orders": 1, "amount": "9.90"}
    assert {one["name"]: one["state"] for one in told["phones"]} == {"phone": "online", "书桌上的手机": "offline"}
    assert told["queue"] == {"waiting": 1, "struggling": 0, "next_try_at": shop.now}
    assert [text.split()[0] for text in told["alerts"]] == ["Phone"]


def test_an_empty_database_says_what_to_do(co: Console) -> None:
    out = co("top").out
    assert "none: checkout device add" in out
    assert "No orders yet." in out


@pytest.mark.parametrize("language", ["zh-CN", "zh-TW", "en"])
def test_whatever_the_shops_language_it_is_english_as_the_rest_of_the_command_line(
    co: Console, environ: dict[str, str], shop: Shop, language: str
) -> None:
    co.environ.update(environ | {"CHECKOUT_LANGUAGE": language})
    co.clock.now = shop.now
    out = co("top").out.replace("书桌上的手机", "desk").replace("会员一年", "member")
    assert "Phone desk is offline" in out
    assert not re.search("[\u4e00-\u9fff]", out)


@pytest.mark.parametrize("columns", [10, 20, 34, 35, 50, 80, 200])
def test_no_line_is_wider_than_the_screen_and_none_is_too_many(shop: Shop, settings: Settings, columns: int) -> None:
    with shop.store.read() as db:
        seen = glance.look(db, settings, None, shop.now)
    for rows in (1, 5, 24):
        found = glance.lines(seen, columns, rows, colors=False, hint=True)
        assert len(found) <= rows
        assert all(width(line) <= columns for line in found), found


def test_what_strangers_wrote_cannot_steer_the_terminal(shop: Shop, settings: Settings) -> None:
    with shop.store.transaction() as db:
        db.run("UPDATE orders SET number = number || :number, title = :title", number="\x1b[2Jb\u202e", title="\nx")
        db.run("UPDATE devices SET name = :name", name="\x1b]0;owned\x07")
    with shop.store.read() as db:
        seen = glance.look(db, settings, None, shop.now)
    text = "\n".join(glance.lines(seen, 200, 24, colors=False))
    assert all(char.isprintable() or char == "\n" for char in text)
    assert text.count("\n") <= 12

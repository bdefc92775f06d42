from __future__ import annotations

import re

import pytest

from checkout import store as stores
from checkout.store import open_store
from tests.cli.conftest import Console


def test_a_new_merchant_gets_the_next_number_and_a_key_of_256_bits(co: Console) -> None:
    first, second = co.json("merchant", "add", "Shop"), co.json("merchant", "add", "另一家")
    assert (first["id"], second["id"]) == (1001, 1002)
    assert re.fullmatch("[0-9a-f]{64}", first["key"])
    assert first["key"] != second["key"]
    assert second["name"] == "另一家"


def test_a_merchant_is_strict_until_it_is_told_otherwise(co: Console) -> None:
    added = co.json("merchant", "add", "Shop")
    assert (added["mode"], added["guard_param"], added["reuse"], added["allow_hosts"]) == ("strict", False, True, [])


def test_json_is_the_only_thing_on_stdout_and_hints_are_left_out(co: Console) -> None:
    result = co("merchant", "add", "Shop", "--notify-url", "https://shop.example/n", "--json")
    assert result.json["notify_url"] == "https://shop.example/n"
    assert result.err == ""


def test_people_get_the_next_step(co: Console) -> None:
    assert "Next: checkout account add" in co("merchant", "add", "Shop").err
    account = co("account", "add", "wx-main", "--method", "wechat", "--code", "wxp://f2f0abcdefghijklmnopqrstuvwxyz")
    assert "Next: checkout device add" in account.err
    assert "Next: checkout doctor" in co("device", "add", "phone-1").err
    assert "Next: checkout doctor" in co("merchant", "add", "Second shop").err


def test_every_option_can_be_set_later(shop: Console) -> None:
    options = ("--name", "Laden", "--notify-url", "https://a.example/n", "--return-url", "https://a.example/r")
    more = ("--mode", "compat", "--guard-param", "--no-reuse", "--allow-host", "B.example", "--allow-host", "c.example")
    changed = shop.json("merchant", "set", "1001", *options, *more)
    assert changed["name"] == "Laden"
    assert (changed["notify_url"], changed["return_url"]) == ("https://a.example/n", "https://a.example/r")
    assert (changed["mode"], changed["guard_param"], changed["reuse"]) == ("compat", True, False)
    assert changed["allow_hosts"] == ["b.example", "c.example"]
    assert shop.json("merchant", "show", "1001") == changed
    back = shop.json("merchant", "set", "1001", "--no-guard-param", "--reuse", "--remove-host", "b.example")
    assert (back["guard_param"], back["reuse"], back["allow_hosts"]) == (False, True, ["c.example"])
    assert back["mode"] == "compat"


def test_an_address_is_removed_by_an_empty_one(shop: Console) -> None:
    assert shop.json("merchant", "set", "1001", "--notify-url", "")["notify_url"] == ""


def test_compat_comes_with_its_standing_warning(shop: Console) -> None:
    for command in (("set", "1001", "--mode", "compat"), ("show", "1001")):
        assert "compat mode" in shop("merchant", *command).err


def test_a_merchant_can_be_disabled_and_enabled(shop: Console) -> None:
    assert shop.json("merchant", "set", "1001", "--disable")["disabled_at"] == shop.clock.now
    assert shop.json("merchant", "set", "1001", "--enable")["disabled_at"] is None


@pytest.mark.parametrize(
    "url",
    ["ftp://x.example/", "http://127.0.0.1/n", "http://10.0.0.1/", "https://u:p@x.example/", "javascript:alert(1)",
     "https://x.example:8443/", "https://x.example/\r\n", "https://x.example/ä"],
)  # fmt: skip
def test_an_address_that_may_not_be_called_is_refused(shop: Console, url: str) -> None:
    assert shop.refused("merchant", "set", "1001", "--notify-url", url).startswith("The notify URL may not be used")
    assert shop.json("merchant", "show", "1001")["notify_url"] == "https://shop.example/notify"


def test_a_private_address_may_be_called_where_the_owner_allows_it(shop: Console) -> None:
    assert "CHECKOUT_ALLOW_PRIVATE" in shop.refused("merchant", "set", "1001", "--notify-url", "http://127.0.0.1/")
    shop.environ["CHECKOUT_ALLOW_PRIVATE"] = "1"
    assert shop.json("merchant", "set", "1001", "--notify-url", "http://127.0.0.1:8001/")["notify_url"]


@pytest.mark.parametrize(
    "host", ["https://x.example", "x.example:80", "x.example/a", "*.x.example", "x example", "", "ü.example"]
)
def test_a_host_that_is_none_is_refused(shop: Console, host: str) -> None:
    assert "A host looks like" in shop.refused("merchant", "set", "1001", "--allow-host", host)


@pytest.mark.parametrize("name", ["", "  ", "a\tb", "x" * 65])
def test_a_bad_name_is_refused(co: Console, name: str) -> None:
    assert "1 to 64 printable" in co.refused("merchant", "add", name)


def test_a_rotated_key_stays_valid_for_a_day(shop: Console) -> None:
    old = shop.json("merchant", "show", "1001")["key"]
    new = shop.json("merchant", "rotate-key", "1001")
    assert new["key"] != old
    assert new["previous_key_until"] == shop.clock.now + 86_400
    store = open_store(shop.database)
    with store.read() as db:
        (merchant,) = stores.merchants.all_of(db)
    store.close()
    assert merchant.keys(shop.clock.now + 86_399) == (new["key"], old)
    assert merchant.keys(shop.clock.now + 86_400) == (new["key"],)


def test_rotating_twice_in_a_day_says_that_the_first_key_is_void(shop: Console) -> None:
    shop("merchant", "rotate-key", "1001")
    assert "void now" in shop("merchant", "rotate-key", "1001").err


def test_an_unknown_merchant_is_refused(co: Console) -> None:
    for command in (("show", "7"), ("rotate-key", "7"), ("set", "7", "--name", "x")):
        assert co.refused("merchant", *command) == "There is no merchant 7: checkout merchant list."


def test_the_list_for_people_shows_no_key(shop: Console) -> None:
    (listed,) = shop.json("merchant", "list")
    assert listed["key"] not in shop("merchant", "list").out


@pytest.mark.parametrize(
    "arguments",
    [("merchant", "add"), ("merchant", "set", "x"), ("merchant", "add", "a", "--mode", "loose"), ("merchant", "fly"),
     ("fly",), ("merchant", "add", "a", "--what", "b")],
)  # fmt: skip
def test_wrong_usage_exits_with_2(co: Console, arguments: tuple[str, ...]) -> None:
    result = co(*arguments)
    assert result.code == 2
    assert result.out == ""

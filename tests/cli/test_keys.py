from __future__ import annotations

import re

from tests.cli.conftest import Console


def test_a_key_is_shown_once_and_listed_without_it(co: Console) -> None:
    co.json("merchant", "add", "Shop")
    made = co.json("key", "add", "1001", "--name", "shop server")
    assert re.fullmatch("ck_live_[0-9a-f]{64}", made["key"])
    assert made["scopes"] == ["orders:read", "orders:write", "products:read"]
    (listed,) = co.json("key", "list")
    assert listed == {name: one for name, one in made.items() if name != "key"}
    assert listed["used_at"] is None
    assert made["key"] not in co("key", "list").out + co("key", "list", "1001").out
    assert made["key"].startswith(listed["shown"].rstrip("…"))


def test_scopes_are_named_one_by_one(co: Console) -> None:
    co.json("merchant", "add", "Shop")
    made = co.json("key", "add", "1001", "--scope", "refunds:write", "--scope", "orders:read")
    assert made["scopes"] == ["orders:read", "refunds:write"]
    assert co("key", "add", "1001", "--scope", "everything").code == 2


def test_a_revoked_key_stays_in_the_list_and_is_revoked_once(co: Console) -> None:
    co.json("merchant", "add", "Shop")
    key_id = co.json("key", "add", "1001")["id"]
    assert co.json("key", "revoke", key_id)["revoked_at"] == co.clock()
    assert co.json("key", "list", "1001")[0]["revoked_at"] == co.clock()
    assert "checkout key list" in co.refused("key", "revoke", key_id)


def test_people_are_told_to_keep_the_key(co: Console) -> None:
    co.json("merchant", "add", "Shop")
    result = co("key", "add", "1001")
    assert "ck_live_" in result.out
    assert "not stored" in result.err


def test_a_merchant_that_is_not_there_has_no_keys(co: Console) -> None:
    assert "checkout merchant list" in co.refused("key", "add", "1001")
    assert co.refused("key", "list", "1001")
    assert co.refused("key", "revoke", "key_x")


def test_a_name_is_one_printable_line(co: Console) -> None:
    co.json("merchant", "add", "Shop")
    assert "64 printable" in co.refused("key", "add", "1001", "--name", "a\nb")

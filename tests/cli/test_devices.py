from __future__ import annotations

import re

from checkout import qr
from checkout import store as stores
from checkout.store import open_store
from tests.cli.conftest import Console


def test_a_new_phone_gets_a_key_and_its_pairing_text(shop: Console) -> None:
    shop.environ["CHECKOUT_BASE_URL"] = "https://pay.example.com:8443"
    added = shop.json("device", "add", "second")
    assert re.fullmatch("[0-9a-f]{64}", added["key"])
    assert re.fullmatch("[0-9a-f]{32}", added["token"])
    assert added["pairing"] == f"pay.example.com:8443/{added['key']}"
    assert added["kind"] == "vmq"


def test_people_get_the_pairing_text_and_its_qr_code(shop: Console) -> None:
    shop.environ["CHECKOUT_BASE_URL"] = "https://pay.example.com"
    shop.json("device", "add", "second")
    result = shop("device", "show", "second")
    pairing = shop.json("device", "show", "second")["pairing"]
    assert pairing in result.out
    assert qr.terminal(pairing) in result.out
    assert "cannot reach" not in result.err


def test_a_loopback_address_cannot_be_paired(shop: Console) -> None:
    assert "A phone cannot reach http://127.0.0.1:8000" in shop("device", "add", "second").err


def test_a_phone_watches_every_account_without_one_or_those_that_are_named(shop: Console) -> None:
    (phone,) = shop.json("device", "list")
    assert phone["accounts"] == ["ali-main", "wx-main"]
    assert shop.json("device", "add", "second")["accounts"] == []
    shop("account", "add", "wx-2", "--method", "wechat", "--code", "wxp://second")
    assert shop.json("device", "add", "third")["accounts"] == ["wx-2"]
    assert shop.json("device", "add", "fourth", "--account", "wx-main", "--account", "wx-2")["accounts"] == [
        "wx-2",
        "wx-main",
    ]


def test_a_phone_may_watch_further_accounts_later(shop: Console) -> None:
    shop("account", "add", "wx-2", "--method", "wechat", "--code", "wxp://second")
    assert shop.json("device", "watch", "phone", "wx-2")["accounts"] == ["ali-main", "wx-2", "wx-main"]
    assert "There is no account x" in shop.refused("device", "watch", "phone", "x")


def test_an_unknown_account_is_refused_and_nothing_is_kept(shop: Console) -> None:
    assert "There is no account x" in shop.refused("device", "add", "second", "--account", "x")
    assert len(shop.json("device", "list")) == 1


def test_the_list_says_who_is_online(shop: Console) -> None:
    assert [one["state"] for one in shop.json("device", "list")] == ["never"]
    store = open_store(shop.database)
    with store.transaction() as db:
        stores.devices.beat(db, stores.devices.all_of(db)[0].id, shop.clock.now)
    store.close()
    shop.clock.go(179)
    assert [one["state"] for one in shop.json("device", "list")] == ["online"]
    shop.clock.go(1)
    assert [one["state"] for one in shop.json("device", "list")] == ["offline"]


def test_a_revoked_phone_stays_in_the_list_and_frees_its_name(shop: Console) -> None:
    old = shop.json("device", "revoke", "phone")
    assert (old["state"], old["revoked_at"]) == ("revoked", shop.clock.now)
    assert "no working device phone" in shop.refused("device", "show", "phone")
    assert shop.json("device", "show", old["id"])["state"] == "revoked"
    new = shop.json("device", "add", "phone")
    assert new["accounts"] == ["ali-main", "wx-main"]
    assert shop.json("device", "show", "phone")["id"] == new["id"]
    assert "gets no new key" in shop.refused("device", "rotate-key", old["id"])


def test_a_name_is_taken_by_one_working_phone(shop: Console) -> None:
    assert "There is a device phone already" in shop.refused("device", "add", "phone")


def test_a_rotated_key_pairs_anew_while_the_old_one_is_valid_for_a_day(shop: Console) -> None:
    old = shop.json("device", "show", "phone")
    new = shop.json("device", "rotate-key", "phone")
    assert new["key"] != old["key"]
    assert new["pairing"].endswith(new["key"])
    store = open_store(shop.database)
    with store.read() as db:
        (device,) = stores.devices.all_of(db)
    store.close()
    assert device.keys(shop.clock.now + 86_399) == (new["key"], old["key"])
    assert device.keys(shop.clock.now + 86_400) == (new["key"],)


def test_other_kinds_are_paired_by_an_address(shop: Console) -> None:
    sms = shop.json("device", "add", "sms", "--kind", "smsforwarder")
    generic = shop.json("device", "add", "script", "--kind", "generic")
    assert sms["pairing"] == f"http://127.0.0.1:8000/monitor/smsforwarder/{sms['token']}"
    assert generic["pairing"] == f"http://127.0.0.1:8000/monitor/push/{generic['token']}"
    assert shop("device", "add", "x", "--kind", "pager").code == 2

from __future__ import annotations

from pathlib import Path

import pytest

from checkout import qr
from tests.cli.conftest import Console


def test_an_account_is_added_with_its_defaults(co: Console) -> None:
    added = co.json("account", "add", "wx-main", "--method", "wechat", "--code", "wxp://f2f0abc")
    assert (added["id"], added["method"], added["code"]) == ("wx-main", "wechat", "wxp://f2f0abc")
    assert (added["offset"], added["max_offset"], added["offline"]) == ("up", "1.00", "warn")
    assert (added["channel"], added["weight"], added["daily_cap"]) == ("personal", 1, None)


def test_the_code_is_read_from_a_picture(co: Console) -> None:
    picture = co.folder / "code.png"
    picture.write_bytes(qr.png("wxp://f2f0frompicture"))
    added = co.json("account", "add", "wx", "--method", "wechat", "--code", str(picture))
    assert added["code"] == "wxp://f2f0frompicture"


def test_a_picture_without_a_code_is_refused(co: Console) -> None:
    picture = co.folder / "code.png"
    picture.write_bytes(b"no picture")
    assert "not a picture" in co.refused("account", "add", "wx", "--method", "wechat", "--code", str(picture))


def test_a_picture_that_is_missing_is_not_taken_for_a_code(co: Console) -> None:
    assert "There is no picture" in co.refused("account", "add", "wx", "--method", "wechat", "--code", "nowhere.png")


@pytest.mark.parametrize(
    ("method", "code", "whose"),
    [("wechat", "https://qr.alipay.com/fkx1", "Alipay"), ("wechat", "HTTPS://QR.ALIPAY.COM/FKX1", "Alipay"),
     ("alipay", "wxp://f2f0abc", "WeChat"), ("alipay", "weixin://wxpay/bizpayurl?pr=1", "WeChat")],
)  # fmt: skip
def test_the_code_of_the_other_method_is_refused(co: Console, method: str, code: str, whose: str) -> None:
    assert f"the code of {whose}" in co.refused("account", "add", "a", "--method", method, "--code", code)
    assert co.json("account", "list") == []


@pytest.mark.parametrize(
    ("code", "doubt"), [("https://u.wechat.com/abc", "contact card"), ("https://example.com/pay", "begins with")]
)
def test_a_code_of_unknown_form_is_taken_with_a_warning(co: Console, code: str, doubt: str) -> None:
    result = co("account", "add", "wx", "--method", "wechat", "--code", code, "--json")
    assert result.json["code"] == code
    assert doubt in result.err


def test_two_accounts_with_one_code_are_doubted(shop: Console) -> None:
    result = shop("account", "add", "wx-2", "--method", "wechat", "--code", "wxp://f2f0wechat")
    assert result.code == 0
    assert "wx-main has the same code" in result.err


@pytest.mark.parametrize("code", ["", "a\nb", "x" * 1025])
def test_what_is_no_code_is_refused(co: Console, code: str) -> None:
    assert "code" in co.refused("account", "add", "wx", "--method", "wechat", "--code", code)


def test_a_personal_account_needs_a_code(co: Console) -> None:
    assert "needs its QR code" in co.refused("account", "add", "wx", "--method", "wechat")


def test_an_account_at_an_official_gateway_names_a_section_of_its_own_method(co: Console) -> None:
    arguments = ("account", "add", "ali", "--method", "alipay", "--channel", "shop")
    assert "There is no alipay channel shop; known: personal." in co.refused(*arguments)
    Path(co.folder / "checkout.toml").write_text('[channels.shop]\nkind = "alipay"\n')
    assert "There is no wechat channel shop" in co.refused(*arguments[:4], "wechat", *arguments[5:])
    assert co.json(*arguments)["channel"] == "shop"
    assert co.json("account", "disable", "ali")["disabled_at"] is not None
    assert co.json("account", "enable", "ali")["disabled_at"] is None


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 65])
def test_a_bad_name_is_refused(co: Console, name: str) -> None:
    assert "An account's name" in co.refused("account", "add", name, "--method", "wechat", "--code", "wxp://1")


def test_a_name_is_taken_once(shop: Console) -> None:
    arguments = ("account", "add", "wx-main", "--method", "wechat", "--code", "wxp://other")
    assert "There is an account wx-main already" in shop.refused(*arguments)


def test_everything_but_the_method_can_be_changed(shop: Console) -> None:
    options = ("--code", "wxp://new", "--offset", "nearest", "--max-offset", "3", "--offline", "sell")
    changed = shop.json("account", "set", "wx-main", *options, "--weight", "5", "--daily-cap", "5000.00")
    assert (changed["code"], changed["offset"], changed["max_offset"]) == ("wxp://new", "nearest", "3.00")
    assert (changed["offline"], changed["weight"], changed["daily_cap"]) == ("sell", 5, "5000.00")
    assert shop.json("account", "set", "wx-main", "--daily-cap", "0", "--max-offset", "0")["daily_cap"] is None
    assert {one["id"]: one["max_offset"] for one in shop.json("account", "list")} == {
        "wx-main": "0.00",
        "ali-main": "1.00",
    }


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [("--max-offset", "100.01", "largest offset"), ("--max-offset", "1e2", "look like 9.90"),
     ("--weight", "0", "weight"), ("--daily-cap", "-1", "look like 9.90")],
)  # fmt: skip
def test_a_bad_value_is_refused(shop: Console, option: str, value: str, sentence: str) -> None:
    assert sentence in shop.refused("account", "set", "wx-main", f"{option}={value}")


def test_an_account_is_disabled_and_enabled(shop: Console) -> None:
    assert shop.json("account", "disable", "wx-main")["disabled_at"] == shop.clock.now
    assert shop.json("account", "enable", "wx-main")["disabled_at"] is None


def test_codes_with_an_amount_are_added_replaced_listed_and_removed(shop: Console) -> None:
    shop("code", "add", "wx-main", "--price", "9.9", "--code", "wxp://f2f1nine")
    added = shop.json("code", "add", "wx-main", "--price", "9.90", "--code", "wxp://f2f1other")
    assert (added["account"], added["price"], added["code"]) == ("wx-main", "9.90", "wxp://f2f1other")
    assert [one["code"] for one in shop.json("code", "list")] == ["wxp://f2f1other"]
    assert shop.json("code", "list", "ali-main") == []
    assert shop.json("code", "remove", "wx-main", "--price", "9.90")["removed"] is True
    assert "has no code for 9.90" in shop.refused("code", "remove", "wx-main", "--price", "9.90")


def test_a_code_with_an_amount_is_judged_too(shop: Console) -> None:
    arguments = ("code", "add", "wx-main", "--price", "9.90", "--code", "https://qr.alipay.com/fkx9")
    assert "the code of Alipay" in shop.refused(*arguments)
    assert "There is no account x" in shop.refused("code", "add", "x", "--price", "9.90", "--code", "wxp://1")

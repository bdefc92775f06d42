"""epay version 1 on the wire, by a shop written from the published documents."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from msgspec.structs import replace

from checkout import store as stores
from checkout import switching
from checkout.model.merchants import Mode
from checkout.protocols import epay
from checkout.protocols._epay_request import is_signed
from tests.clients.epay import Shop, sign, text_to_sign
from tests.clients.forms import get, members, post, post_multipart, raw_path, send, token_of
from tests.protocols.support import OTHER_KEY, deliver, return_of, rows, vectors
from tests.world import MERCHANT_KEY, START, World, account, answer, device, merchant


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(raw_path(world.app), "1001", MERCHANT_KEY)


@pytest.mark.parametrize("vector", vectors("epay"), ids=lambda one: one["name"])
def test_published_signatures(vector: dict[str, Any]) -> None:
    params, key, expected = vector["params"], vector["key"], vector["expected"]
    assert (sign(params, key) == expected) is vector["verifies"]
    assert is_signed({**params, "sign": expected, "sign_type": "MD5"}, [key]) is vector["verifies"]


def test_the_whole_road_from_a_server(world: World, shop: Shop) -> None:
    made = shop.create("20160806151343349", "1.00", "wxpay", param="user-42")
    assert made["money"] == "1.00"
    assert token_of(made["payurl"]) == made["trade_no"]
    waiting = shop.order("20160806151343349")
    assert (waiting["status"], waiting["money"], waiting["param"], waiting["type"]) == (0, "1.00", "user-42", "wxpay")
    world.push("1.0")
    deliver(world, shop.receive)
    (told,) = shop.told
    assert told["trade_no"] == made["trade_no"]
    assert (told["out_trade_no"], told["money"], told["type"]) == ("20160806151343349", "1.00", "wxpay")
    assert (told["name"], told["param"]) == ("VIP会员", "user-42")
    back = urlsplit(return_of(world, made["trade_no"]))
    assert f"{back.scheme}://{back.netloc}{back.path}" == shop.return_url
    assert shop.verified(back.query) == told
    assert shop.order("20160806151343349")["trade_status"] == "TRADE_SUCCESS"
    deliver(world, shop.receive)
    assert len(shop.told) == 1


@pytest.mark.parametrize("by", ["GET", "POST"])
def test_the_whole_road_from_a_browser(world: World, shop: Shop, by: str) -> None:
    token = token_of(shop.submit(shop.values("N1", "9.9"), by))
    assert world.order(token).shown_at is None
    world.push("9.9", kind="2")
    deliver(world, shop.receive)
    assert [(one["out_trade_no"], one["money"], one["type"]) for one in shop.told] == [("N1", "9.90", "alipay")]


@pytest.mark.parametrize("folder", ["/", "//", "/sub/dir/", "/xpay/epay/", "/epay/", "//epay//", "/api/pay/", "/中文/"])
def test_any_folder_and_doubled_slashes_never_redirect(world: World, shop: Shop, folder: str) -> None:
    shop.folder = folder
    shop.submit(shop.values("A", "1"))
    shop.create("B", "1")
    assert shop.order("B")["status"] == 0


@pytest.mark.parametrize("path", ["/xsubmit.php", "/submit.php/x", "/submit_php", "/mapi.php5", "/api.phpx"])
def test_other_names_are_no_routes_of_epay(shop: Shop, path: str) -> None:
    assert get(shop.wire, path, shop.values("A", "1")).status == 404


@pytest.mark.parametrize("path", ["/createOrder", "/getOrder", "/appHeart", "/appPush", "/api/query/x"])
def test_other_routes_are_not_swallowed(shop: Shop, path: str) -> None:
    assert "code" in (found := members(get(shop.wire, path))) or "status" in found


def test_multipart_and_json_are_read(shop: Shop) -> None:
    assert members(post_multipart(shop.wire, "/mapi.php", shop.values("A", "1")))["code"] == 1
    body = json.dumps(shop.values("B", "1")).encode()
    assert members(send(shop.wire, "/mapi.php", body, "application/json"))["code"] == 1


def test_unknown_parameters_are_signed_and_otherwise_ignored(world: World, shop: Shop) -> None:
    values = shop.values("A", "1", sitename="我的商店", clientip="1.2.3.4", device="mobile", zzz="0")
    assert members(post(shop.wire, "/mapi.php", values))["code"] == 1
    assert shop.refusal("mapi.php", {**shop.values("B", "1"), "zzz": "0"}) == -3


def test_zero_is_not_empty(shop: Shop) -> None:
    values = shop.values("A", "1", param="0")
    assert "param=0" in text_to_sign(values)
    assert members(post(shop.wire, "/mapi.php", values))["code"] == 1
    assert shop.order("A")["param"] == "0"


def test_shops_that_sign_empty_values_are_understood(shop: Shop) -> None:
    values = {name: value for name, value in shop.values("A", "1").items() if name not in ("sign", "sign_type")}
    values["param"] = ""
    text = "&".join(f"{name}={values[name]}" for name in sorted(values))
    values["sign"] = hashlib.md5((text + MERCHANT_KEY).encode()).hexdigest()
    assert members(post(shop.wire, "/mapi.php", values))["code"] == 1


def test_the_form_with_an_ampersand_before_the_key_is_not_epay(world: World, shop: Shop) -> None:
    values = shop.values("A", "1")
    values["sign"] = hashlib.md5(f"{text_to_sign(values)}&key={MERCHANT_KEY}".encode()).hexdigest()
    assert shop.refusal("mapi.php", values) == -3
    assert rows(world) == 0


@pytest.mark.parametrize("kind", ["MD5", "md5", "Md5", ""])
def test_sign_type_in_any_case_or_missing(shop: Shop, kind: str) -> None:
    values = {**shop.values("A", "1"), "sign_type": kind}
    assert members(post(shop.wire, "/mapi.php", values))["code"] == 1


def test_a_sign_in_capitals_holds_and_another_sign_type_does_not(shop: Shop) -> None:
    values = shop.values("A", "1")
    assert members(post(shop.wire, "/mapi.php", {**values, "sign": values["sign"].upper()}))["code"] == 1
    assert shop.refusal("mapi.php", {**shop.values("B", "1"), "sign_type": "RSA"}) == -3


@pytest.mark.parametrize("kind", ["", "qqpay", "bank", "missing"])
def test_without_a_known_type_the_buyer_chooses(world: World, shop: Shop, kind: str) -> None:
    values = shop.values("A", "1", kind)
    if kind == "missing":
        values = shop.signed(
            {name: value for name, value in values.items() if name not in ("type", "sign", "sign_type")}
        )
    token = token_of(shop.submit(values))
    assert (world.order(token).method, world.order(token).really_price) == ("", None)
    assert shop.order("A")["type"] == ""
    switching.choose_method(world.store, token, "wechat", world.parts.rules, world.clock())
    assert token_of(shop.submit(values)) == token
    world.push("1.0")
    deliver(world, shop.receive)
    assert [one["type"] for one in shop.told] == ["wxpay"]
    assert shop.order("A")["type"] == "wxpay"


def test_the_callback_has_the_asked_amount_and_the_page_the_payers(world: World, shop: Shop) -> None:
    shop.create("A", "1")
    second = shop.create("B", "1")
    assert second["money"] == "1.00"
    assert world.order(second["trade_no"]).really_price == 101
    world.push("1.01", kind="2")
    deliver(world, shop.receive)
    assert [(one["out_trade_no"], one["money"]) for one in shop.told] == [("B", "1.00")]


def test_param_is_in_the_callback_only_when_it_was_given(world: World, shop: Shop) -> None:
    shop.create("A", "1", param="")
    world.push("1.0", kind="2")
    deliver(world, shop.receive)
    assert "param" not in shop.told[0]


def test_the_name_is_cut_at_127_bytes_and_never_inside_a_character(world: World, shop: Shop) -> None:
    made = shop.create("A", "1", name="会" * 100)
    assert world.order(made["trade_no"]).title == "会" * 42
    made = shop.create("B", "1", name="x" * 200)
    assert world.order(made["trade_no"]).title == "x" * 127
    world.push("1.0", kind="2")
    deliver(world, shop.receive)
    assert shop.told[0]["name"] == "会" * 42


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("https://shop.example/r", "https://shop.example/r?pid="),
        ("https://shop.example/r?a=1", "https://shop.example/r?a=1&pid="),
        ("https://shop.example/#/order/A", "https://shop.example/#/order/A?pid="),
        ("https://shop.example/?a=1#/order/A", "https://shop.example/?a=1#/order/A&pid="),
    ],
)
def test_where_the_return_parameters_go(world: World, shop: Shop, url: str, start: str) -> None:
    shop.return_url = url
    made = shop.create("A", "1")
    world.push("1.0", kind="2")
    found = return_of(world, made["trade_no"])
    assert found.startswith(start)
    assert shop.verified(found[len(start) - len("pid=") :]) is not None


@pytest.mark.parametrize("mode", list(Mode))
def test_the_return_is_signed_in_both_modes(world: World, shop: Shop, mode: Mode) -> None:
    world.change_merchant(mode=mode)
    made = shop.create("A", "1")
    world.push("1.0", kind="2")
    assert shop.verified(urlsplit(return_of(world, made["trade_no"])).query) is not None


def test_addresses_with_a_query_or_a_fragment_are_called_right(world: World, shop: Shop) -> None:
    shop.notify_url = "https://shop.example/n?shop=7#top"
    shop.create("A", "1")
    world.push("1.0", kind="2")
    world.work()
    (sent,) = world.outside.sent
    assert sent.url.startswith("https://shop.example/n?shop=7&pid=1001&")
    assert "#" not in sent.url
    values = dict(parse_qsl(urlsplit(sent.url).query))
    del values["shop"]
    assert values["sign"] == sign(values, MERCHANT_KEY)


def test_without_a_return_address_the_merchants_own_is_used(world: World, shop: Shop) -> None:
    shop.return_url = ""
    made = shop.create("A", "1")
    world.push("1.0", kind="2")
    assert return_of(world, made["trade_no"]).startswith("https://shop.example/return?pid=")


def test_a_reload_gives_the_same_order_and_other_details_are_refused(world: World, shop: Shop) -> None:
    first = shop.create("A", "1")
    assert shop.create("A", "1")["trade_no"] == first["trade_no"]
    assert shop.refusal("mapi.php", shop.values("A", "2")) == -1
    assert shop.refusal("mapi.php", shop.values("A", "1", param="x")) == -1
    world.push("1.0", kind="2")
    assert shop.refusal("mapi.php", shop.values("A", "1")) == -1
    assert shop.refusal("submit.php", shop.values("A", "1")) == 0
    assert rows(world) == 1


def test_an_expired_number_may_be_asked_for_again(world: World, shop: Shop) -> None:
    first = shop.create("A", "1")
    world.clock.go(300)
    second = shop.create("A", "1")
    assert second["trade_no"] != first["trade_no"]
    assert shop.order("A")["trade_no"] == second["trade_no"]


def test_when_nothing_can_receive_the_money_the_code_is_minus_2(world: World, shop: Shop) -> None:
    changes: list[dict[str, Any]] = [{"max_offset": 0}, {"offline": "block"}, {"code": ""}]
    shop.create("first", "1", "wxpay")
    for number, change in enumerate(changes):
        with world.store.transaction() as db:
            stores.accounts.update(db, account(**change))
        assert shop.refusal("mapi.php", shop.values(f"N{number}", "1", "wxpay")) == -2
        assert shop.refusal("submit.php", shop.values(f"N{number}", "1", "wxpay")) == 0
    assert rows(world) == 1


def test_a_disabled_merchant_makes_no_orders_and_still_asks(world: World, shop: Shop) -> None:
    shop.create("A", "1")
    world.change_merchant(disabled_at=START)
    assert shop.refusal("mapi.php", shop.values("B", "1")) == -1
    assert shop.order("A")["status"] == 0


def test_a_rotated_key_is_valid_for_a_day(world: World, shop: Shop) -> None:
    world.change_merchant(key=OTHER_KEY, previous_key=MERCHANT_KEY, previous_key_until=START + 86400)
    shop.create("A", "1")
    assert shop.order("A")["status"] == 0
    world.clock.go(86400)
    assert shop.refusal("mapi.php", shop.values("B", "1")) == -3


def test_the_acknowledgement_is_the_word_success() -> None:
    assert epay.acknowledged(answer(200, b"success"))
    assert epay.acknowledged(answer(200, b"\xef\xbb\xbfSUCCESS\n"))
    for reply in (
        answer(200, b"fail"),
        answer(200, b""),
        answer(200, b"ok"),
        answer(500, b"success"),
        answer(302, b"success"),
    ):
        assert not epay.acknowledged(reply)


def test_merchants_do_not_see_each_others_orders_keys_or_callbacks(world: World, shop: Shop) -> None:
    with world.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002, name="other", key=OTHER_KEY, notify_url="", return_url=""))
    other = Shop(shop.wire, "1002", OTHER_KEY, notify_url="https://other.example/n")
    ours, theirs = shop.create("A", "1"), other.create("A", "1")
    assert ours["trade_no"] != theirs["trade_no"]
    assert other.ask("order", trade_no=ours["trade_no"])["code"] == -1
    assert other.ask("refund", trade_no=ours["trade_no"], money="1")["msg"] == "订单号不存在"
    assert other.ask("orders")["count"] == 1
    assert other.ask("query")["orders"] == 1
    assert Shop(shop.wire, "1002", MERCHANT_KEY).ask("order", trade_no=theirs["trade_no"])["code"] == -3
    assert shop.refusal("mapi.php", {**shop.values("B", "1"), "pid": "1002"}) == -3
    assert shop.refusal("mapi.php", Shop(shop.wire, "1002", MERCHANT_KEY).values("B", "1")) == -3
    world.push("1.01", kind="2")
    deliver(world, other.receive)
    assert [one["trade_no"] for one in other.told] == [theirs["trade_no"]]
    assert shop.verified(urlsplit(world.outside.sent[0].url).query) is None
    assert shop.order("A")["status"] == 0


def test_the_callback_of_a_long_order_is_what_the_shop_verifies(world: World, shop: Shop) -> None:
    """Spaces, plus signs, percent signs and ampersands survive the way through a query."""
    made = shop.create("A", "1", name="a b+c%20&d=e", param="p q+r%26&s=t")
    order = replace(world.order(made["trade_no"]), really_price=100)
    sent = epay.callback(order, merchant(), "https://shop.example/n", START)
    values = shop.verified(urlsplit(sent.url).query)
    assert values is not None
    assert (values["name"], values["param"]) == ("a b+c%20&d=e", "p q+r%26&s=t")


def test_two_phones_do_not_mix(world: World, shop: Shop) -> None:
    """A push of another phone's account pays nothing of ours."""
    with world.store.transaction() as db:
        stores.accounts.add(db, account(id="wx-2", code="wxp://second", disabled_at=START))
        stores.devices.add(db, device(id="phone-2", key="e" * 64, token="u" * 32), ["wx-2"])
    shop.create("A", "1", "wxpay")
    world.push("1.0", key="e" * 64)
    assert shop.order("A")["status"] == 0

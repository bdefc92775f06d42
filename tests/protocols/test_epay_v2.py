"""epay version 2 on the wire, by a shop written from the published documents."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from Crypto.Hash import SHA256
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15

from checkout import store as stores
from checkout import switching
from checkout.model.orders import State
from checkout.protocols import epay_v2
from tests.clients import epay as version_1
from tests.clients.epay_v2 import Shop, digest
from tests.clients.forms import FORM, get, members, post, post_multipart, raw_path, send, token_of
from tests.protocols.support import OTHER_KEY, deliver, is_error_page, return_of, rows
from tests.world import MERCHANT_KEY, START, World, account, answer, merchant

ACTS = ("create", "query", "refund", "refundquery", "close")


@pytest.fixture(scope="module")
def keys() -> tuple[RSA.RsaKey, RSA.RsaKey]:
    """The merchant's pair and ours: made once, it takes a while."""
    return RSA.generate(2048), RSA.generate(2048)


@pytest.fixture
def rsa(keys: tuple[RSA.RsaKey, RSA.RsaKey]) -> dict[str, str]:
    theirs, ours = keys
    return {"rsa_merchant": theirs.public_key().export_key().decode(), "rsa_platform": ours.export_key().decode()}


@pytest.fixture
def shop(world: World, keys: tuple[RSA.RsaKey, RSA.RsaKey], rsa: dict[str, str]) -> Shop:
    world.change_merchant(**rsa)
    return shop_of(world, "1001", *keys)


def shop_of(world: World, pid: str, theirs: RSA.RsaKey, ours: RSA.RsaKey, **more: Any) -> Shop:
    return Shop(raw_path(world.app), pid, one_line(theirs), one_line(ours.public_key()), clock=world.clock, **more)


def one_line(key: RSA.RsaKey) -> str:
    return base64.b64encode(key.export_key("DER", pkcs=8)).decode()


def unsigned_failure(shop: Shop, act: str, values: dict[str, str]) -> int:
    """The number of a failure of a request that is not authentic; nobody is told more."""
    found = members(shop.send(act, values))
    assert set(found) == {"code", "msg"}
    assert found["msg"]
    return int(found["code"])


def test_the_whole_road_from_a_server(world: World, shop: Shop) -> None:
    made = shop.create("20160806151343349", "1.00", "wxpay", param="user-42")
    assert token_of(made["pay_info"]) == made["trade_no"]
    waiting = shop.order(out_trade_no="20160806151343349")
    assert (waiting["status"], waiting["money"], waiting["refundmoney"], waiting["endtime"]) == (0, "1.00", "0.00", "")
    assert (waiting["param"], waiting["clientip"], waiting["type"]) == ("user-42", "192.168.1.100", "wxpay")
    world.clock.go(60)
    world.push("1.0")
    deliver(world, shop.receive)
    (told,) = shop.told
    assert (told["trade_no"], told["out_trade_no"]) == (made["trade_no"], "20160806151343349")
    assert (told["money"], told["type"], told["name"], told["param"]) == ("1.00", "wxpay", "VIP会员", "user-42")
    assert (told["addtime"], told["endtime"]) == ("2026-09-21 22:13:20", "2026-09-21 22:14:20")
    back = urlsplit(return_of(world, made["trade_no"]))
    assert shop.verified(back.query) == told
    paid = shop.order(trade_no=made["trade_no"])
    assert (paid["status"], paid["endtime"], paid["pid"]) == (1, "2026-09-21 22:14:20", 1001)
    deliver(world, shop.receive)
    assert len(shop.told) == 1


@pytest.mark.parametrize("by", ["GET", "POST"])
def test_the_whole_road_from_a_browser(world: World, shop: Shop, by: str) -> None:
    token_of(shop.submit(shop.values("N1", "9.9"), by))
    world.push("9.9", kind="2")
    deliver(world, shop.receive)
    assert [(one["out_trade_no"], one["money"], one["type"]) for one in shop.told] == [("N1", "9.90", "alipay")]


@pytest.mark.parametrize("folder", ["/", "//", "/sub/dir/", "/epay//"])
def test_any_folder_and_doubled_slashes_never_redirect(shop: Shop, folder: str) -> None:
    shop.folder = folder
    shop.submit(shop.values("A", "1"))
    shop.create("B", "1")
    assert shop.order(out_trade_no="B")["status"] == 0


def test_the_paths_of_bufpay_and_of_version_2_do_not_mix(shop: Shop) -> None:
    assert members(post(shop.wire, "/api/pay/1001", {}))["status"] == "param_error"
    assert members(post(shop.wire, "/api/pay/create", {}))["code"] == -4
    assert post(shop.wire, "/api/pay/other", {}).status == 404
    assert members(get(shop.wire, "/api/query/create"))["status"] == "not_exist"


def test_multipart_get_and_json_are_read(shop: Shop) -> None:
    assert members(post_multipart(shop.wire, "/api/pay/create", shop.values("A", "1")))["code"] == 0
    assert members(get(shop.wire, "/api/pay/create", shop.values("B", "1")))["code"] == 0


def test_each_try_of_a_callback_is_signed_afresh(world: World, shop: Shop) -> None:
    shop.create("A", "1")
    world.push("1.0", kind="2")
    world.outside.reply = lambda request: answer(500, b"fail")
    world.work()
    world.clock.go(301)
    deliver(world, shop.receive)
    assert [one["timestamp"] for one in shop.told] == [str(world.clock())]
    first = urlsplit(world.outside.sent[0].url).query
    assert shop.verified(first) is None, "its time has passed"


def test_the_return_is_signed_when_the_buyer_leaves(world: World, shop: Shop) -> None:
    made = shop.create("A", "1")
    world.push("1.0", kind="2")
    world.clock.go(3600)
    assert shop.verified(urlsplit(return_of(world, made["trade_no"])).query) is not None


@pytest.mark.parametrize("url", ["https://shop.example/#/order/A", "https://shop.example/?a=1"])
def test_where_the_return_parameters_go(world: World, shop: Shop, url: str) -> None:
    shop.return_url = url
    made = shop.create("A", "1")
    world.push("1.0", kind="2")
    assert return_of(world, made["trade_no"]).startswith(f"{url}{'&' if '?' in url else '?'}pid=1001&")


@pytest.mark.parametrize("off", [-300, 0, 300])
def test_a_timestamp_within_five_minutes_is_taken(world: World, shop: Shop, off: int) -> None:
    shop.clock = lambda: START + off
    assert shop.create("A", "1")["code"] == 0


@pytest.mark.parametrize("off", [-301, 301, -START])
def test_a_timestamp_beyond_five_minutes_is_refused(world: World, shop: Shop, off: int) -> None:
    shop.clock = lambda: START + off
    for act in ACTS:
        assert unsigned_failure(shop, act, shop.values("A", "1")) == -3
    assert is_error_page(post(shop.wire, "/api/pay/submit", shop.values("A", "1")))
    assert rows(world) == 0


@pytest.mark.parametrize("stamp", ["", "x", "1790000000.0", "１７９０００００００", "1790000000000", " 1790000000"])
def test_a_timestamp_that_is_none(world: World, shop: Shop, stamp: str) -> None:
    assert unsigned_failure(shop, "create", shop.signed({**shop.values("A", "1"), "timestamp": stamp})) == -3
    assert rows(world) == 0


def test_blank_values_are_left_out_of_the_signature_or_not(world: World, shop: Shop) -> None:
    """PHP clients drop what is blank, others only what is empty."""
    values = shop.values("A", "1", param="  ")
    assert "param" not in str(digest(values))
    made = shop.asked("create", values)
    assert world.order(made["trade_no"]).param == ""
    kept = {name: value for name, value in shop.values("B", "1").items() if name not in ("sign", "sign_type")}
    kept["param"] = " "
    text = "&".join(f"{name}={kept[name]}" for name in sorted(kept))
    key = RSA.import_key(base64.b64decode(shop.merchant_private))
    kept["sign"] = base64.b64encode(pkcs1_15.new(key).sign(SHA256.new(text.encode()))).decode()
    assert shop.asked("create", kept)["code"] == 0


def test_sign_type_in_any_case_or_missing_and_no_other(world: World, shop: Shop) -> None:
    for number, kind in enumerate(("RSA", "rsa", "")):
        assert shop.asked("create", {**shop.values(f"N{number}", "1"), "sign_type": kind})["code"] == 0
    assert unsigned_failure(shop, "create", {**shop.values("A", "1"), "sign_type": "MD5"}) == -3
    md5 = version_1.sign(shop.values("A", "1"), MERCHANT_KEY)
    assert unsigned_failure(shop, "create", {**shop.values("A", "1"), "sign": md5, "sign_type": "MD5"}) == -3


def test_a_plus_that_was_not_encoded_is_understood(shop: Shop) -> None:
    values = shop.values("A", "1")
    number = 0
    while "+" not in values["sign"]:
        number += 1
        values = shop.values(f"A{number}", "1")
    body = urlencode(values).replace("%2B", "+")
    assert members(send(shop.wire, "/api/pay/create", body.encode()))["code"] == 0


def test_without_a_known_type_the_buyer_chooses(world: World, shop: Shop) -> None:
    made = shop.create("A", "1", "qqpay")
    assert world.order(made["trade_no"]).method == ""
    switching.choose_method(world.store, made["trade_no"], "alipay", world.parts.rules, world.clock())
    world.push("1.0", kind="2")
    deliver(world, shop.receive)
    assert [one["type"] for one in shop.told] == ["alipay"]


def test_ways_to_pay_that_need_more_than_a_page(world: World, shop: Shop) -> None:
    for method in ("jsapi", "app", "applet", "scan"):
        assert shop.answer("create", shop.values("A", "1", method=method))["code"] == -2
    assert rows(world) == 0
    for number, method in enumerate(("web", "jump", "", "wap", "qrcode")):
        assert shop.asked("create", shop.values(f"N{number}", "1", method=method))["pay_type"] == "jump"


def test_closing_ends_a_waiting_order_changes_no_expired_one_and_is_refused_once_paid(world: World, shop: Shop) -> None:
    made = shop.create("A", "1")
    closed = shop.asked("close", shop.signed({"out_trade_no": "A"}))
    assert closed["trade_no"] == made["trade_no"]
    assert world.order(made["trade_no"]).state is State.CLOSED
    assert shop.asked("close", shop.signed({"trade_no": made["trade_no"]}))["code"] == 0
    shop.create("B", "2")
    world.clock.go(300)
    assert shop.asked("close", shop.signed({"out_trade_no": "B"}))["code"] == 0
    shop.create("C", "3")
    world.push("3.0", kind="2")
    assert shop.answer("close", shop.signed({"out_trade_no": "C"}))["code"] == -1


def test_a_refund_is_refused_with_the_reason(world: World, shop: Shop) -> None:
    shop.create("A", "1")
    asked = {"out_trade_no": "A", "money": "1.00", "out_refund_no": "R1"}
    assert shop.answer("refund", shop.signed(asked))["msg"] == "订单未支付，无法退款"
    world.push("1.0", kind="2")
    found = shop.answer("refund", shop.signed(asked))
    assert found["code"] == -1
    assert "手动退款" in found["msg"]
    assert shop.answer("refund", shop.signed({**asked, "money": "x"}))["code"] == -1
    assert shop.answer("refundquery", shop.signed({"out_refund_no": "R1"}))["msg"] == "退款单不存在"
    assert shop.order(out_trade_no="A")["refundmoney"] == "0.00"


def test_an_order_that_is_not_the_dialects_is_not_found(world: World, shop: Shop) -> None:
    vmq = world.create("V1")["data"]["orderId"]
    for act in ("query", "refund", "close"):
        for named in ({"trade_no": "0" * 32}, {"trade_no": vmq}, {"out_trade_no": "V1"}, {"out_trade_no": "X"}, {}):
            assert shop.answer(act, shop.signed({"money": "1", **named}))["code"] == -1
    assert world.order(vmq).state is State.PENDING


def test_both_versions_see_the_merchants_orders(world: World, shop: Shop) -> None:
    older = version_1.Shop(shop.wire, "1001", MERCHANT_KEY)
    shop.create("A", "1")
    older.create("B", "1")
    assert older.order("A")["status"] == 0
    assert shop.order(out_trade_no="B")["status"] == 0
    assert older.refusal("mapi.php", older.values("A", "1")) == -1


def test_when_nothing_can_receive_the_money_the_answer_is_signed_too(world: World, shop: Shop) -> None:
    with world.store.transaction() as db:
        stores.accounts.update(db, account(code=""))
    assert shop.answer("create", shop.values("A", "1", "wxpay"))["code"] == -2
    assert is_error_page(post(shop.wire, "/api/pay/submit", shop.values("A", "1", "wxpay")))


def test_a_disabled_merchant_opens_no_orders(world: World, shop: Shop, rsa: dict[str, str]) -> None:
    world.change_merchant(disabled_at=START, **rsa)
    assert shop.answer("create", shop.values("A", "1"))["code"] == -1


def test_a_merchant_without_keys_is_told_the_command(world: World, shop: Shop) -> None:
    world.change_merchant()
    found = members(shop.send("create", shop.values("A", "1")))
    assert found["code"] == -3
    assert "checkout merchant rsa 1001" in found["msg"]


def test_the_acknowledgement_is_the_word_success() -> None:
    assert epay_v2.acknowledged(answer(200, b"success"))
    assert not epay_v2.acknowledged(answer(200, b"fail"))


def test_merchants_do_not_see_each_others_orders_keys_or_callbacks(
    world: World, shop: Shop, keys: tuple[RSA.RsaKey, RSA.RsaKey]
) -> None:
    theirs, ours = RSA.generate(2048), RSA.generate(2048)
    rsa = {"rsa_merchant": theirs.public_key().export_key().decode(), "rsa_platform": ours.export_key().decode()}
    with world.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002, key=OTHER_KEY, notify_url="", return_url="", **rsa))
    other = shop_of(world, "1002", theirs, ours, notify_url="https://other.example/n")
    made, foreign = shop.create("A", "1"), other.create("A", "1")
    assert made["trade_no"] != foreign["trade_no"]
    for act in ("query", "refund", "close"):
        asked = other.signed({"trade_no": made["trade_no"], "money": "1"})
        assert other.answer(act, asked)["msg"] == "订单号不存在"
    liar = shop_of(world, "1002", *keys)
    assert unsigned_failure(liar, "query", liar.signed({"trade_no": foreign["trade_no"]})) == -3
    assert not shop.is_genuine(members(other.send("query", other.signed({"out_trade_no": "A"}))))
    world.push("1.01", kind="2")
    deliver(world, other.receive)
    assert [one["trade_no"] for one in other.told] == [foreign["trade_no"]]
    assert shop.verified(urlsplit(world.outside.sent[0].url).query) is None
    assert shop.order(out_trade_no="A")["status"] == 0


# Bad input

BAD_VALUES = {
    "out_trade_no": ["", "x" * 65, "a b", "订单", "a/b"],
    "money": ["", "0", "-1", "1e2", "１", "1.234", "NaN", "01", "9" * 10],
    "name": ["", " "],
    "notify_url": ["", "javascript:alert(1)", "https://u@a/", "x"],
    "return_url": ["javascript:alert(1)", "x"],
}


@pytest.mark.parametrize("name", BAD_VALUES)
def test_a_well_signed_value_outside_its_grammar(world: World, shop: Shop, name: str) -> None:
    for value in BAD_VALUES[name]:
        values = shop.signed({**shop.values("A", "1"), name: value})
        assert shop.answer("create", values)["code"] == -1, value
        assert is_error_page(post(shop.wire, "/api/pay/submit", values)), value
    assert rows(world) == 0


def test_a_value_changed_after_signing(world: World, shop: Shop) -> None:
    values = shop.values("A", "1.00", param="p", method="web")
    for name in set(values) - {"sign", "sign_type", "pid"}:
        assert unsigned_failure(shop, "create", {**values, name: values[name] + "0"}) == -3, name
    for sign in ("", "x", "中文", "AAAA", "x" * 2000, values["sign"][:-4], values["sign"].lower()):
        assert unsigned_failure(shop, "create", {**values, "sign": sign}) == -3
        assert is_error_page(post(shop.wire, "/api/pay/submit", {**values, "sign": sign}))
    assert rows(world) == 0


def test_what_could_be_read_in_two_ways_is_refused_however_well_signed(world: World, shop: Shop) -> None:
    for name in ("name", "param", "zzz"):
        for piece in ("x&money=0.01", "x&pid=1", "x&notify_url=http://a/", "x&trade_status=T", "x&out_trade_no=B"):
            assert unsigned_failure(shop, "create", shop.signed({**shop.values("A", "1"), name: piece})) == -1
    assert rows(world) == 0


@pytest.mark.parametrize("act", [*ACTS, "submit"])
def test_parameters_that_cannot_be_read(world: World, shop: Shop, act: str) -> None:
    values = shop.values("A", "1")
    for name in values:
        rest = urlencode({key: value for key, value in values.items() if key != name})
        own = urlencode({name: values[name]})
        for bad in (f"{own}&{name}=other", f"{name}={'x' * 10_000}", f"{own}%00", f"{name}=%e9%ff"):
            reply = send(shop.wire, f"/api/pay/{act}", f"{rest}&{bad}".encode())
            assert is_error_page(reply) if act == "submit" else members(reply)["code"] == -1, (name, bad)
    assert rows(world) == 0


@pytest.mark.parametrize("act", [*ACTS, "submit"])
def test_bodies_of_all_sorts_are_refused(world: World, shop: Shop, act: str) -> None:
    for kind in ("application/json", FORM, "text/plain", "multipart/form-data"):
        for body in (b"", b"[]", b"{", b'{"money": {}}', b"\xff\xfe", b"%", b"&" * 1000, b"x" * 70_000):
            reply = send(shop.wire, f"/api/pay/{act}", body, kind)
            assert is_error_page(reply) if act == "submit" else members(reply)["code"] in (-4, -3, -1), body
    assert rows(world) == 0


@pytest.mark.parametrize("pid", ["", "1002", "0", "01001", "x", "１００１"])
def test_an_unknown_or_odd_pid(shop: Shop, pid: str) -> None:
    assert unsigned_failure(shop, "query", shop.signed({"out_trade_no": "A", "pid": pid})) == -3


def test_a_failure_before_the_signature_holds_signs_nothing_that_a_stranger_wrote(shop: Shop) -> None:
    found = members(send(shop.wire, "/api/pay/create", b"pid=1001&trade_status=TRADE_SUCCESS&a=1&a=2"))
    assert "sign" not in found

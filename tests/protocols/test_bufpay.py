"""BufPay on the wire, by a shop written from the published documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

from checkout import orders, returns
from checkout import store as stores
from checkout.http.client import Answer
from checkout.model.accounts import FixedCode
from checkout.model.orders import State
from checkout.protocols import bufpay
from checkout.refunds import ledger
from tests.clients.bufpay import Shop, sign
from tests.clients.forms import FORM, get, members, post, post_multipart, raw_path, send, token_of
from tests.protocols.support import OTHER_KEY, deliver, rows, vectors
from tests.world import MERCHANT_KEY, START, World, account, answer, merchant


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(raw_path(world.app), "1001", MERCHANT_KEY)


def status_of(shop: Shop, values: Mapping[str, str], query: str = "?format=json") -> str:
    found = members(shop.send(values, query))
    assert set(found) == {"status"}, found
    return str(found["status"])


def resigned(values: Mapping[str, str]) -> dict[str, str]:
    signed = ("name", "pay_type", "price", "order_id", "order_uid", "notify_url", "return_url", "feedback_url")
    return {**values, "sign": sign(*(values.get(name, "") for name in signed), MERCHANT_KEY)}


@pytest.mark.parametrize("name", ["bufpay_seed", "bufpay_callback"])
def test_published_signatures(name: str) -> None:
    vector = next(one for one in vectors("bufpay") if one["name"] == name)
    assert sign(*vector["parts"], vector["key"]) == vector["expected"]


def test_the_published_order_is_accepted_with_the_published_signature(world: World) -> None:
    vector = next(one for one in vectors("bufpay") if one["name"] == "bufpay_seed")
    world.change_merchant(key=vector["key"])
    names = ("name", "pay_type", "price", "order_id", "order_uid", "notify_url", "return_url")
    values = {**dict(zip(names, vector["parts"], strict=True)), "sign": vector["expected"]}
    assert post(raw_path(world.app), "/api/pay/1001?format=json", values).json()["status"] == "ok"


def test_the_published_callback_is_what_we_send(world: World) -> None:
    vector = next(one for one in vectors("bufpay") if one["name"] == "bufpay_callback")
    made = Shop(raw_path(world.app), "1001", MERCHANT_KEY).create("888", "50.00")
    aoid, number, uid, price, paid = vector["parts"]
    order = replace(
        world.order(made["aoid"]), token=aoid, number=number, buyer=uid, price_text=price, really_price=5001
    )
    sent = bufpay.callback(order, merchant(key=vector["key"]), "https://shop.example/n", START)
    assert sent.body == urlencode(
        {
            "aoid": aoid, "order_id": number, "order_uid": uid, "price": price, "pay_price": paid,
            "sign": vector["expected"],
        }
    ).encode()  # fmt: skip


def test_the_whole_road(world: World, shop: Shop) -> None:
    made = shop.create("102", "50.00")
    assert (made["qr_price"], made["really_price"], made["qr"]) == ("", "50.00", "wxp://f2f0wechat")
    assert token_of(made["pay_url"]) == made["aoid"]
    assert shop.status(made["aoid"]) == "new"
    world.push("50.0")
    assert shop.status(made["aoid"]) == "payed"
    deliver(world, shop.receive)
    (told,) = shop.told
    assert (told["aoid"], told["order_id"], told["price"], told["pay_price"]) == (made["aoid"], "102", "50.00", "50.00")
    assert shop.status(made["aoid"]) == "success"
    order = world.order(made["aoid"])
    assert returns.address(world.store, world.parts.dialects, order, world.clock()) == shop.return_url
    deliver(world, shop.receive)
    assert len(shop.told) == 1


def test_the_page_form_redirects_to_the_checkout_page(world: World, shop: Shop) -> None:
    reply = shop.send(shop.values("102", "50.00"), query="")
    assert reply.status == 303
    order = world.order(token_of(reply.headers["location"]))
    assert (order.number, order.price, order.title, order.buyer) == ("102", 5000, "内容订阅一年期", "hi@sideidea.com")
    assert order.shown_at is None


def test_format_and_expire_may_stand_in_the_form(world: World, shop: Shop) -> None:
    values = {**shop.values("102", "50.00"), "format": "json", "expire": "120"}
    assert shop.send(values, query="").json()["expires_in"] == 120


def test_get_and_multipart_and_doubled_slashes_and_a_folder_work_as_well(shop: Shop) -> None:
    assert get(shop.wire, "/api/pay/1001", {**shop.values("A", "1"), "format": "json"}).json()["status"] == "ok"
    assert post_multipart(shop.wire, "//api/pay/1001?format=json", shop.values("B", "1")).json()["status"] == "ok"
    assert post(shop.wire, "/old//api/pay/1001?format=json", shop.values("C", "1")).json()["status"] == "ok"


def test_unknown_parameters_are_ignored(shop: Shop) -> None:
    body = urlencode(shop.values("A", "1")) + "&secret=1&secret=2&y=" + "z" * 5000
    assert members(send(shop.wire, "/api/pay/1001?format=json", body.encode()))["status"] == "ok"


def test_the_price_comes_back_as_it_was_spelt_beside_the_amount_that_was_paid(world: World, shop: Shop) -> None:
    shop.create("A", "9.9")
    second = shop.create("B", "9.9")
    assert second["really_price"] == "9.91"
    world.push("9.91")
    deliver(world, shop.receive)
    assert [(one["order_id"], one["price"], one["pay_price"]) for one in shop.told] == [("B", "9.9", "9.91")]


def test_a_fixed_amount_code_is_told_by_qr_price(world: World, shop: Shop) -> None:
    with world.store.transaction() as db:
        stores.accounts.set_code(db, FixedCode("wx-main", 990, "wxp://fixed990", START))
    made = shop.create("A", "9.90")
    assert (made["qr_price"], made["qr"]) == ("9.90", "wxp://fixed990")


def test_without_optional_parameters_the_order_is_taken(world: World) -> None:
    values = {"name": "n", "pay_type": "alipay", "price": "1", "order_id": "1", "notify_url": "https://shop.example/n"}
    values["sign"] = sign(*values.values(), MERCHANT_KEY)
    made = post(raw_path(world.app), "/api/pay/1001?format=json", values).json()
    assert made["status"] == "ok"
    assert made["return_url"] == merchant().return_url


def test_feedback_url_is_part_of_the_signature_when_it_is_there(world: World, shop: Shop) -> None:
    made = shop.create("A", "1", feedback_url="https://shop.example/help")
    assert json.loads(world.order(made["aoid"]).extra)["feedback_url"] == "https://shop.example/help"
    older = shop.values("B", "1")
    assert status_of(shop, {**older, "feedback_url": "https://evil.example/"}) == "sign_error"
    assert shop.send({**older, "feedback_url": ""}).json()["status"] == "ok"


@pytest.mark.parametrize(("asked", "given"), [("60", 60), ("3600", 3600), ("1", 60), ("86400000", 3600), ("", 300)])
def test_expire_is_kept_within_bounds(world: World, shop: Shop, asked: str, given: int) -> None:
    made = shop.send(shop.values("A", "1"), f"?format=json&expire={asked}").json()
    assert made["expires_in"] == given
    assert world.order(made["aoid"]).expires_at == world.clock() + given


def test_a_reload_gives_the_same_order_with_less_time(world: World, shop: Shop) -> None:
    first = shop.create("A", "1")
    world.clock.go(30)
    second = shop.create("A", "1")
    assert second["aoid"] == first["aoid"]
    assert second["expires_in"] == first["expires_in"] - 30


def test_a_page_order_asked_for_as_json_counts_as_shown(world: World, shop: Shop) -> None:
    token = token_of(shop.send(shop.values("A", "1"), query="").headers["location"])
    shop.create("A", "1")
    assert world.order(token).shown_at == world.clock()


def test_the_words_for_a_number_used_before(world: World, shop: Shop) -> None:
    paid = shop.create("paid", "1")
    world.push(paid["really_price"])
    assert status_of(shop, shop.values("paid", "1")) == "order_payed"
    shop.create("changed", "1")
    assert status_of(shop, shop.values("changed", "2")) == "param_error"
    ledger.by_hand(
        world.store, paid["aoid"], amount=None, reason="returned", actor="test", new_id=world.parts.new_id,
        now=world.clock(),
    )  # fmt: skip
    assert status_of(shop, shop.values("paid", "1")) == "order_expire"
    closed = shop.create("closed", "1")
    orders.close(world.store, closed["aoid"], world.parts.rules.limits, world.clock())
    assert status_of(shop, shop.values("closed", "1")) == "order_expire"
    shop.create("late", "1")
    world.clock.go(300)
    before = rows(world)
    assert status_of(shop, shop.values("late", "1")) == "order_expire"
    assert rows(world) == before


def test_without_reuse_a_waiting_number_is_refused(world: World, shop: Shop) -> None:
    world.change_merchant(reuse=False)
    shop.create("A", "1")
    assert status_of(shop, shop.values("A", "1")) == "param_error"


def test_qr_limit_when_no_code_no_phone_or_no_amount_is_there(world: World, shop: Shop) -> None:
    with world.store.transaction() as db:
        stores.accounts.update(db, account(max_offset=0))
    shop.create("A", "1")
    assert status_of(shop, shop.values("B", "1")) == "qr_limit"
    with world.store.transaction() as db:
        stores.accounts.update(db, account(offline="block"))
    assert status_of(shop, shop.values("C", "1")) == "qr_limit"
    with world.store.transaction() as db:
        stores.accounts.update(db, account(code=""))
    assert status_of(shop, shop.values("D", "1")) == "qr_limit"


def test_fee_error_when_the_merchant_takes_no_orders(world: World, shop: Shop) -> None:
    world.change_merchant(disabled_at=START)
    assert status_of(shop, shop.values("A", "1")) == "fee_error"


def test_states_of_a_query(world: World, shop: Shop) -> None:
    made = shop.create("A", "1")
    world.clock.go(300)
    assert shop.status(made["aoid"]) == "expire"
    for unknown in ("0" * 32, "x", "A" * 500, "%00", "中文"):
        assert shop.status(unknown) == "not_exist"
    vmq = world.create("V1")["data"]["orderId"]
    assert shop.status(vmq) == "not_exist"


def test_late_money_still_pays(world: World, shop: Shop) -> None:
    made = shop.create("A", "1")
    world.clock.go(400)
    world.push("1.0")
    assert shop.status(made["aoid"]) == "payed"
    assert world.order(made["aoid"]).late


def test_a_key_before_the_last_still_signs_for_a_day_and_callbacks_use_the_new_one(world: World, shop: Shop) -> None:
    world.change_merchant(key=OTHER_KEY, previous_key=MERCHANT_KEY, previous_key_until=world.clock() + 86400)
    shop.create("A", "1")
    world.push("1.0")
    shop.secret = OTHER_KEY
    deliver(world, shop.receive)
    assert len(shop.told) == 1
    shop.secret = MERCHANT_KEY
    world.clock.go(86400)
    assert status_of(shop, shop.values("B", "1")) == "sign_error"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(200, b"ok"), True),
        (answer(200, b"success"), True),
        (answer(200, b""), True),
        (answer(200, b"\xef\xbb\xbf ok"), True),
        (answer(201, b"ok"), True),
        (answer(204, b""), False),
        (answer(200, b"<!DOCTYPE html><title>502 Bad Gateway</title>"), False),
        (answer(200, b"\xef\xbb\xbf\n <html>invalid token</html>"), False),
        (answer(302, b"ok"), False),
        (answer(500, b"ok"), False),
    ],
)
def test_200_or_the_word_ok_acknowledges_and_a_page_never_does(reply: Answer, expected: bool) -> None:
    assert bufpay.acknowledged(reply) is expected


def test_a_merchant_that_fails_is_told_again_with_the_same_values(world: World, shop: Shop) -> None:
    shop.create("A", "1")
    world.push("1.0")
    world.outside.reply = lambda request: answer(500, b"locked error")
    world.work()
    world.clock.go(10)
    deliver(world, shop.receive)
    assert len(shop.told) == 1
    assert world.outside.sent[0].body == world.outside.sent[1].body


def test_merchants_do_not_see_each_others_orders(world: World, shop: Shop) -> None:
    with world.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002, key=OTHER_KEY, notify_url="", return_url=""))
    other = Shop(shop.wire, "1002", OTHER_KEY, notify_url="https://other.example/n")
    made, theirs = shop.create("102", "1"), other.create("102", "1")
    assert made["aoid"] != theirs["aoid"]
    foreign = Shop(shop.wire, "1002", MERCHANT_KEY)
    assert status_of(foreign, foreign.values("103", "1")) == "sign_error"
    world.push(theirs["really_price"])
    deliver(world, other.receive)
    assert [one["aoid"] for one in other.told] == [theirs["aoid"]]
    assert [sent.url for sent in world.outside.sent] == ["https://other.example/n"]
    assert shop.status(made["aoid"]) == "new"


REQUIRED = ("name", "pay_type", "price", "order_id", "notify_url")
BAD_VALUES = {
    "pay_type": ["bank", "WECHAT", "1"],
    "price": ["0", "0.00", "-1", "1e2", "+1", "１", "1.234", "NaN", "1,00", "01", "9" * 10, " 1", "1_0"],
    "order_id": ["x" * 101],
    "order_uid": ["x" * 201],
    "name": ["x" * 513],
    "notify_url": ["ftp://a/", "javascript:alert(1)", "//a", "https://u@a/", "https://a/\\b", "x", "https://中文/"],
    "return_url": ["javascript:alert(1)", "x"],
    "feedback_url": ["javascript:alert(1)", "x"],
}


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_required_parameter_that_is_not_there(world: World, shop: Shop, name: str, how: str) -> None:
    values = resigned({**shop.values("A", "1"), name: ""})
    if how == "missing":
        del values[name]
    assert status_of(shop, values) == "param_error"
    assert rows(world) == 0


@pytest.mark.parametrize("name", BAD_VALUES)
def test_a_well_signed_value_outside_its_grammar(world: World, shop: Shop, name: str) -> None:
    for value in BAD_VALUES[name]:
        assert status_of(shop, resigned({**shop.values("A", "1"), name: value})) == "param_error", value
    assert rows(world) == 0


@pytest.mark.parametrize("name", ["name", "pay_type", "price", "order_id", "order_uid", "notify_url", "return_url"])
def test_a_value_changed_after_signing(world: World, shop: Shop, name: str) -> None:
    values = shop.values("A", "1")
    assert status_of(shop, {**values, name: values[name] + "0"}) == "sign_error"
    assert rows(world) == 0


@pytest.mark.parametrize("given", ["", "0" * 32, "x", "中文", "x" * 2000])
def test_a_wrong_signature_opens_no_order(world: World, shop: Shop, given: str) -> None:
    assert status_of(shop, {**shop.values("A", "1"), "sign": given}) == "sign_error"
    unsigned = {name: value for name, value in shop.values("A", "1").items() if name != "sign"}
    assert status_of(shop, unsigned) == "sign_error"
    assert rows(world) == 0


@pytest.mark.parametrize("name", ["name", "pay_type", "price", "order_id", "order_uid", "notify_url", "sign", "expire"])
def test_a_parameter_that_cannot_be_read(world: World, shop: Shop, name: str) -> None:
    values = {**shop.values("A", "1"), "expire": "300"}
    rest = urlencode({key: value for key, value in values.items() if key != name})
    own = urlencode({name: values[name]})
    for bad in (f"{own}&{name}=other", f"{name}={'x' * 10_000}", f"{own}%00", f"{name}=%e9%ff"):
        reply = send(shop.wire, "/api/pay/1001?format=json", f"{rest}&{bad}".encode())
        assert members(reply) == {"status": "param_error"}, bad
    assert rows(world) == 0


@pytest.mark.parametrize("expire", ["x", "-1", "1.5", "１２０", "1" * 13])
def test_an_expire_that_is_no_number(world: World, shop: Shop, expire: str) -> None:
    assert status_of(shop, {**shop.values("A", "1"), "expire": expire}) == "param_error"
    assert rows(world) == 0


@pytest.mark.parametrize("kind", ["application/json", FORM, "text/plain", "multipart/form-data"])
def test_bodies_of_all_sorts_are_refused(world: World, shop: Shop, kind: str) -> None:
    for body in (b"", b"[]", b"{", b'{"price": {}}', b"\xff\xfe", b"%", b"=" * 100, b"&" * 1000, b"x" * 70_000):
        reply = send(shop.wire, "/api/pay/1001?format=json", body, kind)
        assert members(reply)["status"] in ("param_error", "sign_error"), body
    assert rows(world) == 0


@pytest.mark.parametrize("aid", ["9", "0", "9999999999999999", "00"])
def test_an_unknown_merchant_is_refused(world: World, shop: Shop, aid: str) -> None:
    shop.aid = aid
    assert status_of(shop, shop.values("A", "1")) == "param_error"


@pytest.mark.parametrize("aid", ["x", "1001x", "１００１", "-1", "1" * 17, ""])
def test_what_is_no_merchants_number_is_no_route(shop: Shop, aid: str) -> None:
    assert post(shop.wire, f"/api/pay/{aid}", shop.values("A", "1")).status == 404


def test_the_state_of_a_closed_order_is_expire(world: World, shop: Shop) -> None:
    made = shop.create("A", "1")
    closed = orders.close(world.store, made["aoid"], world.parts.rules.limits, world.clock())
    assert closed.state is State.CLOSED
    assert shop.status(made["aoid"]) == "expire"

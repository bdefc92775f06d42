"""GOGO支付 as a merchant sees it, by a client written from its documents."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from checkout import store as stores
from checkout.model.merchants import Mode
from checkout.model.orders import State
from tests.clients.gogo import GogoClient
from tests.clients.vmq import Forged, VmqClient, md5
from tests.clients.wire import to_app
from tests.dump import dump
from tests.protocols.support import pay, refusal
from tests.world import MERCHANT_KEY, START, World, account, merchant

SECOND_KEY = "second-merchants-key-0123456789"


@pytest.fixture
def shop(world: World) -> GogoClient:
    return GogoClient(to_app(world.app), MERCHANT_KEY, app_id="1001")


@pytest.fixture
def second(world: World) -> GogoClient:
    """Another merchant on the same server."""
    with world.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002, key=SECOND_KEY, notify_url="https://two.example/n"))
    return GogoClient(to_app(world.app), SECOND_KEY, app_id="1002")


@pytest.mark.parametrize("path", ["/createOrder", "/shop/api/createOrder"])
@pytest.mark.parametrize("names_itself", ["header", "field"])
@pytest.mark.parametrize("way", ["GET", "POST", "multipart", "json"])
def test_an_order_is_created_in_every_way_that_clients_use(
    world: World, shop: GogoClient, way: str, names_itself: str, path: str
) -> None:
    client = replace(shop, names_itself=names_itself, path=path)
    if way == "GET":
        order = client.create("N1", "9.9", method="GET", param="用户 42")
    else:
        order = client.create("N1", "9.9", body=way if way != "POST" else "form", param="用户 42")
    kept = world.order(order["orderId"])
    assert (kept.dialect, kept.merchant, kept.param, kept.price) == ("gogo", 1001, "用户 42", 990)
    assert (order["price"], order["reallyPrice"], order["date"]) == ("9.90", "9.90", START)


@pytest.mark.parametrize("price", ["10", "0.1", "9.9", "12.50", "12.0", "100.00"])
def test_numbers_in_json_keep_their_spelling_for_the_signature(shop: GogoClient, price: str) -> None:
    assert shop.create("N1", price, body="json")["state"] == 0


@pytest.mark.parametrize("spelling", ["1e1", "1E1", "10.000", "-10", "NaN", "Infinity", "1" * 400])
def test_a_number_of_json_outside_the_grammar_is_refused_in_its_own_spelling(shop: GogoClient, spelling: str) -> None:
    complaint = refusal(lambda: shop.create("N1", spelling, body="json"))
    assert complaint == ("参数price过长" if len(spelling) > 32 else "订单金额格式错误")


def test_title_and_content_are_kept_and_the_title_is_cut_at_ten_characters(world: World, shop: GogoClient) -> None:
    order = shop.create("N1", "1", title="一二三四五六七八九十十一", content="内容" * 100)
    kept = world.order(order["orderId"])
    assert (kept.title, kept.content) == ("一二三四五六七八九十", "内容" * 100)


ORDER_OF_CHECKS = [
    ("请传入商户订单号", {}),
    ("请传入支付方式=>1|微信 2|支付宝", {"payId": "N1"}),
    ("支付方式错误=>1|微信 2|支付宝", {"payId": "N1", "type": "3"}),
    ("请传入订单金额", {"payId": "N1", "type": "1"}),
    ("请传入签名", {"payId": "N1", "type": "1", "price": "0"}),
    ("签名错误", {"payId": "N1", "type": "1", "price": "0", "sign": "0" * 32}),
]


@pytest.mark.parametrize("path", ["/createOrder", "/shop/api/createOrder"])
@pytest.mark.parametrize("way", ["POST", "GET", "multipart", "json"])
@pytest.mark.parametrize("names_itself", ["header", "field"])
def test_every_refusal_has_code_0_and_the_order_of_vmq(
    shop: GogoClient, way: str, names_itself: str, path: str
) -> None:
    client = replace(shop, names_itself=names_itself)
    for complaint, values in ORDER_OF_CHECKS:
        # JSON without quotes around a price of 0 and a type of 3: numbers.
        assert refusal(lambda values=values: client.ask(path, values, way)) == complaint  # type: ignore[misc]


@pytest.mark.parametrize("app_id", ["", "0", "9999", "01001", "abc", "1001 ", "9" * 17, "9" * 400, "1001,1001"])
@pytest.mark.parametrize("names_itself", ["header", "field"])
def test_an_unknown_appid_is_refused(shop: GogoClient, app_id: str, names_itself: str) -> None:
    client = replace(shop, app_id=app_id, names_itself=names_itself)
    assert refusal(lambda: client.create("N1", "1")) == "APPID不存在"


def test_full_width_digits_are_no_appid(shop: GogoClient) -> None:
    client = replace(shop, app_id="１００１", names_itself="field")
    assert refusal(lambda: client.create("N1", "1")) == "APPID不存在"


def test_header_and_field_may_agree_and_not_differ(world: World, second: GogoClient) -> None:
    sign = md5("1001", "N1", "", "1", "1", MERCHANT_KEY)
    values = {"payId": "N1", "type": "1", "price": "1", "sign": sign}
    agree = world.client.post("/createOrder", data={**values, "appId": "1001"}, headers={"App-Id": "1001"})
    assert agree.get_json()["code"] == 1
    differ = world.client.post("/createOrder", data={**values, "appId": "1002"}, headers={"App-Id": "1001"})
    assert differ.get_json() == {"code": 0, "msg": "App-Id与appId不一致", "data": None}


def test_the_shops_own_path_without_an_appid_is_refused_in_its_words(world: World) -> None:
    sign = md5("1001", "N1", "", "1", "1", MERCHANT_KEY)
    values = {"payId": "N1", "type": "1", "price": "1", "sign": sign}
    found = world.client.post("/shop/api/createOrder", data=values).get_json()
    assert found == {"code": 0, "msg": "APPID不存在", "data": None}


def test_the_app_secret_never_replaces_the_signature(world: World) -> None:
    headers = {"App-Id": "1001", "App-Secret": MERCHANT_KEY}
    values = {"payId": "N1", "type": "1", "price": "1"}
    before = dump(world)
    missing = world.client.post("/createOrder", data=values, headers=headers).get_json()
    wrong = world.client.post("/createOrder", data={**values, "sign": "0" * 32}, headers=headers).get_json()
    assert (missing["msg"], wrong["msg"]) == ("请传入签名", "签名错误")
    assert dump(world) == before


def test_a_wrong_or_missing_app_secret_does_not_matter_for_json(world: World) -> None:
    sign = md5("1001", "N1", "", "1", "1", MERCHANT_KEY)
    values = {"payId": "N1", "type": "1", "price": "1", "sign": sign}
    for headers in ({"App-Id": "1001"}, {"App-Id": "1001", "App-Secret": "wrong"}):
        assert world.client.post("/createOrder", data=values, headers=headers).get_json()["code"] == 1


def test_the_signature_of_vmq_is_not_that_of_gogo(world: World, shop: GogoClient) -> None:
    as_vmq = VmqClient(shop.wire, MERCHANT_KEY)
    assert refusal(lambda: as_vmq.ask("/createOrder", _signed_for_gogo(shop), "POST")) == "签名错误"
    own = {"payId": "N1", "type": "1", "price": "1", "sign": md5("N1", "", "1", "1", MERCHANT_KEY)}
    assert refusal(lambda: shop.ask("/createOrder", own, "POST")) == "签名错误"


def test_a_disabled_merchant_is_refused(world: World, shop: GogoClient) -> None:
    world.change_merchant(disabled_at=START)
    assert refusal(lambda: shop.create("N1", "1")) == "商户已停用"


def test_a_rotated_key_is_accepted_for_its_day(world: World, shop: GogoClient) -> None:
    new = "the-new-key-of-the-merchant-0001"
    world.change_merchant(key=new, previous_key=MERCHANT_KEY, previous_key_until=START + 86_400)
    pay(world, shop.create("N1", "9.90"))
    world.work()
    sent = world.outside.sent[0]
    assert replace(shop, key=new).callback(sent.method, sent.url, sent.body)["payId"] == "N1"
    world.clock.go(86_400)
    assert refusal(lambda: shop.create("N2", "9.90")) == "签名错误"


def test_one_number_and_key_speak_both_dialects_about_different_orders(world: World, shop: GogoClient) -> None:
    first = shop.create("N1", "9.90")
    complaint = refusal(lambda: VmqClient(shop.wire, MERCHANT_KEY).create("N1", "9.90"))
    assert complaint == "商户订单号已存在"
    assert world.order(first["orderId"]).dialect == "gogo"


def test_the_order_is_asked_for_without_naming_an_appid(world: World, shop: GogoClient) -> None:
    order = shop.create("N1", "9.90")
    token = order["orderId"]
    bare = replace(VmqClient(shop.wire, MERCHANT_KEY), failure=0)
    assert bare.order(token) == order
    assert refusal(lambda: bare.check(token)) == "订单未支付"
    assert refusal(lambda: bare.ask("/closeOrder", {"orderId": token, "sign": "0"}, "POST")) == "签名校验不通过"
    bare.close(token)
    assert world.order(token).state is State.CLOSED
    assert refusal(lambda: bare.close(token)) == "订单状态不允许关闭"
    assert refusal(lambda: bare.check(token)) == "订单已过期"


def test_every_merchants_order_is_served_at_the_root(world: World, second: GogoClient) -> None:
    order = second.create("N1", "9.90")
    assert second.order(order["orderId"]) == order
    pay(world, order)
    assert second.order(order["orderId"])["state"] == 2
    other = second.create("N2", "7.00")
    second.close(other["orderId"])
    assert refusal(lambda: second.check("f" * 32)) == "云端订单编号不存在"
    assert refusal(lambda: second.close("f" * 32)) == "云端订单编号不存在"


def test_a_merchant_cannot_close_anothers_order(world: World, shop: GogoClient, second: GogoClient) -> None:
    token = shop.create("N1", "9.90")["orderId"]
    before = dump(world)
    assert refusal(lambda: second.close(token)) == "签名校验不通过"
    assert dump(world) == before


def test_the_phones_state_is_asked_for_with_the_merchants_own_key(
    world: World, shop: GogoClient, second: GogoClient
) -> None:
    assert shop.state("1790000000")["state"] == "-1"
    assert second.state("1790000000")["state"] == "-1"
    mixed = replace(second, key=MERCHANT_KEY)
    assert refusal(lambda: mixed.state("1790000000")) == "签名校验不通过"


@pytest.mark.parametrize(
    ("address", "start"),
    [
        ("https://shop.example/n", "https://shop.example/n?payId=N%201&"),
        ("https://shop.example/n?a=1", "https://shop.example/n?a=1&payId=N%201&"),
        ("https://shop.example/n#part", "https://shop.example/n?payId=N%201&"),
    ],
)
def test_the_callback_is_one_post_that_says_the_same_in_query_and_form(
    world: World, shop: GogoClient, address: str, start: str
) -> None:
    shop.create("N0", "9.9")
    pay(world, shop.create("N 1", "9.9", param="张三 a+b&c=d?e#f", notifyUrl=address))
    assert world.work() == 1
    (sent,) = world.outside.sent
    assert sent.url.startswith(start)
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    values = shop.callback(sent.method, sent.url, sent.body)
    assert (values["param"], values["price"], values["reallyPrice"]) == ("张三 a+b&c=d?e#f", "9.90", "9.91")
    assert world.work() == 0


def test_the_callbacks_signature_is_not_that_of_vmq(world: World, shop: GogoClient) -> None:
    pay(world, shop.create("N1", "9.9"))
    world.work()
    with pytest.raises(Forged):
        VmqClient(shop.wire, MERCHANT_KEY).callback("GET", world.outside.sent[0].url, b"")


def test_in_compat_mode_return_param_decides_about_the_parameters_of_the_return(world: World, shop: GogoClient) -> None:
    world.change_merchant(mode=Mode.COMPAT)
    plain, full = shop.create("N1", "1.00"), shop.create("N2", "2.00", returnParam="1")
    pay(world, plain)
    pay(world, full)
    assert shop.check(plain["orderId"]) == "https://shop.example/return"
    assert shop.returned(shop.check(full["orderId"]))["payId"] == "N2"


@pytest.mark.parametrize("return_param", ["0", "1"])
def test_in_strict_mode_the_return_carries_the_token_and_the_native_signature(
    world: World, shop: GogoClient, return_param: str
) -> None:
    order = shop.create("N1", "1.00", returnParam=return_param)
    pay(world, order)
    url = shop.check(order["orderId"])
    assert f"co_order={order['orderId']}" in url
    assert "co_sig=" in url
    assert "payId" not in url


def test_an_account_that_blocks_refuses_while_its_phone_is_silent(world: World, shop: GogoClient) -> None:
    with world.store.transaction() as db:
        stores.accounts.update(db, account(offline="block"))
    assert refusal(lambda: shop.create("N1", "1")) == "监控端状态异常，请检查"
    world.beat()
    assert shop.create("N1", "1")["state"] == 0


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"payId": "N1", "payId": "N2", "appId": "1001"}', "参数payId重复"),
        (b'{"payId": true, "appId": "1001"}', "参数payId类型错误"),
        (b'{"payId": ["N1"], "appId": "1001"}', "参数payId类型错误"),
        (b'{"payId": {"N1": 1}, "appId": 1001}', "参数payId类型错误"),
        (b'{"payId": null, "appId": 1001}', "请传入商户订单号"),
        (b'{"appId": ["1001"]}', "参数appId类型错误"),
        (b'{"payId": "\\ud800", "appId": 1001}', "参数payId含有非法字符"),
        (b'{"payId": "\\u0000", "appId": 1001}', "参数payId含有非法字符"),
    ],
)
def test_a_json_body_that_names_an_appid_is_refused_with_code_0(world: World, body: bytes, complaint: str) -> None:
    found = world.client.post("/createOrder", data=body, content_type="application/json").get_json()
    assert found == {"code": 0, "msg": complaint, "data": None}


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b"[]", b"appId=1001", b"{" * 60_000])
def test_a_body_that_cannot_be_read_is_refused_with_code_0_when_the_header_names_an_appid(
    world: World, body: bytes
) -> None:
    headers = {"App-Id": "1001"}
    found = world.client.post("/createOrder", data=body, content_type="application/json", headers=headers).get_json()
    assert (found["code"], found["data"]) == (0, None)


def test_json_is_read_with_a_byte_order_mark_and_under_other_content_types(world: World) -> None:
    sign = md5("1001", "N1", "", "1", "1", MERCHANT_KEY)
    text = json.dumps({"appId": 1001, "payId": "N1", "type": 1, "price": 1, "sign": sign, "param": None, "x": [1]})
    for body in (text.encode(), b"\xef\xbb\xbf" + text.encode(), b"\n " + text.encode()):
        for kind in ("application/json", "application/json; charset=utf-8", "application/vnd.api+json"):
            assert world.client.post("/createOrder", data=body, content_type=kind).get_json()["code"] == 1
    assert world.client.post("/createOrder", data=text, content_type="text/plain").get_json()["code"] == 1


def _signed_for_gogo(shop: GogoClient) -> dict[str, str]:
    return {"payId": "N1", "type": "1", "price": "1", "sign": shop.signature("N1", "", "1", "1")}


def test_no_key_and_no_signature_reaches_a_log_or_an_answer(
    world: World, shop: GogoClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    sign = md5("1001", "N1", "", "1", "1", MERCHANT_KEY)
    values = {"payId": "N1", "type": "1", "price": "1", "sign": sign, "isHtml": "1", "notifyUrl": "https://["}
    headers = {"App-Id": "1001", "App-Secret": MERCHANT_KEY}
    answers = [
        world.client.post("/createOrder", data={**values, **change}, headers=headers).data.decode()
        for change in ({}, {"sign": "0" * 32}, {"price": "x" * 40}, {"payId": "\x00"}, {"notifyUrl": ""})
    ]
    for secret in (MERCHANT_KEY, sign):
        assert secret not in caplog.text
        assert not any(secret in answer for answer in answers)

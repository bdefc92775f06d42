"""vmq as a merchant sees it, by a client written from the documents of V免签."""

from __future__ import annotations

import io
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

import pytest
import zxingcpp
from PIL import Image

from checkout import store as stores
from checkout.http.client import Answer, Outgoing, Reason, Unreachable
from checkout.model.accounts import FixedCode, Method
from checkout.model.merchants import Mode
from checkout.model.orders import State
from tests.clients.vmq import Forged, VmqClient, md5
from tests.clients.wire import to_app
from tests.dump import dump
from tests.protocols.support import pay, refusal
from tests.world import DEVICE_KEY, MERCHANT_KEY, START, World, account, answer, merchant

SECOND_KEY = "second-merchants-key-0123456789"


@pytest.fixture
def shop(world: World) -> VmqClient:
    return VmqClient(to_app(world.app), MERCHANT_KEY)


@pytest.fixture
def second(world: World) -> VmqClient:
    """Another merchant on the same server."""
    with world.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002, key=SECOND_KEY, notify_url="https://two.example/n"))
    return VmqClient(to_app(world.app), SECOND_KEY, "/vmq/1002")


# createOrder


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_order_is_created_by_get_and_post(shop: VmqClient, method: str) -> None:
    order = shop.create("N1", "9.9", method=method, param="用户 42&=+%")
    assert order["price"] == order["reallyPrice"] == "9.90"
    assert order["payUrl"] == "wxp://f2f0wechat"
    assert (order["isAuto"], order["state"], order["timeOut"], order["date"]) == (1, 0, 5, START)


def test_the_answer_is_the_documents_json_to_the_byte(world: World) -> None:
    body = world.client.get("/appHeart", query_string={"t": "1", "sign": "x"}).data
    assert body == '{"code":-1,"msg":"参数t错误：应为13位毫秒时间戳","data":null}'.encode()
    t = "1790000000000"
    body = world.client.get("/appHeart", query_string={"t": t, "sign": md5(t, DEVICE_KEY)}).data
    assert body == '{"code":1,"msg":"成功","data":null}'.encode()


def test_both_methods_have_their_code(shop: VmqClient) -> None:
    assert shop.create("N1", "1", "1")["payUrl"] == "wxp://f2f0wechat"
    assert shop.create("N2", "1", "2")["payUrl"] == "https://qr.alipay.com/fkx"


@pytest.mark.parametrize("price", ["10", "0.1", "9.9", "12.50", "999999999.99", "0.01"])
def test_prices_are_verified_in_the_spelling_that_was_signed(shop: VmqClient, price: str) -> None:
    assert shop.create("N1", price)["state"] == 0


def test_a_fixed_amount_code_is_shown_only_when_it_carries_exactly_the_really_price(
    world: World, shop: VmqClient
) -> None:
    with world.store.transaction() as db:
        stores.accounts.set_code(db, FixedCode("wx-main", 990, "wxp://fixed990", START))
    first, second = shop.create("N1", "9.90"), shop.create("N2", "9.90")
    assert (first["payUrl"], first["isAuto"]) == ("wxp://fixed990", 0)
    assert (second["payUrl"], second["isAuto"], second["reallyPrice"]) == ("wxp://f2f0wechat", 1, "9.91")


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_a_signature_may_be_upper_or_lower_case(world: World, case: Callable[[str], str]) -> None:
    values = {"payId": "N1", "type": "1", "price": "1", "sign": case(md5("N1", "", "1", "1", MERCHANT_KEY))}
    assert world.client.post("/createOrder", data=values).get_json()["code"] == 1


ORDER_OF_CHECKS = [
    ("请传入商户订单号", {}),
    ("请传入支付方式=>1|微信 2|支付宝", {"payId": "N1"}),
    ("支付方式错误=>1|微信 2|支付宝", {"payId": "N1", "type": "3"}),
    ("请传入订单金额", {"payId": "N1", "type": "1"}),
    ("请传入签名", {"payId": "N1", "type": "1", "price": "0"}),
    ("签名错误", {"payId": "N1", "type": "1", "price": "0", "sign": "0" * 32}),
]


@pytest.mark.parametrize(("complaint", "values"), ORDER_OF_CHECKS)
def test_the_checks_come_in_the_order_that_clients_know(world: World, complaint: str, values: dict[str, str]) -> None:
    found = world.client.post("/createOrder", data=values)
    assert found.get_json() == {"code": -1, "msg": complaint, "data": None}


@pytest.mark.parametrize("price", ["0", "0.0", "0.00"])
def test_a_price_of_nothing_is_refused_after_the_signature(shop: VmqClient, price: str) -> None:
    assert refusal(lambda: shop.create("N1", price)) == "订单金额必须大于0"


BAD_PRICES = [
    "1e2", "+1", "-1", " 1", "1 ", "1.", ".5", "01", "1.234", "0.001", "1,000", "1_000", "NaN", "Infinity", "１",
    "1٫5", "¥1", "1元", "0x10", "1000000000", "9" * 32, "1.2.3", "null",
]  # fmt: skip


@pytest.mark.parametrize("price", BAD_PRICES)
def test_a_price_outside_the_grammar_is_refused_after_the_signature(world: World, shop: VmqClient, price: str) -> None:
    before = dump(world)
    assert refusal(lambda: shop.create("N1", price)) == "订单金额格式错误"
    assert dump(world) == before


def test_without_a_code_the_owner_is_told_to_set_one_up(world: World, shop: VmqClient) -> None:
    with world.store.transaction() as db:
        stores.accounts.update(db, account(code=""))
    assert refusal(lambda: shop.create("N1", "1")) == "请您先进入后台配置程序"


def test_when_every_amount_is_taken_the_order_is_refused(world: World, shop: VmqClient) -> None:
    with world.store.transaction() as db:
        stores.accounts.update(db, account(max_offset=1))
    shop.create("N1", "1")
    shop.create("N2", "1")
    assert refusal(lambda: shop.create("N3", "1")) == "订单超出负荷，请稍后重试"


def test_a_server_without_any_merchant_says_so(world: World, shop: VmqClient) -> None:
    with world.store.transaction() as db:
        db.run("DELETE FROM merchants")
    assert refusal(lambda: shop.create("N1", "1")) == "请您先进入后台配置程序"
    assert refusal(lambda: shop.state("1790000000")) == "请您先进入后台配置程序"
    assert refusal(lambda: shop.check("0" * 32)) == "云端订单编号不存在"


def test_a_disabled_merchant_is_refused_after_its_signature(world: World, shop: VmqClient) -> None:
    world.change_merchant(disabled_at=START)
    assert refusal(lambda: shop.create("N1", "1")) == "商户已停用"
    wrong = VmqClient(shop.wire, "another key, wrong")
    assert refusal(lambda: wrong.create("N1", "1")) == "签名错误"


# The same number again


def test_the_same_number_again_gives_the_same_order_while_it_waits(world: World, shop: VmqClient) -> None:
    first = shop.create("N1", "9.90", param="a")
    before = dump(world)
    assert shop.create("N1", "9.90", param="a") == first
    assert shop.create("N1", "9.9", param="a") == first
    assert dump(world) == before


@pytest.mark.parametrize("change", [{"price": "9.91"}, {"kind": "2"}, {"param": "b"}])
def test_the_same_number_with_other_details_is_a_duplicate(shop: VmqClient, change: dict[str, str]) -> None:
    asked = {"price": "9.90", "kind": "1", "param": "a"}
    shop.create("N1", **asked)
    assert refusal(lambda: shop.create("N1", **{**asked, **change})) == "商户订单号已存在"


def test_the_number_of_a_paid_order_is_a_duplicate(world: World, shop: VmqClient) -> None:
    pay(world, shop.create("N1", "9.90"))
    assert refusal(lambda: shop.create("N1", "9.90")) == "商户订单号已存在"


def test_without_reuse_every_repeat_is_a_duplicate(world: World, shop: VmqClient) -> None:
    world.change_merchant(reuse=False)
    shop.create("N1", "9.90")
    assert refusal(lambda: shop.create("N1", "9.90")) == "商户订单号已存在"


def test_the_number_of_an_expired_order_may_be_asked_for_again(world: World, shop: VmqClient) -> None:
    first = shop.create("N1", "9.90")
    world.clock.go(301)
    again = shop.create("N1", "9.90")
    assert again["orderId"] != first["orderId"]
    assert shop.order(first["orderId"])["state"] == -1


def test_an_order_that_a_browser_was_sent_to_counts_as_shown_once_json_carries_its_code(
    world: World, shop: VmqClient
) -> None:
    world.change_merchant(mode=Mode.COMPAT)
    token = shop.html("N1", "9.90").rpartition("/")[2]
    assert world.order(token).shown_at is None
    assert shop.create("N1", "9.90")["orderId"] == token
    assert world.order(token).shown_at == START


# getOrder, checkOrder, closeOrder, getState, enQrcode, the page


def test_an_order_is_read_back_in_every_state(world: World, shop: VmqClient) -> None:
    waiting = shop.create("N1", "9.90")
    assert shop.order(waiting["orderId"]) == waiting
    pay(world, waiting)
    assert shop.order(waiting["orderId"])["state"] == 2
    world.work()
    assert shop.order(waiting["orderId"])["state"] == 1
    closed = shop.create("N2", "8.00")
    shop.close(closed["orderId"])
    assert shop.order(closed["orderId"])["state"] == -1


def test_the_code_of_an_ended_order_can_pay_nobody_elses(world: World, shop: VmqClient) -> None:
    waiting = shop.create("N1", "9.90")
    world.clock.go(300)
    ended = shop.order(waiting["orderId"])
    assert waiting["payUrl"].startswith("wxp://")
    assert ended["payUrl"].endswith(f"/pay/{waiting['orderId']}")


def test_reading_the_order_counts_as_showing_its_code(world: World, shop: VmqClient) -> None:
    world.change_merchant(mode=Mode.COMPAT)
    token = shop.html("N1", "9.90").rpartition("/")[2]
    shop.order(token)
    assert world.order(token).shown_at == START


def test_a_waiting_and_an_ended_order_are_no_return(world: World, shop: VmqClient) -> None:
    token = shop.create("N1", "9.90")["orderId"]
    assert refusal(lambda: shop.check(token)) == "订单未支付"
    world.clock.go(300)
    assert refusal(lambda: shop.check(token)) == "订单已过期"
    closed = shop.create("N2", "9.90")["orderId"]
    shop.close(closed)
    assert refusal(lambda: shop.check(closed)) == "订单已过期"


@pytest.mark.parametrize("token", ["", "0" * 32, "f" * 31, "1' OR '1'='1", "ｆ" * 32, "F" * 32])
def test_an_unknown_order_does_not_exist(shop: VmqClient, token: str) -> None:
    assert refusal(lambda: shop.order(token)) == "云端订单编号不存在"
    assert refusal(lambda: shop.check(token)) == "云端订单编号不存在"
    assert refusal(lambda: shop.close(token)) == "云端订单编号不存在"
    assert refusal(lambda: shop.ask("/payPage/pay.html", {"orderId": token}, "GET")) == "云端订单编号不存在"


def test_in_compat_mode_the_return_carries_the_legacy_signature(world: World, shop: VmqClient) -> None:
    world.change_merchant(mode=Mode.COMPAT)
    order = shop.create("N 1", "9.9", param="a&b=c")
    pay(world, order)
    url = shop.check(order["orderId"])
    assert url.startswith("https://shop.example/return?payId=N%201&param=a%26b%3Dc&type=1&price=9.90&reallyPrice=9.90&")
    assert shop.returned(url)["payId"] == "N 1"


def test_in_strict_mode_the_return_carries_the_token_and_the_native_signature(world: World, shop: VmqClient) -> None:
    order = shop.create("N1", "9.90")
    pay(world, order)
    url = shop.check(order["orderId"])
    assert f"co_order={order['orderId']}" in url
    assert "co_sig=" in url
    assert "payId" not in url
    with pytest.raises(Forged):
        shop.returned(url)


def test_without_a_return_address_the_buyer_stays_on_our_page(world: World, shop: VmqClient) -> None:
    world.change_merchant(return_url="")
    order = shop.create("N1", "9.90")
    pay(world, order)
    assert shop.check(order["orderId"]) == f"http://127.0.0.1:8000/pay/{order['orderId']}"


@pytest.mark.parametrize(
    ("address", "start"),
    [
        ("https://shop.example/r", "https://shop.example/r?payId="),
        ("https://shop.example/r?a=1", "https://shop.example/r?a=1&payId="),
        ("https://shop.example/#/order/N1", "https://shop.example/#/order/N1?payId="),
        ("https://shop.example/?a=1#/order/N1", "https://shop.example/?a=1#/order/N1&payId="),
    ],
)
def test_a_return_address_keeps_its_query_and_its_fragment(
    world: World, shop: VmqClient, address: str, start: str
) -> None:
    world.change_merchant(mode=Mode.COMPAT)
    order = shop.create("N1", "9.90", returnUrl=address)
    pay(world, order)
    assert shop.check(order["orderId"]).startswith(start)


@pytest.mark.parametrize("path", ["/closeOrder", "/index/index/closeOrder"])
def test_a_waiting_order_is_closed_once_in_both_spellings(world: World, shop: VmqClient, path: str) -> None:
    token = shop.create("N1", "9.90")["orderId"]
    shop.close(token, path)
    assert world.order(token).state is State.CLOSED
    assert refusal(lambda: shop.close(token, path)) == "订单状态不允许关闭"


def test_a_paid_or_expired_order_cannot_be_closed(world: World, shop: VmqClient) -> None:
    paid = shop.create("N1", "9.90")
    pay(world, paid)
    assert refusal(lambda: shop.close(paid["orderId"])) == "订单状态不允许关闭"
    expired = shop.create("N2", "9.90")
    world.clock.go(300)
    assert refusal(lambda: shop.close(expired["orderId"])) == "订单状态不允许关闭"


@pytest.mark.parametrize("sign", [None, "", "0" * 32, md5("0" * 32, MERCHANT_KEY)])
def test_closing_needs_the_signature_over_this_order_whether_it_exists_or_not(
    world: World, shop: VmqClient, sign: str | None
) -> None:
    token = shop.create("N1", "9.90")["orderId"]
    before = dump(world)
    for order_id in (token, "f" * 32):
        values = {"orderId": order_id} | ({"sign": sign} if sign is not None else {})
        assert refusal(lambda values=values: shop.ask("/closeOrder", values, "POST")) == "签名校验不通过"  # type: ignore[misc]
    assert dump(world) == before


def test_the_phones_state_is_told_in_strings(world: World, shop: VmqClient) -> None:
    assert shop.state("1790000000") == {"lastheart": "0", "lastpay": "0", "state": "-1", "jkstate": "-1"}
    world.beat()
    world.clock.go(10)
    world.push("1.00")
    assert shop.state("1790000000000")["lastheart"] == str(START + 10)
    assert shop.state("1790000000")["lastpay"] == str(START + 10)
    assert shop.state("1790000000")["state"] == "1"
    world.clock.go(180)
    assert shop.state("1790000000")["state"] == "0"


@pytest.mark.parametrize("t", ["", "1", "abc", "179000000", "17900000000000", "１７９０００００００"])
def test_the_time_of_get_state_is_seconds_or_milliseconds(shop: VmqClient, t: str) -> None:
    assert refusal(lambda: shop.state(t)) == "签名校验不通过"


def test_our_own_codes_are_drawn_and_nobody_elses(world: World, shop: VmqClient) -> None:
    with world.store.transaction() as db:
        stores.accounts.set_code(db, FixedCode("wx-main", 990, "wxp://fixed990", START))
    for text in ("wxp://f2f0wechat", "wxp://fixed990"):
        reply = shop.send("/enQrcode", {"url": text}, "GET")
        assert reply.headers["content-type"] == "image/png"
        (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(reply.body)))
        assert found.text == text
    for text in ("", "https://evil.example/", "wxp://f2f0wechat "):
        assert refusal(lambda text=text: shop.ask("/enQrcode", {"url": text}, "GET")) == "二维码内容不存在"  # type: ignore[misc]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_page_address_of_vmq_leads_to_our_page(world: World, shop: VmqClient, method: str) -> None:
    token = shop.create("N1", "9.90")["orderId"]
    reply = shop.send("/payPage/pay.html", {"orderId": token}, method)
    assert (reply.status, reply.headers["location"]) == (302, f"http://127.0.0.1:8000/pay/{token}")


# The callback


def test_the_callback_is_one_get_that_verifies(world: World, shop: VmqClient) -> None:
    order = shop.create("N 1", "9.9", param="张三 a+b&c=d?e#f/g")
    pay(world, order)
    world.work()
    (sent,) = world.outside.sent
    values = shop.callback(sent.method, sent.url, sent.body)
    assert values["param"] == "张三 a+b&c=d?e#f/g"
    assert (values["price"], values["reallyPrice"], values["type"]) == ("9.90", "9.90", "1")
    assert "+" not in urlsplit(sent.url).query
    assert unquote(urlsplit(sent.url).query).startswith("payId=N 1&param=张三 a+b")
    assert world.work() == 0


def test_the_callback_names_the_asked_and_the_really_paid_amount(world: World, shop: VmqClient) -> None:
    shop.create("N1", "9.9")
    pay(world, shop.create("N2", "9.9"))
    world.work()
    values = shop.callback("GET", world.outside.sent[0].url, b"")
    assert (values["payId"], values["price"], values["reallyPrice"]) == ("N2", "9.90", "9.91")


@pytest.mark.parametrize(
    ("address", "start"),
    [
        ("https://shop.example/n", "https://shop.example/n?payId=N1&"),
        ("https://shop.example/n?a=1", "https://shop.example/n?a=1&payId=N1&"),
        ("https://shop.example/n#part", "https://shop.example/n?payId=N1&"),
    ],
)
def test_the_callback_goes_to_the_orders_own_address(world: World, shop: VmqClient, address: str, start: str) -> None:
    pay(world, shop.create("N1", "9.90", notifyUrl=address))
    world.work()
    assert world.outside.sent[0].url.startswith(start)


def test_nothing_is_sent_for_an_order_that_is_not_paid(world: World, shop: VmqClient) -> None:
    shop.close(shop.create("N1", "9.90")["orderId"])
    shop.create("N2", "9.90")
    world.clock.go(10_000)
    assert world.work() == 0
    assert world.outside.sent == []


def test_an_unacknowledged_callback_is_repeated_word_for_word_and_then_never_again(
    world: World, shop: VmqClient
) -> None:
    replies: list[Answer | Unreachable] = [answer(500), Unreachable(Reason.TIMEOUT, "late"), answer(200, b" Success\n")]

    def reply(request: Outgoing) -> Answer:
        found = replies.pop(0)
        if isinstance(found, Unreachable):
            raise found
        return found

    world.outside.reply = reply
    order = shop.create("N1", "9.90")
    pay(world, order)
    for _ in range(6):
        world.work()
        world.clock.go(3600)
    assert len({sent.url for sent in world.outside.sent}) == 1
    assert len(world.outside.sent) == 3
    assert shop.order(order["orderId"])["state"] == 1


# Other merchants, keys in rotation


def test_another_merchant_lives_under_its_own_path(world: World, shop: VmqClient, second: VmqClient) -> None:
    order = second.create("N1", "9.90")
    assert second.order(order["orderId"]) == order
    pay(world, order)
    assert "two.example" not in second.check(order["orderId"])
    world.work()
    assert second.callback("GET", world.outside.sent[0].url, b"")["payId"] == "N1"
    assert second.state("1790000000")["state"] == "1"
    with pytest.raises(Forged):
        shop.callback("GET", world.outside.sent[0].url, b"")


def test_merchants_do_not_see_each_others_orders(shop: VmqClient, second: VmqClient) -> None:
    mine, theirs = shop.create("N1", "9.90")["orderId"], second.create("N1", "9.90")["orderId"]
    assert mine != theirs
    for client, token in ((shop, theirs), (second, mine)):
        assert refusal(lambda client=client, token=token: client.order(token)) == "云端订单编号不存在"  # type: ignore[misc]
        assert refusal(lambda client=client, token=token: client.check(token)) == "云端订单编号不存在"  # type: ignore[misc]
        assert refusal(lambda client=client, token=token: client.close(token)) == "云端订单编号不存在"  # type: ignore[misc]


def test_a_key_opens_only_its_own_merchant(world: World, shop: VmqClient, second: VmqClient) -> None:
    before = dump(world)
    assert refusal(lambda: VmqClient(shop.wire, SECOND_KEY).create("N1", "1")) == "签名错误"
    assert refusal(lambda: VmqClient(shop.wire, MERCHANT_KEY, "/vmq/1002").create("N1", "1")) == "签名错误"
    assert dump(world) == before


def test_the_first_merchants_number_serves_too(shop: VmqClient) -> None:
    assert VmqClient(shop.wire, MERCHANT_KEY, "/vmq/1001").create("N1", "1")["state"] == 0


@pytest.mark.parametrize("number", ["0", "9999", "01001", "-1", "１００１", "9" * 30, "9" * 5000, "a", "1001.0"])
def test_an_unknown_merchants_path_is_refused(world: World, shop: VmqClient, number: str) -> None:
    client = VmqClient(shop.wire, MERCHANT_KEY, f"/vmq/{number}")
    assert refusal(lambda: client.create("N1", "1")) == "商户不存在"
    assert refusal(lambda: client.state("1790000000")) == "商户不存在"
    assert refusal(lambda: client.order("0" * 32)) == "云端订单编号不存在"


def test_a_rotated_key_is_accepted_for_its_day_and_callbacks_carry_the_new_one(world: World, shop: VmqClient) -> None:
    new = "the-new-key-of-the-merchant-0001"
    world.change_merchant(key=new, previous_key=MERCHANT_KEY, previous_key_until=START + 86_400)
    token = shop.create("N1", "9.90")["orderId"]
    fresh = VmqClient(shop.wire, new)
    fresh.create("N2", "9.90")
    assert shop.state("1790000000") == fresh.state("1790000000")
    shop.close(token)
    pay(world, shop.create("N3", "7.00"))
    world.work()
    assert fresh.callback("GET", world.outside.sent[0].url, b"")["payId"] == "N3"
    world.clock.go(86_400)
    assert refusal(lambda: shop.create("N4", "9.90")) == "签名错误"
    assert fresh.create("N4", "9.90")["state"] == 0


# The rules of every route


def test_query_and_body_may_say_the_same_and_nothing_else(world: World) -> None:
    values = {"payId": "N1", "type": "1", "price": "1", "sign": md5("N1", "", "1", "1", MERCHANT_KEY)}
    both = world.client.post("/createOrder", query_string=values, data=values).get_json()
    assert both["code"] == 1
    split = world.client.post("/createOrder?payId=N1&type=1", data={"price": "1", "sign": values["sign"]}).get_json()
    assert split["data"]["orderId"] == both["data"]["orderId"]
    differ = world.client.post("/createOrder", query_string={**values, "price": "2"}, data=values).get_json()
    assert differ == {"code": -1, "msg": "参数price重复", "data": None}


def test_unknown_parameters_are_ignored_however_they_look(world: World) -> None:
    sign = md5("N1", "", "1", "1", MERCHANT_KEY)
    body = f"payId=N1&type=1&price=1&sign={sign}&x=1&x=2&y=%00&z={'z' * 5000}"
    assert (
        world.client.post("/createOrder", data=body, content_type="application/x-www-form-urlencoded").get_json()[
            "code"
        ]
        == 1
    )


@pytest.mark.parametrize("path", ["//createOrder", "/vmq//1001/createOrder", "///index//index/closeOrder"])
def test_doubled_slashes_are_one_slash_and_never_a_redirect(world: World, path: str) -> None:
    found = world.app.test_client().post("/", environ_overrides={"PATH_INFO": path})
    assert found.get_json()["code"] == -1


def test_text_that_was_not_percent_encoded_is_read_as_utf8(world: World) -> None:
    sign = md5("N1", "中文", "1", "1", MERCHANT_KEY)
    body = f"payId=N1&param=中文&type=1&price=1&sign={sign}".encode()
    found = world.client.post("/createOrder", data=body, content_type="application/x-www-form-urlencoded").get_json()
    assert world.order(found["data"]["orderId"]).param == "中文"


def test_no_cookie_and_no_secret_leaves_with_an_answer(world: World) -> None:
    found = world.client.post("/createOrder", data={"payId": "N1"})
    assert "Set-Cookie" not in found.headers
    assert found.headers["Cache-Control"] == "no-store"


def test_a_second_phones_money_pays_an_order_of_its_own_account_only(world: World, shop: VmqClient) -> None:
    with world.store.transaction() as db:
        stores.accounts.update(db, account(disabled_at=START))
        stores.accounts.add(db, account(id="wx-two", method=Method.WECHAT, code="wxp://two"))
    order = shop.create("N1", "9.90")
    assert order["payUrl"] == "wxp://two"
    world.push("9.90")
    assert shop.order(order["orderId"])["state"] == 0

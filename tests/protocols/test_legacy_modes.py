"""What the legacy signatures cannot keep safe, and how a merchant's mode answers it."""

from __future__ import annotations

import base64
import hashlib
import random
import re
from collections.abc import Iterator

import pytest

from checkout.model.merchants import Mode
from tests.clients.gogo import GogoClient
from tests.clients.vmq import VmqClient, cents, md5
from tests.clients.wire import to_app
from tests.dump import dump
from tests.protocols.support import refusal
from tests.world import MERCHANT_KEY, World

PRICE = re.compile(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,2})?")
Create = tuple[str, str, str, str]  # payId, param, type, price


@pytest.fixture
def vmq(world: World) -> VmqClient:
    return VmqClient(to_app(world.app), MERCHANT_KEY)


@pytest.fixture
def gogo(world: World) -> GogoClient:
    return GogoClient(to_app(world.app), MERCHANT_KEY, app_id="1001")


# A signed link in a browser


def test_in_strict_mode_no_browser_may_carry_a_signed_create_link(world: World, vmq: VmqClient) -> None:
    before = dump(world)
    assert refusal(lambda: vmq.html("N1", "1")).endswith("checkout merchant set 1001 --mode compat")
    assert dump(world) == before


def test_in_strict_mode_a_server_shows_itself_by_the_app_secret(world: World, gogo: GogoClient) -> None:
    assert gogo.html("N1", "1").startswith("http://127.0.0.1:8000/pay/")
    values = {"appId": "1001", "payId": "N2", "type": "1", "price": "1", "isHtml": "1"}
    values["sign"] = gogo.signature("N2", "", "1", "1")
    before = dump(world)
    for headers in ({}, {"App-Secret": ""}, {"App-Secret": "wrong"}, {"App-Secret": MERCHANT_KEY.upper()}):
        found = world.client.post("/createOrder", data=values, headers=headers).get_json()
        assert found["code"] == 0
        assert found["msg"].endswith("checkout merchant set 1001 --mode compat")
    assert dump(world) == before
    assert world.client.post("/createOrder", data=values, headers={"App-Secret": MERCHANT_KEY}).status_code == 200
    assert dump(world) != before


@pytest.mark.parametrize("is_html", ["0", "", "2", "true", "１"])
def test_only_a_one_asks_for_a_page(vmq: VmqClient, is_html: str) -> None:
    assert vmq.create("N1", "1", isHtml=is_html)["state"] == 0


def test_the_page_has_the_shape_that_a_known_plugin_cuts_and_browsers_follow(world: World, vmq: VmqClient) -> None:
    world.change_merchant(mode=Mode.COMPAT)
    url = vmq.html("N1", "9.90")
    token = url.rpartition("/")[2]
    assert url == f"http://127.0.0.1:8000/pay/{token}"
    assert world.order(token).shown_at is None
    sign = vmq.signature("N2", "", "1", "8")
    reply = vmq.send("/createOrder", {"payId": "N2", "type": "1", "price": "8", "sign": sign, "isHtml": "1"})
    (script,) = re.findall(r"<script>(.*?)</script>", reply.body.decode())
    assert re.fullmatch(r"window\.location\.href = 'http://127\.0\.0\.1:8000/pay/[0-9a-f]{32}'", script)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in reply.headers["content-security-policy"]
    assert "unsafe" not in reply.headers["content-security-policy"]
    address = script.split("'")[1]
    assert f'<noscript><a href="{address}">{address}</a></noscript>' in reply.body.decode()


# Addresses of strangers


@pytest.mark.parametrize("name", ["notifyUrl", "returnUrl"])
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/", "https://shop.example.evil.example/", "https://evil-shop.example/",
        "https://xshop.example/", "http://sub.shop.example/",
    ],
)  # fmt: skip
def test_in_strict_mode_messages_go_to_the_merchants_own_hosts(
    world: World, vmq: VmqClient, gogo: GogoClient, name: str, url: str
) -> None:
    before = dump(world)
    for client in (vmq, gogo):
        complaint = refusal(lambda client=client: client.create("N1", "1", **{name: url}))  # type: ignore[misc]
        assert complaint.startswith(f"{name}的域名不在商户名单内")
        assert "checkout merchant set 1001 --allow-host " in complaint
        assert "--mode compat" in complaint
    assert dump(world) == before


def test_a_host_on_the_list_is_the_merchants_own(world: World, vmq: VmqClient) -> None:
    world.change_merchant(allow_hosts=("Other.example",))
    vmq.create("N1", "1", notifyUrl="https://other.example/n", returnUrl="http://OTHER.example/r")
    vmq.create("N2", "1", notifyUrl="https://shop.example:8443/n")
    assert refusal(lambda: vmq.create("N3", "1", notifyUrl="https://third.example/"))


def test_in_compat_mode_any_public_host_will_do(world: World, vmq: VmqClient) -> None:
    world.change_merchant(mode=Mode.COMPAT)
    assert vmq.create("N1", "1", notifyUrl="https://third.example/", returnUrl="https://fourth.example/")


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("name", ["notifyUrl", "returnUrl"])
@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "ftp://shop.example/", "//shop.example/", "shop.example",
        "https://", "https://[", "https://[::1", "https://a@shop.example/", "https://shop.example\\@evil.example/",
        "https://shop.example/\\evil", "https://shop.example/ x", "https://店.example/", "http://2130706433/",
        "http://0x7f.1/", "https://shop.example:99999/", "https://shop.example:/", "HTTPS:/shop.example", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_an_address_outside_the_plain_form_is_refused_in_both_modes(
    world: World, vmq: VmqClient, mode: Mode, name: str, url: str
) -> None:
    world.change_merchant(mode=mode)
    before = dump(world)
    assert refusal(lambda: vmq.create("N1", "1", **{name: url})).startswith(f"{name}不可用")
    assert dump(world) == before


# A create signature that fits a cheaper order


def recuts(asked: Create, start: int) -> Iterator[Create]:
    """Every other way to read what was signed as an order for less, under the number that ends at `start`."""
    text = "".join(asked)
    for at in range(start, len(text) - 1):
        cut = (text[:start], text[start:at], text[at], text[at + 1 :])
        if cut[2] in "12" and PRICE.fullmatch(cut[3]) and 0 < cents(cut[3]) < cents(asked[3]):
            yield cut


def realistic(chance: random.Random) -> Create:
    number = chance.choice([str(chance.randrange(10**12, 10**13)), f"N{chance.randrange(10**6)}", "2026-07-01-a1b2"])
    param = chance.choice(["", "", "vip", "user-42", "a1", str(chance.randrange(10**5)), "u_7.25", "张三2"])
    yuan, fen = chance.choice([9, 19, 21, 29, 99, 112, 128, 199, 1299]), chance.choice(["", ".9", ".90", ".12", ".01"])
    return number, param, chance.choice("12"), f"{yuan}{fen}"


def test_with_guard_param_no_signed_order_can_be_cut_into_a_cheaper_one(world: World) -> None:
    world.change_merchant(mode=Mode.COMPAT, guard_param=True)
    before, chance, tried = dump(world), random.Random(1), 0
    client = world.client
    for _ in range(3000):
        asked = realistic(chance)
        sign = md5(*asked, MERCHANT_KEY)
        elsewhere = chance.randrange(1, len(asked[0] + asked[1]) + 1)
        for number, param, kind, price in (*recuts(asked, len(asked[0])), *recuts(asked, elsewhere)):
            values = {"payId": number, "param": param, "type": kind, "price": price, "sign": sign}
            found = client.post("/createOrder", data=values).get_json()
            assert found["code"] == -1, values
            assert found["msg"].startswith("param不能以1或2开头的数字结尾")
            tried += 1
    assert tried > 1000
    assert dump(world) == before


def test_without_the_guard_such_a_cut_is_an_order_so_the_test_above_tests_something(world: World) -> None:
    cut = next(recuts(("N1", "", "1", "19.90"), start=2))
    values = dict(zip(("payId", "param", "type", "price"), cut, strict=True))
    assert cut == ("N1", "1", "1", "9.90")
    values["sign"] = md5("N1", "", "1", "19.90", MERCHANT_KEY)
    assert world.client.post("/createOrder", data=values).get_json()["data"]["price"] == "9.90"


@pytest.mark.parametrize("param", ["", "vip", "user-", "user42", "a1b", "3", "99", "张三", "1a", "40.75"])
def test_the_guard_lets_words_pass(world: World, vmq: VmqClient, gogo: GogoClient, param: str) -> None:
    world.change_merchant(guard_param=True)
    expected = re.search(r"[12][0-9.]*\Z", param)
    for number, client in enumerate((vmq, gogo)):
        if expected:
            assert "--no-guard-param" in refusal(
                lambda client=client, number=number: client.create(f"N{number}", "1", param=param)  # type: ignore[misc]
            )
        else:
            assert client.create(f"N{number}", "1", param=param)

"""What docs/dialects tells shops to write: each snippet is run as it stands, on genuine callbacks and forged ones.

A snippet defines `is_paid(values, order)`: whether a callback says that the order, as the shop has stored it, was paid.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from Crypto.PublicKey import RSA
from msgspec.structs import replace

from checkout.model.merchants import Merchant
from checkout.model.orders import Order, State
from tests.conftest import skip_or_fail
from tests.world import MERCHANT_KEY, World, md5, merchant

DIALECTS = Path(__file__).resolve().parent.parent / "docs" / "dialects"
PLATFORM = RSA.generate(2048)
PUBLIC = base64.b64encode(PLATFORM.public_key().export_key("DER")).decode()

Values = dict[str, Any]
Judge = Callable[[Iterable[Values], Mapping[str, str]], list[bool]]


@dataclass(frozen=True)
class Page:
    """A dialect's page: the constants that a shop fills in, and what it has stored of the order below."""

    constants: dict[str, str]
    order: dict[str, str]


ORDER = {"payId": "N1", "param": "p-7", "type": "1", "price": "9.90"}
MONEY = {"out_trade_no": "N1", "money": "9.90"}
PAGES = {
    "vmq": Page({"KEY": MERCHANT_KEY}, ORDER),
    "gogo": Page({"APPID": "1001", "APPSECRET": MERCHANT_KEY}, ORDER),
    "bufpay": Page({"SECRET": MERCHANT_KEY}, {"order_id": "N1", "order_uid": "u-7", "price": "9.9"}),
    "epay": Page({"PID": "1001", "KEY": MERCHANT_KEY}, MONEY),
    "epay-v2": Page({"PID": "1001", "PLATFORM_PUBLIC_KEY": PUBLIC}, MONEY),
}
LANGUAGES = [(language, page) for language in ("python", "php") for page in ("en", "zh")]
each_snippet = pytest.mark.parametrize(("language", "page"), LANGUAGES, ids="-".join)
each_dialect = pytest.mark.parametrize("dialect", PAGES)


@each_dialect
@each_snippet
def test_a_genuine_callback_is_believed(world: World, dialect: str, language: str, page: str) -> None:
    judge = snippet(dialect, language, page)
    values, stored = callback(world, dialect), PAGES[dialect].order
    assert judge([values, {**values, "sign": upper(dialect, values["sign"])}], stored) == [True, True]


@each_dialect
@each_snippet
def test_a_callback_with_a_value_missing_empty_changed_or_doubled_is_not(
    world: World, dialect: str, language: str, page: str
) -> None:
    judge = snippet(dialect, language, page)
    genuine, stored = callback(world, dialect), PAGES[dialect].order
    signed = [name for name in genuine if name != "sign_type"]
    forged = [{k: v for k, v in genuine.items() if k != name} for name in signed]
    forged += [{**genuine, name: other} for name in signed for other in ("", genuine[name][:-1] + "~", "０")]
    if language == "php":
        forged += [{**genuine, name: [genuine[name]]} for name in signed]  # sign[]=…
    assert judge(forged, stored) == [False] * len(forged)


@each_dialect
@each_snippet
def test_the_callback_of_another_order_is_not_believed(world: World, dialect: str, language: str, page: str) -> None:
    judge = snippet(dialect, language, page)
    others = [
        callback(world, dialect, number="N2"),
        callback(world, dialect, price=10, price_text="0.1", really_price=10),
    ]
    assert judge(others, PAGES[dialect].order) == [False, False]


@pytest.mark.parametrize("dialect", ["vmq", "gogo"])
@each_snippet
def test_a_signed_order_is_no_notice_however_it_is_cut(dialect: str, language: str, page: str) -> None:
    judge = snippet(dialect, language, page)
    first = PAGES[dialect].constants.get("APPID", "")
    created = {**ORDER, "reallyPrice": "", "sign": md5(first, *ORDER.values(), MERCHANT_KEY)}
    dear = {"payId": "N1", "param": "", "type": "1", "price": "12.90"}
    paid_cheaply = md5(first, "N1", "1", "1", "2.90", "2.90", MERCHANT_KEY)
    cut = {**dear, "reallyPrice": "2.90", "sign": paid_cheaply}
    assert md5(first, *dear.values(), "2.90", MERCHANT_KEY) == paid_cheaply, "it would be well signed"
    assert judge([created], ORDER) == judge([cut], dear) == [False]
    assert judge([{**created, "price": ""}], {**ORDER, "price": ""}) == [False]


@each_snippet
def test_a_signed_order_of_epay_is_no_notice(language: str, page: str) -> None:
    order = {"money": "9.90", "name": "N1", "notify_url": "https://shop.example/n", "out_trade_no": "N1", "pid": "1001"}
    text = "&".join(f"{name}={value}" for name, value in order.items())
    assert snippet("epay", language, page)([{**order, "sign": md5(text, MERCHANT_KEY)}], MONEY) == [False]


@each_snippet
def test_a_bufpay_callback_that_is_cut_anew_is_not_believed(language: str, page: str) -> None:
    judge = snippet("bufpay", language, page)
    aoid = "a" * 32
    cheap = md5(aoid, "81", "", "2.90", "2.90", MERCHANT_KEY)
    dear = {"order_id": "8", "order_uid": "", "price": "12.90"}
    assert judge([{"aoid": aoid, **dear, "pay_price": "2.90", "sign": cheap}], dear) == [False]


@each_snippet
def test_an_old_callback_of_epay_v2_is_not_believed(world: World, language: str, page: str) -> None:
    judge = snippet("epay-v2", language, page)
    assert judge([callback(world, "epay-v2", now=int(time.time()) - 301)], MONEY) == [False]


@each_dialect
def test_both_languages_of_a_page_hold_the_same_code(dialect: str) -> None:
    for language in ("python", "php"):
        english, chinese = (without_words(code_of(dialect, language, page)) for page in ("en", "zh"))
        assert english == chinese


def callback(world: World, dialect: str, *, now: int | None = None, **changes: Any) -> Values:
    """The values that a notify page reads of a callback that the program makes for a paid order of 9.90."""
    order, owner = paid_order(world, **changes), with_keys()
    name = dialect.replace("-", "_")
    sent = world.parts.dialects[name].callback(order, owner, "https://shop.example/notify", now or int(time.time()))
    text = sent.body.decode() if sent.method == "POST" else sent.url.partition("?")[2]
    return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True))


def paid_order(world: World, **changes: Any) -> Order:
    data = world.create("N1", "9.9", param="p-7")["data"]
    order = world.order(data["orderId"])
    details = {"title": "书 & 'pen'", "buyer": "u-7", "price_text": "9.9", "really_price": 991}
    return replace(order, state=State.PAID, paid_at=order.created_at, **{**details, **changes})


def with_keys() -> Merchant:
    return merchant(rsa_platform=PLATFORM.export_key(pkcs=8).decode())


def upper(dialect: str, sign: str) -> str:
    """MD5 may be written either way, base64 may not."""
    return sign if dialect == "epay-v2" else sign.upper()


def snippet(dialect: str, language: str, page: str) -> Judge:
    code, constants = code_of(dialect, language, page), PAGES[dialect].constants
    return as_python(code, constants) if language == "python" else as_php(code, constants)


def as_python(code: str, constants: Mapping[str, str]) -> Judge:
    place: dict[str, Any] = {}
    exec(code, place)  # noqa: S102 - it is what shops are told to run
    assert constants.keys() <= place.keys()
    place |= constants
    return lambda callbacks, order: [place["is_paid"](values, order) for values in callbacks]


def as_php(code: str, constants: Mapping[str, str]) -> Judge:
    php = shutil.which("php")
    if php is None:
        skip_or_fail("php", "there is no php to run the snippet with")
        raise AssertionError("not reached")
    for name, value in constants.items():
        code, count = re.subn(rf"(?m)^const {name} = '.*';$", f"const {name} = '{value}';", code)
        assert count == 1, name
    tail = (
        "[$callbacks, $order] = json_decode(stream_get_contents(STDIN), true);\n"
        "echo json_encode(array_map(fn ($values) => is_paid($values, $order), $callbacks));\n"
    )

    def judge(callbacks: Iterable[Values], order: Mapping[str, str]) -> list[bool]:
        told = json.dumps([list(callbacks), order])
        done = subprocess.run([php, "-d", "display_errors=stderr", "-r", code.removeprefix("<?php") + tail],
                              input=told, capture_output=True, text=True, check=True)  # fmt: skip
        assert not done.stderr
        found: list[bool] = json.loads(done.stdout)
        return found

    return judge


def code_of(dialect: str, language: str, page: str) -> str:
    text = (DIALECTS / f"{dialect}.{page}.md").read_text(encoding="utf-8")
    found: list[str] = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)
    assert len(found) == 1
    return found[0]


def without_words(code: str) -> str:
    """The code without its comments and the placeholders, which are in the page's language."""
    return re.sub(r"(#|//) .*|(?<=['\"])(the key|该商户).*?(?=['\"])", "", code)

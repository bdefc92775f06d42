"""createOrder before Flask and in its route: odd requests at random, answered alike to the byte by both."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import quote

import pytest

from checkout import plain
from checkout.model.merchants import Mode
from tests.world import MERCHANT_KEY, START, World, md5

FORM = "application/x-www-form-urlencoded"
REQUESTS = 150
NAMES = [
    "payId", "type", "price", "sign", "param", "isHtml", "notifyUrl", "returnUrl", "appId", "app%49d", "pay%49d",
    "title", "other",
]  # fmt: skip
VALUES = [
    "", "1", "2", "3", "N2", "9.90", "1e2", "0", "1001", "%00", "%ff", "%EF%BF%BD", "用户", "+", "%2B", "a%20b", "%7F",
    "x" * 101, "x" * 2049, "%C2%85", "%", "%zz", "&", "=", ";", "%ED%A0%80", "https://other.example/",
]  # fmt: skip
PATHS = ["/createOrder", "/vmq/1001/createOrder", "/vmq/9/createOrder", "/vmq/0/createOrder", "//createOrder"]
KINDS = [FORM, FORM, FORM.upper(), f"{FORM}; charset=gbk", f"{FORM};", "text/plain", "application/json", ""]
HEADERS = [
    {}, {}, {}, {"App-Id": "1001"}, {"App-Id": ""}, {"App-Secret": MERCHANT_KEY}, {"Host": "a b"}, {"Host": ""},
    {"Cookie": "a=b", "Accept-Language": "zh"}, {"X-Forwarded-For": "192.0.2.1"},
]  # fmt: skip


def signed(dice: random.Random) -> list[tuple[str, str]]:
    number, price, kind = dice.choice(["N1", "N2", "N3"]), dice.choice(["9.90", "1", "0.01"]), dice.choice("12")
    param = dice.choice(["", "abc", "用户 +"])
    sign = md5(number, param, kind, price, MERCHANT_KEY)
    values = {"payId": number, "type": kind, "price": price, "param": param, "sign": sign}
    return [(name, quote(value, safe="")) for name, value in values.items()]


def odd(dice: random.Random) -> dict[str, Any]:
    pairs = signed(dice)
    for _ in range(dice.choice([0, 0, 1, 1, 2])):
        at = dice.randrange(len(pairs))
        other = dice.choice([pairs[at], (pairs[at][0], dice.choice(VALUES)), (dice.choice(NAMES), dice.choice(VALUES))])
        pairs[at : at + dice.randint(0, 1)] = [other]
    text = "&".join(f"{name}={value}" for name, value in pairs)
    path, headers = dice.choice(PATHS), dice.choice(HEADERS)
    if dice.random() < 0.4:
        return {"method": dice.choice(["GET", "GET", "HEAD"]), "path": path, "headers": headers, "query_string": text}
    body = {"data": text.encode(), "content_type": dice.choice(KINDS)}
    return {"method": "POST", "path": path, "headers": headers, **body}


def answered(world: World, asked: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    answer = world.client.open(**asked)
    return answer.status_code, list(answer.headers), answer.data


@pytest.mark.parametrize("seed", [1, 2])
def test_nobody_can_tell_who_has_answered_an_odd_request(
    world: World, monkeypatch: pytest.MonkeyPatch, dispatched: list[str], seed: int
) -> None:
    dice, quick = random.Random(seed), 0
    for number in range(REQUESTS):
        if number == REQUESTS // 3:
            world.change_merchant(mode=Mode.COMPAT, guard_param=True)
        if number == 2 * REQUESTS // 3:
            world.change_merchant(disabled_at=START)
        asked, before = odd(dice), len(dispatched)
        first = answered(world, asked)
        quick += len(dispatched) == before
        with monkeypatch.context() as route:
            route.setattr(plain, "_encoded", lambda _: None)
            assert first == answered(world, asked), asked
    assert quick > REQUESTS // 8


@pytest.mark.parametrize("rest", ["&appId=1", "&app%49d=1001&appId=1001"])
def test_a_request_of_gogo_that_cannot_be_read_is_refused_in_the_words_of_gogo(world: World, rest: str) -> None:
    answer = world.client.post("/createOrder", data=f"payId=N1&payId=N1{rest}".encode(), content_type=FORM)
    assert answer.get_json()["code"] == 0

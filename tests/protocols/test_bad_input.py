"""Every parameter of every route, wrong in every way: the dialect's own error, nothing written."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pytest

from tests.dump import dump
from tests.protocols.doors import (
    BOUNDARY,
    FORM,
    NAMES,
    Door,
    Pairs,
    assert_refused,
    doors,
    joined,
    multipart,
    raw,
    send,
    send_json,
    token_of,
)
from tests.world import DEVICE_KEY, MERCHANT_KEY, World, md5

OPTIONAL = {
    "isHtml": "0", "notifyUrl": "https://shop.example/n", "returnUrl": "https://shop.example/r", "param": "x",
    "title": "t", "content": "c", "returnParam": "0",
}  # fmt: skip


def replaced(value: str) -> Callable[[Pairs, str], Pairs]:
    return lambda pairs, name: [(known, value if known == name else old) for known, old in pairs]


def extended(end: str) -> Callable[[Pairs, str], Pairs]:
    return lambda pairs, name: [(known, old + end if known == name else old) for known, old in pairs]


def doubled(value: str | None) -> Callable[[Pairs, str], Pairs]:
    return lambda pairs, name: [*pairs, (name, dict(pairs)[name] if value is None else value)]


# However the rest of the request looks, such a parameter is never read.
UNREADABLE = {
    "doubled": doubled(None),
    "doubled with another value": doubled("1"),
    "doubled with nothing": doubled(""),
    "10 KB long": replaced("x" * 10_240),
    "2,049 characters long": replaced("1" * 2049),
    "Latin-1": extended("%E9"),
    "a cut UTF-8 sequence": extended("%E4%B8"),
    "overlong UTF-8": extended("%C0%AF"),
    "overlong NUL": extended("%C0%80"),
    "a lone surrogate": extended("%ED%A0%80"),
    "beyond Unicode": extended("%F4%90%80%80"),
    "UTF-16": replaced("%FF%FE1%00"),
    "NUL": extended("%00"),
    "a line feed": extended("%0A"),
    "a carriage return": extended("%0D%0A"),
    "a tab": extended("%09"),
    "escape": extended("%1B"),
    "delete": extended("%7F"),
    "a C1 control": extended("%C2%85"),
}
# Readable, but neither what was signed nor in the grammar.
WRONG = {
    "missing": lambda pairs, name: [pair for pair in pairs if pair[0] != name],
    "empty": replaced(""),
    "its name in another case": lambda pairs, name: [(n.swapcase() if n == name else n, v) for n, v in pairs],
    "its name with brackets": lambda pairs, name: [(n + "[]" if n == name else n, v) for n, v in pairs],
    "white space before": lambda pairs, name: [(n, "%20" + v if n == name else v) for n, v in pairs],
    "white space after": extended("%20"),
    "a plus sign": extended("+"),
    "an exponent": replaced("1e2"),
    "a sign": replaced("%2B1"),
    "negative": replaced("-1"),
    "zero": replaced("0.00"),
    "a fraction of a fen": replaced("0.001"),
    "not a number": replaced("NaN"),
    "infinite": replaced("Infinity"),
    "huge": replaced("9" * 400),
    "full-width digits": replaced("%EF%BC%91%EF%BC%90"),
    "Arabic digits": replaced("%D9%A1"),
    "a word": replaced("null"),
    "HTML": replaced("%3Cscript%3Ealert(1)%3C/script%3E"),
    "SQL": replaced("1'%20OR%20'1'%3D'1"),
    "an emoji": replaced("%F0%9F%92%B0"),
}
BAD_JSON: dict[str, object] = {
    "a list": ["1"], "an empty list": [], "an object": {"a": "1"}, "an empty object": {}, "true": True, "false": False,
    "a huge number": 10**400, "a negative number": -1, "a fraction": 1e-7, "a large exponent": 1e300, "null": None,
    "an empty string": "", "NUL": "1\x00", "a line feed": "1\n", "deep": json.loads("[" * 90 + "]" * 90),
    "10 KB": "x" * 10_240,
}  # fmt: skip


@pytest.mark.parametrize("style", ["query", "form", "multipart"])
@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_that_is_wrong_in_any_way_is_refused(world: World, name: str, style: str) -> None:
    door = doors(token_of(world))[name]
    before = dump(world)
    for field in door.values:
        for how, spoil in {**UNREADABLE, **WRONG}.items():
            found = send(world, door, style, spoil(door.pairs, field))
            assert_refused(world, found, before, (field, how))


@pytest.mark.parametrize("name", NAMES)
def test_a_json_value_of_another_type_is_refused(world: World, name: str) -> None:
    door = doors(token_of(world))[name]
    before = dump(world)
    for field in door.values:
        for how, value in BAD_JSON.items():
            assert_refused(world, send_json(world, door, {**door.values, field: value}), before, (field, how))
        text = json.dumps(door.values)
        twice = text[:-1] + f", {json.dumps(field)}: {json.dumps(door.values[field])}}}"
        assert_refused(world, send_json(world, door, text=twice), before, (field, "twice"))
        surrogate = text.replace(json.dumps(door.values[field]), '"\\ud800"')
        assert_refused(world, send_json(world, door, text=surrogate), before, (field, "a lone surrogate"))


@pytest.mark.parametrize("name", NAMES)
def test_query_and_body_that_differ_are_refused(world: World, name: str) -> None:
    door = doors(token_of(world))[name]
    before = dump(world)
    for field in door.values:
        query = f"{field}=other".encode()
        assert_refused(world, raw(world, door, joined(door.pairs), FORM, query), before, field)
        body = json.dumps(door.values).encode()
        assert_refused(world, raw(world, door, body, "application/json", query), before, field)


BODIES: dict[str, tuple[str, Callable[[Door], bytes]]] = {
    "no JSON": ("application/json", lambda door: b"payId"),
    "an empty JSON body": ("application/json", lambda door: b""),
    "JSON cut off": ("application/json", lambda door: json.dumps(door.values).encode()[:-1]),
    "JSON with more after it": ("application/json", lambda door: json.dumps(door.values).encode() + b"x"),
    "a JSON list": ("application/json", lambda door: json.dumps([door.values]).encode()),
    "an empty JSON list": ("application/json", lambda door: b"[]"),
    "a JSON list of pairs": ("application/json", lambda door: json.dumps(list(door.values.items())).encode()),
    "a JSON string": ("application/json", lambda door: json.dumps(json.dumps(door.values)).encode()),
    "a JSON number": ("application/json", lambda door: b"1"),
    "JSON null": ("application/json", lambda door: b"null"),
    "100,000 brackets": ("application/json", lambda door: b"[" * 100_000),
    "60,000 brackets": ("application/json", lambda door: b"[" * 60_000),
    "30,000 objects": ("application/json", lambda door: b'{"":' * 15_000),
    "JSON in UTF-16": ("application/json", lambda door: json.dumps(door.values).encode("utf-16")),
    "JSON in Latin-1": ("application/json", lambda door: '{"payId": "é"}'.encode("latin-1")),
    "JSON as a form": (FORM, lambda door: json.dumps(door.values).encode()),
    "a thousand JSON members": (
        "application/json",
        lambda door: json.dumps({**door.values, **{f"x{i}": 1 for i in range(1000)}}).encode(),
    ),
    "a thousand parameters": (
        FORM,
        lambda door: joined([*door.pairs, *((f"x{i}", "1") for i in range(1000))]),
    ),
    "a thousand parts": (
        f"multipart/form-data; boundary={BOUNDARY}",
        lambda door: multipart([*door.pairs, *((f"x{i}", "1") for i in range(1000))]),
    ),
    "raw Latin-1": (FORM, lambda door: joined(door.pairs) + b"\xe9"),
    "70 KB": (FORM, lambda door: joined(door.pairs) + b"&x=" + b"x" * 70_000),
    "a part of 70 KB": (
        f"multipart/form-data; boundary={BOUNDARY}",
        lambda door: multipart([*door.pairs, ("x", "x" * 70_000)]),
    ),
    "no boundary": ("multipart/form-data", lambda door: multipart(door.pairs)),
    "another boundary": ("multipart/form-data; boundary=other", lambda door: multipart(door.pairs)),
    "a boundary that is not ASCII": ("multipart/form-data; boundary=b\u00e9", lambda door: multipart(door.pairs)),
    "a multipart body cut off": (
        f"multipart/form-data; boundary={BOUNDARY}",
        lambda door: multipart(door.pairs)[:60],
    ),
    "files in place of values": (
        f"multipart/form-data; boundary={BOUNDARY}",
        lambda door: multipart(door.pairs).replace(b'"\r\n\r\n', b'"; filename="f"\r\n\r\n'),
    ),
    "parts without a name": (
        f"multipart/form-data; boundary={BOUNDARY}",
        lambda door: multipart(door.pairs).replace(b"; name=", b"; nome="),
    ),
    "a form as multipart": (f"multipart/form-data; boundary={BOUNDARY}", lambda door: joined(door.pairs)),
    "multipart as a form": (FORM, lambda door: multipart(door.pairs)),
    "compressed": (FORM, lambda door: gzip.compress(joined(door.pairs))),
    "XML": ("application/xml", lambda door: b"<xml><payId>N7</payId></xml>"),
    "bytes": ("application/octet-stream", lambda door: bytes(range(256))),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_body_that_cannot_be_read_is_refused(world: World, name: str) -> None:
    door = doors(token_of(world))[name]
    before = dump(world)
    for how, (kind, make) in BODIES.items():
        assert_refused(world, raw(world, door, make(door), kind), before, how)


@pytest.mark.parametrize("name", NAMES)
def test_methods_other_than_get_and_post_are_refused(world: World, name: str) -> None:
    door = doors(token_of(world))[name]
    before = dump(world)
    for method in ("PUT", "DELETE", "PATCH", "TRACE"):
        found = world.client.open(path=door.path, method=method, query_string=door.values, headers=door.headers)
        assert found.status_code == 405
    assert dump(world) == before


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("createOrder")])
@pytest.mark.parametrize("field", OPTIONAL)
def test_an_optional_parameter_that_cannot_be_read_is_refused_too(world: World, name: str, field: str) -> None:
    door = doors(token_of(world))[name]
    before = dump(world)
    pairs = door.pairs if field in door.values else [*door.pairs, (field, OPTIONAL[field])]
    for how, spoil in UNREADABLE.items():
        for style in ("query", "form", "multipart"):
            assert_refused(world, send(world, door, style, spoil(pairs, field)), before, (field, how))
    for how in ("a list", "an object", "true", "NUL", "10 KB"):
        found = send_json(world, door, {**door.values, field: BAD_JSON[how]})
        assert_refused(world, found, before, (field, how))


@pytest.mark.parametrize("kind", ["0", "3", "12", "01", "1.0", "+1", "１", "wechat", "1 ", "true"])
def test_a_type_outside_the_list_is_refused_though_well_signed(world: World, kind: str) -> None:
    before = dump(world)
    assert world.create("N9", "1", kind)["msg"] == "支付方式错误=>1|微信 2|支付宝"
    assert world.push("1.00", kind)["msg"] == "支付方式错误=>1|微信 2|支付宝"
    assert dump(world) == before


@pytest.mark.parametrize(
    "t", ["", "0", "179000000012", "17900000001234", "-790000000123", "1.79e12", "１７９０００００００１２３"]
)
def test_a_phones_time_outside_the_grammar_is_refused_though_well_signed(world: World, t: str) -> None:
    before, client = dump(world), world.client
    heart = {"t": t, "sign": md5(t, DEVICE_KEY)}
    push = {"type": "1", "price": "1.00", "t": t, "sign": md5("1", "1.00", t, DEVICE_KEY)}
    for path, values in (("/appHeart", heart), ("/appPush", push)):
        assert client.post(path, data=values).get_json()["msg"] == "参数t错误：应为13位毫秒时间戳"
    assert dump(world) == before


def test_the_limits_themselves_are_accepted(world: World) -> None:
    values = {"payId": "n" * 100, "param": "p" * 1024, "type": "1", "price": "999999999.99"}
    sign = md5(*values.values(), MERCHANT_KEY)
    found = world.client.post("/createOrder", data={**values, "sign": sign}).get_json()
    assert found["code"] == 1
    for name in ("payId", "param", "price"):
        longer = {**values, name: values[name] + "1" * (32 if name == "price" else 1)}
        answer = world.client.post("/createOrder", data={**longer, "sign": md5(*longer.values(), MERCHANT_KEY)})
        assert answer.get_json()["msg"] == f"参数{name}过长"

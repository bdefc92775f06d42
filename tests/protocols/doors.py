"""One valid request for each route of vmq, GOGO and the phone app, to be spoilt in every way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

from werkzeug.test import TestResponse

from tests.dump import dump
from tests.world import DEVICE_KEY, MERCHANT_KEY, World, md5

T = "1790000000123"
FORM = "application/x-www-form-urlencoded"
BOUNDARY = "b0undary"
STYLES = ("query", "form", "multipart", "json")
Pairs = list[tuple[str, str]]  # names and values, percent-encoded


@dataclass(frozen=True)
class Door:
    path: str
    values: dict[str, str]
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def pairs(self) -> Pairs:
        return [(name, quote(value, safe="")) for name, value in self.values.items()]


def doors(token: str) -> dict[str, Door]:
    """By a name for tests; `token` is a waiting order of the first merchant."""
    order = {"payId": "N7", "param": "user-42", "type": "1", "price": "9.90"}
    push = {"type": "1", "price": "7.70", "t": T}
    by_token = {"orderId": token}
    return {
        "createOrder": Door("/createOrder", {**order, "sign": md5(*order.values(), MERCHANT_KEY)}),
        "createOrder of GOGO": Door(
            "/createOrder", {**order, "appId": "1001", "sign": md5("1001", *order.values(), MERCHANT_KEY)}
        ),
        "createOrder of the GOGO shop": Door(
            "/shop/api/createOrder", {**order, "sign": md5("1001", *order.values(), MERCHANT_KEY)}, {"App-Id": "1001"}
        ),
        "getOrder": Door("/getOrder", by_token),
        "checkOrder": Door("/checkOrder", by_token),
        "closeOrder": Door("/closeOrder", {**by_token, "sign": md5(token, MERCHANT_KEY)}),
        "pay.html": Door("/payPage/pay.html", by_token),
        "getState": Door("/getState", {"t": T, "sign": md5(T, MERCHANT_KEY)}),
        "enQrcode": Door("/enQrcode", {"url": "wxp://f2f0wechat"}),
        "appHeart": Door("/appHeart", {"t": T, "sign": md5(T, DEVICE_KEY)}),
        "appPush": Door("/appPush", {**push, "sign": md5(*push.values(), DEVICE_KEY)}),
    }


NAMES = tuple(doors(""))


def token_of(world: World) -> str:
    return str(world.create("N1", "5.00")["data"]["orderId"])


def joined(pairs: Pairs) -> bytes:
    return "&".join(f"{name}={value}" for name, value in pairs).encode("utf-8", "surrogatepass")


def send(world: World, door: Door, style: str, pairs: Pairs) -> TestResponse:
    """The pairs as query or form as they stand, percent signs and all; in a multipart body decoded to bytes."""
    if style == "query":
        return raw(world, door, query=joined(pairs))
    if style == "form":
        return raw(world, door, joined(pairs), FORM)
    return raw(world, door, multipart(pairs), f"multipart/form-data; boundary={BOUNDARY}")


def send_json(world: World, door: Door, values: Mapping[str, object] | None = None, text: str = "") -> TestResponse:
    return raw(world, door, (text or json.dumps(values)).encode("utf-8", "surrogatepass"), "application/json")


def raw(world: World, door: Door, body: bytes = b"", kind: str = "", query: bytes = b"") -> TestResponse:
    return world.client.open(
        path=door.path,
        method="POST" if body or kind else "GET",
        data=body or None,
        content_type=kind or None,
        headers=door.headers,
        environ_overrides={"QUERY_STRING": query.decode("latin-1")},  # as a server hands it over, byte by byte
    )


def multipart(pairs: Pairs) -> bytes:
    parts = [
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (BOUNDARY.encode(), unquote_to_bytes(name), unquote_to_bytes(value))
        for name, value in pairs
    ]
    return b"".join(parts) + b"--%s--\r\n" % BOUNDARY.encode()


def assert_refused(world: World, found: TestResponse, before: object, why: object = "") -> None:
    """The dialect's own error with HTTP 200, or a 4xx; nothing written."""
    assert found.status_code == 200 or 400 <= found.status_code < 500, (why, found.data)
    if found.status_code == 200:
        answer = json.loads(found.data)
        assert list(answer) == ["code", "msg", "data"], why
        assert answer["code"] in (-1, 0), (why, answer)
        assert answer["data"] is None, why
        assert answer["msg"], why
    assert dump(world) == before, why

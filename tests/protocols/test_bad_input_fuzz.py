"""Valid requests, mutated at random: what is not the same request any more is refused, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qsl

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.dump import dump
from tests.protocols.doors import BOUNDARY, FORM, NAMES, Door, assert_refused, doors, joined, multipart, raw, token_of
from tests.world import World

Mutation = Callable[[bytes], bytes]
PIECES = st.one_of(
    st.binary(max_size=8),
    st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [
            b"&", b"=", b"%", b"%00", b"%0A", b"%C0%80", b"%ED%A0%80", b"%EF%BF%BD", b"+", b";", b"[]", b"\"", b"\\",
            b"{", b"}", b"[", b"]", b",", b":", b"null", b"1e2", b"NaN", b"\r\n", b"--b0undary", b"&type=1",
            b"&price=1", b"\xef\xbb\xbf", "１".encode(), b"\\u0000", b"9" * 50, b"x" * 3000,
        ]
    ),
)  # fmt: skip


@st.composite
def mutations(draw: st.DrawFn) -> Mutation:
    """Puts a piece in, takes some bytes away, overwrites them, or says them twice – at one to three places."""
    steps = draw(
        st.lists(
            st.tuples(st.sampled_from("idor"), st.floats(0, 1), PIECES, st.integers(1, 12)), min_size=1, max_size=3
        )
    )

    def mutate(body: bytes) -> bytes:
        for how, where, piece, length in steps:
            at = int(where * len(body))
            some = body[at : at + length]
            put = {"i": piece + some, "d": b"", "o": piece, "r": some + some}[how]
            body = body[:at] + put + body[at + length :]
        return body

    return mutate


def written(door: Door, style: str) -> bytes:
    if style == "json":
        return json.dumps(door.values).encode()
    return multipart(door.pairs) if style == "multipart" else joined(door.pairs)


def is_still(door: Door, style: str, body: bytes) -> bool:
    """Whether the mutated request says, read by plain means, what the valid one said: each value once, and – all
    that a signature over joined values can promise – an order's values the same when they are joined."""
    pairs: list[tuple[str, object]]
    if style == "json":
        pairs = list(json.loads(body.decode("utf-8-sig"), parse_int=str, parse_float=str, object_pairs_hook=list))
    else:
        pairs = [*parse_qsl(body.decode(), keep_blank_values=True, errors="strict")]
    known = [(name, value) for name, value in pairs if name in door.values]
    said = {name: str(value).lower() if name == "sign" else str(value) for name, value in known}
    if len(known) != len(said):
        return False
    if door.path.endswith("createOrder"):
        return "".join(said.get(name, "") for name in door.values) == "".join(door.values.values())
    return said == door.values


def offered(world: World, door: Door, style: str, body: bytes) -> TestResponse:
    if style == "query":
        return raw(world, door, query=body)
    kinds = {"form": FORM, "multipart": f"multipart/form-data; boundary={BOUNDARY}", "json": "application/json"}
    return raw(world, door, body, kinds[style])


@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    name=st.sampled_from([name for name in NAMES if name not in ("getOrder", "checkOrder", "pay.html", "enQrcode")]),
    style=st.sampled_from(["query", "form", "multipart", "json"]),
    mutate=mutations(),
)
def test_a_mutated_request_is_refused_or_still_the_same(world: World, name: str, style: str, mutate: Mutation) -> None:
    door = doors(token_of(world))[name]
    before, body = dump(world), mutate(written(door, style))
    if style == "query":  # what does not fit into a request line never reaches the application
        body = body.replace(b"\r", b"").replace(b"\n", b"").replace(b"#", b"%23")
    found = offered(world, door, style, body)
    if found.status_code == 200 and json.loads(found.data)["code"] == 1:
        assert style == "multipart" or is_still(door, style, body), body
        return
    assert_refused(world, found, before, body)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    name=st.sampled_from(NAMES),
    body=st.binary(max_size=300),
    kind=st.sampled_from(
        [FORM, "application/json", f"multipart/form-data; boundary={BOUNDARY}", "text/plain", "\u00e9"]
    ),
    query=st.text(st.characters(max_codepoint=255, exclude_characters="\r\n#"), max_size=100),
)
def test_noise_is_refused(world: World, name: str, body: bytes, kind: str, query: str) -> None:
    door = doors("0" * 32)[name]
    before = dump(world)
    assert_refused(world, raw(world, door, body, kind, query.encode("latin-1")), before)

"""epay version 1: every parameter wrong in every way is a failure in its own form, and nothing is written."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.clients.epay import Shop, text_to_sign
from tests.clients.forms import FORM, get, post, raw_path, send
from tests.protocols.support import is_error_page, rows
from tests.world import MERCHANT_KEY, World

SCRIPTS = ("submit.php", "mapi.php")
REQUIRED = ("out_trade_no", "notify_url", "name", "money")
BAD_VALUES = {
    "out_trade_no": ["x" * 65, "a b", "订单", "a/b", "a\\b", "a'b", "<a>", "a=b"],
    "money": [
        "0",
        "0.00",
        "-1",
        "1e2",
        "+1",
        "１",
        "1.234",
        "NaN",
        "1,00",
        "01",
        "9" * 10,
        "1_0",
        "1.",
        ".1",
        "Infinity",
    ],
    "name": [" ", "　"],
    "notify_url": ["ftp://a/", "javascript:alert(1)", "//a", "https://u@a/", "https://a/\\b", "x", "https://中文/"],
    "return_url": ["javascript:alert(1)", "x", "data:text/html,x"],
}
AMBIGUOUS = ("x&money=0.01", "x&pid=1", "x&notify_url=http://a/", "x&trade_status=TRADE_SUCCESS")


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(raw_path(world.app), "1001", MERCHANT_KEY)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("name", ["pid", "sign", *REQUIRED])
def test_a_required_parameter_that_is_missing_or_empty(world: World, shop: Shop, script: str, name: str) -> None:
    kept = {key: value for key, value in shop.values("A", "1").items() if key not in (name, "sign", "sign_type")}
    for asked in (kept, {**kept, name: ""}):
        expected = 0 if script == "submit.php" else -3 if name in ("pid", "sign") else -1
        assert shop.refusal(script, asked if name == "sign" else shop.signed(asked)) == expected
    assert rows(world) == 0


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("name", BAD_VALUES)
def test_a_well_signed_value_outside_its_grammar(world: World, shop: Shop, script: str, name: str) -> None:
    for value in BAD_VALUES[name]:
        values = shop.signed({**shop.values("A", "1"), name: value})
        assert shop.refusal(script, values) == (0 if script == "submit.php" else -1), value
    assert rows(world) == 0


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_could_be_read_in_two_ways_is_refused_however_well_signed(world: World, shop: Shop, script: str) -> None:
    for name in ("name", "param", "zzz", "return_url", "notify_url", "type"):
        start = "https://shop.example/?a=" if name.endswith("_url") else ""
        for piece in AMBIGUOUS:
            values = shop.signed({**shop.values("A", "1"), name: start + piece})
            assert shop.refusal(script, values) == (0 if script == "submit.php" else -1), (name, piece)
    for name in ("name", "param", "zzz"):
        for piece in ("x&out_trade_no=B", "x&trade_no=B"):
            assert shop.refusal("mapi.php", shop.signed({**shop.values("A", "1"), name: piece})) == -1
    for name in ("money=50.00&name", "a=b", "a&b"):
        assert shop.refusal("mapi.php", shop.signed({**shop.values("A", "1"), name: "x"})) == -1
    assert rows(world) == 0


def test_addresses_may_name_the_order(shop: Shop) -> None:
    shop.return_url = "https://shop.example/r?a=1&out_trade_no=A"
    assert shop.create("A", "1")["code"] == 1


def test_a_cheaper_cut_of_a_signed_order_is_refused(world: World, shop: Shop) -> None:
    """A buyer who fills `attach` cannot turn one signed link into another that says less money."""
    dear = shop.values("A", "50.00", attach="x&money=0.01&moneyx=1")
    cheap = {**dear, "attach": "x", "money": "0.01", "moneyx": "1&money=50.00"}
    assert text_to_sign(cheap) == text_to_sign(dear)
    assert shop.refusal("mapi.php", cheap) == -1
    named = {**dear, "attach": "x", "money": "0.01", "moneyx": "1", "money=50.00&name": dear["name"]}
    del named["name"]
    assert shop.refusal("mapi.php", named) == -1
    assert rows(world) == 0


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_value_changed_after_signing(world: World, shop: Shop, script: str) -> None:
    values = shop.values("A", "1.00", param="p")
    for name in set(values) - {"sign", "sign_type", "pid"}:
        changed = {**values, name: values[name] + "0"}
        assert shop.refusal(script, changed) == (0 if script == "submit.php" else -3), name
    for given in ("0" * 32, "x", "中文", "x" * 2000):
        assert shop.refusal(script, {**values, "sign": given}) == (0 if script == "submit.php" else -3)
    assert rows(world) == 0


@pytest.mark.parametrize("pid", ["1002", "0", "01001", "1001.0", "x", "１００１", "-1", "1" * 17, "1001 "])
def test_an_unknown_or_odd_pid(world: World, shop: Shop, pid: str) -> None:
    assert shop.refusal("mapi.php", shop.signed({**shop.values("A", "1"), "pid": pid})) == -3
    asked = {"act": "query", "pid": pid, "key": MERCHANT_KEY}
    assert shop.failure(post(shop.wire, "/api.php", asked)) == -3
    assert rows(world) == 0


def test_no_parameters_at_all(shop: Shop) -> None:
    for script in ("mapi.php", "api.php"):
        assert shop.failure(get(shop.wire, f"/{script}")) == -4
        assert shop.failure(post(shop.wire, f"/{script}", {})) == -4
    assert is_error_page(get(shop.wire, "/submit.php"))


@pytest.mark.parametrize("script", [*SCRIPTS, "api.php"])
def test_parameters_that_cannot_be_read(world: World, shop: Shop, script: str) -> None:
    values = {**shop.values("A", "1", param="p"), "act": "order", "key": MERCHANT_KEY}
    for name in values:
        rest = urlencode({key: value for key, value in values.items() if key != name})
        own = urlencode({name: values[name]})
        for bad in (f"{own}&{name}=other", f"{name}={'x' * 10_000}", f"{own}%00", f"{name}=%e9%ff"):
            reply = send(shop.wire, f"/{script}", f"{rest}&{bad}".encode())
            assert is_error_page(reply) if script == "submit.php" else shop.failure(reply) == -1, (name, bad)
    assert rows(world) == 0


@pytest.mark.parametrize("script", [*SCRIPTS, "api.php"])
@pytest.mark.parametrize("kind", ["application/json", FORM, "text/plain", "multipart/form-data"])
def test_bodies_of_all_sorts_are_refused(world: World, shop: Shop, script: str, kind: str) -> None:
    for body in (b"", b"[]", b"{", b'{"money": {}}', b"\xff\xfe", b"%", b"=" * 100, b"&" * 1000, b"x" * 70_000):
        reply = send(shop.wire, f"/{script}", body, kind)
        assert is_error_page(reply) if script == "submit.php" else shop.failure(reply) in (-4, -3, -1), body
    assert rows(world) == 0


def test_the_error_page_escapes_what_it_repeats(shop: Shop) -> None:
    reply = send(shop.wire, "/submit.php", b"<script>alert(1)</script>=1&<script>alert(1)</script>=2")
    assert is_error_page(reply)
    assert b"<script" not in reply.body


def test_other_methods_are_refused(shop: Shop) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        assert shop.wire(method, "/mapi.php", {}, b"").status == 405

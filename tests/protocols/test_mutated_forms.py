"""Valid requests of BufPay and 易支付, mutated at random: an answer, no failure of ours, and nothing opened that nobody
signed. (`test_bad_input_fuzz.py` does this for V免签, GOGO支付 and the phones' app.)"""

from __future__ import annotations

import pytest
from Crypto.PublicKey import RSA
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkout import store as stores
from tests.clients import bufpay, epay
from tests.clients.wire import to_app
from tests.protocols.doors import FORM, Door, Pairs, joined, multipart, raw
from tests.protocols.test_bad_input_fuzz import Mutation, mutations
from tests.protocols.test_epay_v2 import shop_of
from tests.world import MERCHANT_KEY, World

NUMBER = "N7"
NAMES = ("BufPay", "submit", "mapi", "orders by signature", "orders by key", "version 2", "its orders")


@pytest.fixture(scope="module")
def keys() -> tuple[RSA.RsaKey, RSA.RsaKey]:
    return RSA.generate(2048), RSA.generate(2048)


@pytest.fixture
def doors(world: World, keys: tuple[RSA.RsaKey, RSA.RsaKey]) -> dict[str, Door]:
    theirs, ours = keys
    world.change_merchant(
        rsa_merchant=theirs.public_key().export_key().decode(), rsa_platform=ours.export_key().decode()
    )
    wire = to_app(world.app)
    first, second = epay.Shop(wire, "1001", MERCHANT_KEY), shop_of(world, "1001", theirs, ours)
    order = first.values(NUMBER, "9.90", param="a=b")
    asked = {"act": "order", "pid": "1001", "out_trade_no": NUMBER}
    made = (
        Door("/api/pay/1001", bufpay.Shop(wire, "1001", MERCHANT_KEY).values(NUMBER, "9.90")),
        Door("/submit.php", order),
        Door("/mapi.php", order),
        Door("/api.php", first.signed(asked)),
        Door("/api.php", {**asked, "key": MERCHANT_KEY}),
        Door("/api/pay/create", second.values(NUMBER, "9.90", method="web", device="pc")),
        Door("/api/pay/query", second.signed({"out_trade_no": NUMBER})),
    )
    return dict(zip(NAMES, made, strict=True))


def offered(world: World, door: Door, style: str, pairs: Pairs, mutate: Mutation) -> int:
    if style == "multipart":
        return raw(world, door, mutate(multipart(pairs)), "multipart/form-data; boundary=b0undary").status_code
    body = mutate(joined(pairs))
    if style == "form":
        return raw(world, door, body, FORM).status_code
    return raw(world, door, query=body.replace(b"\r", b"").replace(b"\n", b"").replace(b"#", b"%23")).status_code


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(style=st.sampled_from(["query", "form", "multipart"]), mutate=mutations())
def test_a_mutated_request_fails_nothing_and_opens_nothing_that_was_not_signed(
    world: World, doors: dict[str, Door], name: str, style: str, mutate: Mutation
) -> None:
    assert offered(world, doors[name], style, doors[name].pairs, mutate) < 500
    with world.store.read() as db:
        found = stores.orders.listed(db, stores.orders.Filter())
    assert {(order.number, order.price, order.paid_at) for order in found} <= {(NUMBER, 990, None)}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("style", ["form", "multipart"])
def test_as_it_is_each_of_them_is_answered(world: World, doors: dict[str, Door], name: str, style: str) -> None:
    """So that the mutations above start from requests that work."""
    if "orders" in name:
        offered(world, doors["mapi"], "form", doors["mapi"].pairs, lambda body: body)
    assert offered(world, doors[name], style, doors[name].pairs, lambda body: body) in (200, 302, 303)
    with world.store.read() as db:
        assert len(stores.orders.listed(db, stores.orders.Filter())) == 1

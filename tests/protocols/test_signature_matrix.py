"""A signature opens the one door that it was made for."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkout import signing
from checkout import store as stores
from tests.dump import dump
from tests.world import DEVICE_KEY, MERCHANT_KEY, World, device, md5

T = "1790000000123"
SECONDS = "1790000000"
SECOND_DEVICE = "e" * 64


@dataclass(frozen=True)
class Door:
    path: str
    values: dict[str, str]
    sign: str
    headers: dict[str, str]


def create_vmq(token: str) -> Door:
    values = {"payId": "N7", "param": "user-42", "type": "1", "price": "9.90"}
    return Door("/createOrder", values, md5(*values.values(), MERCHANT_KEY), {})


def create_gogo(token: str) -> Door:
    values = {"payId": "N8", "param": "user-42", "type": "1", "price": "9.90"}
    return Door("/createOrder", values, md5("1001", *values.values(), MERCHANT_KEY), {"App-Id": "1001"})


def close(token: str) -> Door:
    return Door("/closeOrder", {"orderId": token}, md5(token, MERCHANT_KEY), {})


def state(token: str) -> Door:
    return Door("/getState", {"t": SECONDS}, md5(SECONDS, MERCHANT_KEY), {})


def heart(token: str) -> Door:
    return Door("/appHeart", {"t": T}, md5(T, DEVICE_KEY), {})


def push(token: str) -> Door:
    values = {"type": "1", "price": "9.90", "t": T}
    return Door("/appPush", values, md5(*values.values(), DEVICE_KEY), {})


def callback(token: str) -> Door:
    """Not a door of ours, but its signature travels through other people's logs."""
    values = {"payId": "N6", "param": "user-42", "type": "1", "price": "9.90", "reallyPrice": "9.91"}
    return Door("", values, md5(*values.values(), MERCHANT_KEY), {})


def callback_gogo(token: str) -> Door:
    values = callback(token).values
    return Door("", values, md5("1001", *values.values(), MERCHANT_KEY), {})


DOORS = (create_vmq, create_gogo, close, state, heart, push)
SIGNED = (*DOORS, callback, callback_gogo)
Make = Callable[[str], Door]


@pytest.fixture
def token(world: World) -> str:
    return str(world.create("N1", "5.00")["data"]["orderId"])


def code(world: World, door: Door, values: dict[str, str]) -> int:
    found = world.client.post(door.path, data=values, headers=door.headers).get_json()
    return int(found["code"])


@pytest.mark.parametrize("door", DOORS)
def test_each_door_opens_to_its_own_signature(world: World, token: str, door: Make) -> None:
    made = door(token)
    assert code(world, made, {**made.values, "sign": made.sign}) == 1


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("signed", SIGNED)
def test_no_door_opens_to_anothers_signature(world: World, token: str, door: Make, signed: Make) -> None:
    if door is signed:
        return
    there, here = signed(token), door(token)
    before = dump(world)
    for values in (
        {**here.values, "sign": there.sign},
        {**there.values, "sign": there.sign},
        {**there.values, **here.values, "sign": there.sign},
        {**here.values, **there.values, "sign": there.sign},
    ):
        assert code(world, here, values) != 1, values
    assert dump(world) == before


@pytest.mark.parametrize("door", DOORS)
def test_the_other_sides_key_opens_nothing(world: World, token: str, door: Make) -> None:
    made = door(token)
    text = "".join(made.values.values())
    wrong = MERCHANT_KEY if made.path.startswith("/app") else DEVICE_KEY
    before = dump(world)
    for given_sign in (md5(text, wrong), md5("1001", text, wrong), md5(text, ""), md5(text), wrong, "", "0" * 32):
        assert code(world, made, {**made.values, "sign": given_sign}) != 1
    assert dump(world) == before


@pytest.mark.parametrize("door", DOORS)
def test_a_signature_with_something_before_after_or_left_out_does_not_fit(world: World, token: str, door: Make) -> None:
    made = door(token)
    before = dump(world)
    for changed in (
        made.sign[:-1], made.sign[1:], made.sign + "0", " " + made.sign, made.sign + " ", made.sign[::-1],
        "ａ" + made.sign[1:], made.sign + made.sign,
    ):  # fmt: skip
        assert code(world, made, {**made.values, "sign": changed}) != 1
    assert dump(world) == before


@pytest.mark.parametrize("door", DOORS)
def test_every_signature_is_compared_in_constant_time(
    world: World, token: str, door: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bytes] = []

    def compare(given: bytes, expected: bytes) -> bool:
        compared.append(given)
        return hmac.compare_digest(given, expected)

    class Spy:
        compare_digest = staticmethod(compare)

    monkeypatch.setattr(signing, "hmac", Spy)
    made = door(token)
    wrong = "f" * 32
    assert code(world, made, {**made.values, "sign": wrong}) != 1
    assert wrong.encode() in compared


def test_a_push_signed_by_one_phone_is_not_anothers(world: World, token: str) -> None:
    with world.store.transaction() as db:
        stores.devices.add(db, device(id="second", key=SECOND_DEVICE, token="u" * 32), [])
    world.push("5.00", key=SECOND_DEVICE)
    assert [payment.device for payment in world.payments()] == ["second"]
    assert world.order(token).state.value == "pending"


MONEY = st.one_of(
    st.decimals(min_value=0, max_value=10**9, places=2).map(str),
    st.integers(0, 10**9).map(lambda amount: f"{amount}.0"),
    st.text("0123456789.E", min_size=1, max_size=20),
)
TIMES = st.integers(10**12, 10**13 - 1).map(str)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(kind=st.sampled_from(["1", "2"]), price=MONEY, t=TIMES)
def test_what_a_phone_signed_can_be_read_in_one_way_only(world: World, kind: str, price: str, t: str) -> None:
    """Every cut of `type+price+t` other than the one that was made, and every one of a heartbeat, is refused."""
    before, client = dump(world), world.client
    for text, own in ((f"{kind}{price}{t}", (kind, price, t)), (t, ("", "", t))):
        sign = md5(text, DEVICE_KEY)
        cuts = {(text[:a], text[a:b], text[b:]) for a in (0, 1, 2) for b in range(a, len(text) + 1)}
        for cut in cuts - {own}:
            values = {"type": cut[0], "price": cut[1], "t": cut[2], "sign": sign}
            assert client.post("/appPush", data=values).get_json()["code"] == -1, cut
        for at in range(len(text)):
            if text[at:] != t or own != ("", "", t):
                assert client.post("/appHeart", data={"t": text[at:], "sign": sign}).get_json()["code"] == -1
    assert dump(world) == before

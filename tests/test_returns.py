from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS

from checkout import returns
from checkout.interfaces import Dialects, Store
from checkout.model.orders import Order
from checkout.store import keys
from tests.shop import Shop
from tests.world import START

UNRESERVED = "-_.!~*'()"
SIGNED = ("co_amount", "co_kid", "co_order", "co_product", "co_ref", "co_state", "co_ts")


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


@pytest.fixture
def paid(shop: Shop) -> Order:
    order = shop.open(product="ebook", buyer="user 42&co_state=paid+中", return_url="https://site.example/thanks")
    shop.push(990)
    return shop.order(order)


def dialects(params: Mapping[str, str] | None) -> Dialects:
    dialect = SimpleNamespace(return_params=lambda order, merchant, now: params)
    return cast(Dialects, {"vmq": dialect})


def values_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True))


def verified(values: Mapping[str, str], key_set: dict[str, list[dict[str, str]]]) -> bool:
    """What a static page does: find the key, rebuild the text, check the ES256 signature over it."""
    (key,) = (key for key in key_set["keys"] if key["kid"] == values["co_kid"])
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    text = "&".join(f"{name}={quote(values[name], safe=UNRESERVED)}" for name in SIGNED)
    point = {name: int.from_bytes(_unpacked(key[name])) for name in ("x", "y")}
    public = ECC.construct(curve="P-256", point_x=point["x"], point_y=point["y"])
    try:
        DSS.new(public, "fips-186-3").verify(SHA256.new(text.encode()), _unpacked(values["co_sig"]))
    except ValueError:
        return False
    return True


def _unpacked(text: str) -> bytes:
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_the_native_return_can_be_verified_with_the_published_key(shop: Shop, paid: Order) -> None:
    url = returns.address(shop.store, dialects(None), paid, START + 7)
    assert url is not None
    assert url.startswith("https://site.example/thanks?")
    values = values_of(url)
    assert verified(values, returns.public_keys(shop.store, START))
    expected = {
        "co_order": paid.token, "co_product": "ebook", "co_ref": "user 42&co_state=paid+中", "co_state": "paid",
        "co_amount": "990", "co_ts": str(START + 7),
    }  # fmt: skip
    assert {name: values[name] for name in expected} == expected
    assert set(values) == {*SIGNED, "co_sig"}


@pytest.mark.parametrize("name", SIGNED)
def test_a_changed_parameter_makes_the_signature_false(shop: Shop, paid: Order, name: str) -> None:
    url = returns.address(shop.store, dialects(None), paid, START)
    assert url is not None
    values = values_of(url)
    key_set = returns.public_keys(shop.store, START)
    key_set["keys"].append({**key_set["keys"][0], "kid": f"{values['co_kid']}1"})
    assert not verified({**values, name: f"{values[name]}1"}, key_set)


def test_what_a_buyer_wrote_cannot_become_a_parameter_of_its_own(shop: Shop) -> None:
    order = shop.open(product="ebook", buyer="x&co_product=dear&co_ref=y", return_url="https://site.example/")
    shop.push(990)
    url = returns.address(shop.store, dialects(None), shop.order(order), START)
    assert url is not None
    values, key_set = values_of(url), returns.public_keys(shop.store, START)
    assert verified(values, key_set)
    cut = {"co_order": f"{order.token}&co_product=ebook&co_ref=x", "co_product": "dear", "co_ref": "y"}
    assert not verified({**values, **cut}, key_set)


def test_a_dialect_with_parameters_of_its_own_gets_them_and_no_native_ones(shop: Shop, paid: Order) -> None:
    url = returns.address(shop.store, dialects({"payId": "N 1", "sign": "a&b"}), paid, START)
    assert url == "https://site.example/thanks?payId=N%201&sign=a%26b"
    assert returns.address(shop.store, dialects({}), paid, START) == "https://site.example/thanks"


def test_the_merchant_s_address_serves_where_the_order_has_none_and_without_any_there_is_no_return(
    shop: Shop,
) -> None:
    order = shop.open("N2")
    shop.push(order.really_price)
    assert returns.address(shop.store, dialects({}), order, START) == "https://shop.example/return"
    shop.change_merchant(return_url="")
    assert returns.address(shop.store, dialects({}), order, START) is None


@pytest.mark.parametrize(
    ("url", "joined"),
    [
        ("https://x/", "https://x/?a=1&b=%E4%B8%AD"),
        ("https://x/?c=2", "https://x/?c=2&a=1&b=%E4%B8%AD"),
        ("https://x/#/order/1", "https://x/#/order/1?a=1&b=%E4%B8%AD"),
        ("https://x/#/order/1?c=2", "https://x/#/order/1?c=2&a=1&b=%E4%B8%AD"),
    ],
)
def test_parameters_follow_what_the_address_has_already(url: str, joined: str) -> None:
    assert returns.with_params(url, {"a": "1", "b": "中"}) == joined


def test_one_key_is_made_and_kept_even_when_many_need_it_first(shop: Shop) -> None:
    found: list[tuple[str, str]] = []
    barrier = threading.Barrier(4)

    def need() -> None:
        barrier.wait(30)
        found.append(returns.signing_key(shop.store, START))

    threads = [threading.Thread(target=need) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(found)) == 1
    assert returns.signing_key(shop.store, START + 99) == found[0]
    assert len(returns.public_keys(shop.store, START)["keys"]) == 1


def test_a_key_that_another_process_made_in_between_is_the_one_that_counts(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = returns._new_key

    def slow() -> tuple[str, str]:
        with shop.store.transaction() as db:
            keys.add(db, "theirs", real()[1], START)
        return real()

    monkeypatch.setattr(returns, "_new_key", slow)
    assert returns.signing_key(shop.store, START)[0] == "theirs"


def test_a_newer_key_signs_and_the_older_one_still_verifies(shop: Shop, paid: Order) -> None:
    before = returns.address(shop.store, dialects(None), paid, START)
    with shop.store.transaction() as db:
        keys.add(db, "newer", returns._new_key()[1], START + 1)
    after = returns.address(shop.store, dialects(None), paid, START)
    assert before is not None
    assert after is not None
    assert values_of(after)["co_kid"] == "newer"
    key_set = returns.public_keys(shop.store, START)
    assert [key["kid"] for key in key_set["keys"]] == ["newer", values_of(before)["co_kid"]]
    assert verified(values_of(before), key_set)
    assert verified(values_of(after), key_set)


def test_the_published_keys_hold_nothing_private(shop: Shop) -> None:
    (key,) = returns.public_keys(shop.store, START)["keys"]
    assert set(key) == {"kty", "crv", "alg", "use", "kid", "x", "y"}
    assert len(_unpacked(key["x"])) == len(_unpacked(key["y"])) == 32


def test_the_same_return_has_the_same_signature(shop: Shop, paid: Order) -> None:
    """Deterministic (RFC 6979): no random number whose quality the key would depend on."""
    found: set[Any] = {returns.address(shop.store, dialects(None), paid, START) for _ in range(3)}
    assert len(found) == 1

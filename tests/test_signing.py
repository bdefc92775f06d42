from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from checkout.signing import (
    equal,
    hmac_sha256,
    md5_of,
    same_secret,
    signed_by,
    sorted_pairs,
    webhook_secret,
    webhook_signature,
)

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "vectors" / "merchants.json").read_text())
OF_PARTS = [vector for vector in VECTORS if "parts" in vector]
OF_PAIRS = [vector for vector in VECTORS if "params" in vector]
# The example of the Standard Webhooks specification.
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WEBHOOK_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def name_of(vector: dict[str, Any]) -> str:
    return str(vector["name"])


@pytest.mark.parametrize("vector", OF_PARTS, ids=name_of)
def test_the_published_signatures_over_joined_values_hold(vector: dict[str, Any]) -> None:
    parts, key, expected = vector["parts"], vector["key"], vector["expected"]
    assert md5_of(*parts, key) == expected
    assert signed_by(expected, [key], *parts)
    assert signed_by(expected.upper(), [key], *parts)


@pytest.mark.parametrize("vector", OF_PARTS, ids=name_of)
def test_a_changed_value_key_or_signature_is_refused(vector: dict[str, Any]) -> None:
    parts, key, expected = vector["parts"], vector["key"], vector["expected"]
    for place, part in enumerate(parts):
        assert not signed_by(expected, [key], *parts[:place], f"{part}1", *parts[place + 1 :])
    assert not signed_by(expected, [f"{key}x"], *parts)
    assert not signed_by(expected[:-1], [key], *parts)
    assert not signed_by(f"{expected} ", [key], *parts)
    assert not signed_by("", [key], *parts)


@pytest.mark.parametrize("vector", OF_PAIRS, ids=name_of)
def test_the_published_signatures_over_sorted_pairs_are_told_from_foreign_ones(vector: dict[str, Any]) -> None:
    signed = md5_of(sorted_pairs(vector["params"]), vector["key"])
    assert equal(vector["expected"], signed) is vector["verifies"]


def test_during_a_rotation_both_keys_are_valid_and_an_empty_one_never_is() -> None:
    assert signed_by(md5_of("a", "new"), ["new", "old"], "a")
    assert signed_by(md5_of("a", "old"), ["new", "old"], "a")
    assert not signed_by(md5_of("a"), ["new", ""], "a")
    assert not signed_by(md5_of("a"), [], "a")


@pytest.mark.parametrize("given", ["é" * 32, "\ud800", "\x00", "K" * 32, "ſ"])
def test_a_signature_of_strange_letters_is_only_wrong(given: str) -> None:
    assert not equal(given, md5_of("a"))
    assert not signed_by(given, ["key"], "a")
    assert not same_secret(given, "key")


def test_a_secret_is_compared_to_the_letter() -> None:
    assert same_secret("Secret", "Secret")
    assert not same_secret("secret", "Secret")
    assert not same_secret("Secret ", "Secret")
    assert not same_secret("", "")
    assert not same_secret("", "Secret")


def test_an_hmac_is_that_of_the_published_example() -> None:
    """RFC 4231, test case 2, and a secret beyond ASCII."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hmac_sha256("Jefe", b"what do ya want for nothing?").hex() == expected
    assert hmac_sha256("密", b"x") == hmac.new("密".encode(), b"x", hashlib.sha256).digest()


def test_values_are_signed_in_utf_8() -> None:
    assert md5_of("内容订阅", "k") == hashlib.md5("内容订阅k".encode()).hexdigest()


def test_pairs_are_sorted_by_name_and_empty_ones_left_out_unless_told() -> None:
    values = {"b": "2", "a": "中 &=", "z": "", "sign": "s", "B": "0"}
    assert sorted_pairs(values, without=["sign"]) == "B=0&a=中 &=&b=2"
    assert sorted_pairs(values, keep_empty=True, without=iter(["sign", "B"])) == "a=中 &=&b=2&z="
    assert sorted_pairs({}) == ""


def test_a_webhook_is_signed_as_the_standard_says() -> None:
    secret = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
    signature = webhook_signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == WEBHOOK_SIGNATURE
    by_hand = hmac.new(secret, b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}', hashlib.sha256)
    assert signature == "v1," + base64.b64encode(by_hand.digest()).decode()


@pytest.mark.parametrize(
    "changed",
    [
        (b"other", "msg_1", 100, b"body"), (b"secret", "msg_2", 100, b"body"), (b"secret", "msg_1", 101, b"body"),
        (b"secret", "msg_1", 100, b"body "),
    ],
)  # fmt: skip
def test_a_webhook_s_signature_covers_its_id_its_time_and_its_body(changed: tuple[bytes, str, int, bytes]) -> None:
    assert webhook_signature(*changed) != webhook_signature(b"secret", "msg_1", 100, b"body")


@pytest.mark.parametrize("written", ["whsec_c2Vj!cmV0", "whsec_c2Vj cmV0", "whsec_c2V", "whsec_密"])
def test_a_secret_that_is_not_plain_base64_is_none(written: str) -> None:
    assert webhook_secret("whsec_c2VjcmV0") == webhook_secret("c2VjcmV0") == b"secret"
    with pytest.raises(ValueError):  # noqa: PT011 (base64 has its own words)
        webhook_secret(written)

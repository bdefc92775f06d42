from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.errors import Code, Refusal
from checkout.money import MAX_FEN, fen, fen_from_phone, yuan

AMOUNTS = st.integers(1, MAX_FEN)
# What `float` and `Decimal` let through, and what a hand may type.
NO_AMOUNTS = [
    "", " ", "1e2", "1E2", "+1", "-1", "NaN", "Infinity", "1_000", "1,000", "１.00", "1．00", "٣", "0.001", "00.1",
    "01", ".5", "5.", "1.2.3", " 1", "1 ", "1\n", "\n1", "1\x00", "0x10", "9.9元", "¥9.9", "1234567890", "1" * 10_000,
    "1/2",
]  # fmt: skip


def refusal_of(text: str) -> Code:
    with pytest.raises(Refusal) as caught:
        fen(text)
    return caught.value.code


def phone_refusal_of(text: str) -> Code:
    with pytest.raises(Refusal) as caught:
        fen_from_phone(text)
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("9", 900), ("9.9", 990), ("9.90", 990), ("0.01", 1), ("0.1", 10), ("10", 1000), ("12.50", 1250),
        ("999999999.99", MAX_FEN), ("4.35", 435), ("1.15", 115), ("0.29", 29), ("19.99", 1999),
    ],
)  # fmt: skip
def test_a_merchant_s_price_is_read_to_the_fen(text: str, amount: int) -> None:
    assert fen(text) == amount


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_what_is_not_a_plain_price_is_refused(text: str) -> None:
    assert refusal_of(text) is Code.BAD_AMOUNT


@pytest.mark.parametrize("text", ["0", "0.0", "0.00"])
def test_a_price_of_nothing_is_refused_by_its_own_name(text: str) -> None:
    assert refusal_of(text) is Code.ZERO_AMOUNT


@given(AMOUNTS)
def test_yuan_and_fen_are_each_other_s_opposite(amount: int) -> None:
    assert fen(yuan(amount)) == amount
    assert fen_from_phone(yuan(amount)) == amount


@given(st.integers(-MAX_FEN, MAX_FEN))
def test_yuan_always_has_two_decimals(amount: int) -> None:
    whole, _, cents = yuan(amount).removeprefix("-").partition(".")
    assert int(whole) * 100 + int(cents) == abs(amount)
    assert len(cents) == 2
    assert yuan(amount).startswith("-") == (amount < 0)


@given(st.text(max_size=12))
def test_any_text_is_a_positive_amount_or_a_refusal(text: str) -> None:
    for read in (fen, fen_from_phone):
        with suppress(Refusal):
            assert 0 < read(text) <= MAX_FEN


@given(AMOUNTS)
def test_what_java_prints_for_a_double_is_read_to_the_fen(amount: int) -> None:
    assert fen_from_phone(java_double(amount)) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1.1", 110), ("12.0", 1200), ("25.0", 2500), ("0.10", 10), ("1.23456789E7", 1_234_567_890), ("1.0E7", 10**9),
        ("9.9999999999E8", MAX_FEN), ("12", 1200), ("12.500", 1250), ("0.01", 1), ("1.23456789E6", 123_456_789),
    ],
)  # fmt: skip
def test_the_amounts_that_phones_push_are_read(text: str, amount: int) -> None:
    assert fen_from_phone(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "", "0", "0.0", "0.00E5", "0.001", "1.0E-2", "1e2", "1.0e7", "+1", "-1", "NaN", "Infinity", "1_000", "１.00",
        ".5", "5.", "1.0E", "1.0E10", "1.0E9", "1234567890", "1.123", " 1", "1\n", "1.0000000000001", "١",
    ],
)  # fmt: skip
def test_a_pushed_amount_that_no_phone_sends_is_refused(text: str) -> None:
    assert phone_refusal_of(text) is Code.BAD_AMOUNT


def java_double(amount: int) -> str:
    """`Double.toString` of so many fen: plain below 10^7 yuan, then as d.dddE7."""
    if amount < 10**9:
        whole, cents = divmod(amount, 100)
        return f"{whole}.{f'{cents:02d}'.rstrip('0') or '0'}"
    digits = str(amount)
    return f"{digits[0]}.{digits[1:].rstrip('0') or '0'}E{len(digits) - 3}"

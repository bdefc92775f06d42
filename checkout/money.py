"""Money is an int number of fen (1/100 yuan). Text stands only at the border, and only here is it read.

`float` and `Decimal` accept `1e2`, `+1`, `NaN`, `1_000` and full-width digits, and `int(float * 100)` is wrong for
one price in twenty, so an amount has a grammar of its own.
"""

from __future__ import annotations

import re
from decimal import Decimal

from checkout.errors import Code, Refusal

MAX_FEN = 99_999_999_999  # nine digits of yuan and two of fen

_PRICE = re.compile(r"(0|[1-9][0-9]{0,8})(?:\.([0-9]{1,2}))?")
_JAVA_DOUBLE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,12})?(?:E[0-9])?")


def fen(text: str) -> int:
    """A merchant's price in yuan (`9`, `9.9`, `9.90`) as fen; 0 is refused (ZERO_AMOUNT), else BAD_AMOUNT."""
    match = _PRICE.fullmatch(text)
    if match is None:
        raise Refusal(Code.BAD_AMOUNT, "The amount must look like 9.90: digits, and at most two after the point.")
    amount = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
    if amount == 0:
        raise Refusal(Code.ZERO_AMOUNT, "The amount must be greater than 0.")
    return amount


def fen_from_phone(text: str) -> int:
    """An amount as phones push it, also a Java `Double.toString` (`12.0`, `1.23456789E7`), as fen.

    Refused (BAD_AMOUNT): 0, fractions of a fen, more than nine digits of yuan.
    """
    if _JAVA_DOUBLE.fullmatch(text) is None:
        raise Refusal(Code.BAD_AMOUNT, "The pushed amount must be digits with an optional point, such as 12.34.")
    amount = Decimal(text) * 100
    if amount != int(amount) or not 0 < amount <= MAX_FEN:
        raise Refusal(Code.BAD_AMOUNT, "The pushed amount is not a whole number of fen between 0.01 and 999999999.99.")
    return int(amount)


def yuan(amount: int) -> str:
    """Fen as yuan with two decimals: 990 → `9.90`."""
    sign, amount = ("-", -amount) if amount < 0 else ("", amount)
    return f"{sign}{amount // 100}.{amount % 100:02d}"

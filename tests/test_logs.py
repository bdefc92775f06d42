from __future__ import annotations

import logging

import pytest

from checkout.logs import Redacting, redacted

KEY = "0f" * 32


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("GET /appPush?price=1&sign=abc HTTP/1.1", "GET /appPush?… HTTP/1.1"),
        ("'/n?a=b' and \"/m?c=d\"", "'/n?…' and \"/m?…\""),
        (f"the key {KEY} was sent", "the key … was sent"),
        ("/pay/" + "a1" * 16, "/pay/…"),
        ("no whsec_c2Vj+cmV0/cy0= here", "no … here"),
        ("Is it there? Yes.", "Is it there? Yes."),
        ("msg_01a1fc2cb65de409529542d1ecbf failed", "msg_01a1fc2cb65de409529542d1ecbf failed"),
    ],
)
def test_queries_and_long_numbers_are_taken_out(written: str, left: str) -> None:
    assert redacted(written) == left


def test_a_traceback_is_redacted_too() -> None:
    try:
        raise ValueError(f"bad line /x?sign={KEY}")
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed on %s", ("/y?key=1",), info)
    text = Redacting().format(record)
    assert KEY not in text
    assert "key=1" not in text
    assert "failed on /y?…" in text

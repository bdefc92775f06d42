from __future__ import annotations

import re
import time

import pytest

from checkout import ids

SLICE_NS = 1 << 24


def at(monkeypatch: pytest.MonkeyPatch, nanoseconds: int) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds)


def test_a_token_is_32_hex_digits_and_no_two_are_alike() -> None:
    tokens = {ids.new_token() for _ in range(10_000)}
    assert len(tokens) == 10_000
    assert all(re.fullmatch("[0-9a-f]{32}", token) for token in tokens)


def test_tokens_of_one_moment_lie_together_and_the_next_ones_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    began = 0x1234 * SLICE_NS
    for later, start in ((0, "1234"), (SLICE_NS - 1, "1234"), (SLICE_NS, "1235"), (SLICE_NS * 0x10000, "1234")):
        at(monkeypatch, began + later)
        assert {ids.new_token()[:4] for _ in range(100)} == {start}


def test_whoever_knows_the_moment_knows_no_other_digit_of_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 0)
    tokens = [ids.new_token() for _ in range(1_000)]
    for place in range(4, 32):
        assert {token[place] for token in tokens} == set("0123456789abcdef")


def test_an_id_made_later_sorts_later(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 1_800_000_000_000_000_000)
    earlier = ids.new_id("pay")
    at(monkeypatch, 1_800_000_000_000_000_001)
    assert earlier < ids.new_id("pay")
    assert re.fullmatch("pay_[0-9a-f]{28}", earlier)


def test_ids_made_one_after_the_other_are_in_order() -> None:
    made = [ids.new_id("pay") for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == 10_000

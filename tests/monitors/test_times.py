"""Points in time as phones write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.monitors import times
from tests.world import START

BEIJING = "2026-09-21 22:13:20"


@pytest.mark.parametrize(
    "text",
    [str(START), f"{START}999", BEIJING, BEIJING.replace(" ", "T"), f"{BEIJING}.123", f"{BEIJING}.123456",
     f"{BEIJING}+0800", f"{BEIJING}+08:00", "2026-09-21T14:13:20Z", "2026-09-21T14:13:20.999Z",
     "2026-09-21 10:13:20-0400"],
)  # fmt: skip
def test_a_point_in_time_has_many_spellings(text: str) -> None:
    assert times.unix(text) == START


@pytest.mark.parametrize(
    "text",
    ["", "x", "1", "179000000", "17900000000", "179000000012", "-1790000000", "1790000000.5", "１７９０００００００",
     "2026-09-21", "22:13:20", "2026-09-21 22:13", "2026-09-21 24:00:00", "2026-02-30 00:00:00",
     "2026-09-21 22:13:20 x", "2026-09-21  22:13:20", "2026-09-21 22:13:20.1", "2026-09-21 22:13:20+25:00",
     "0000-01-01 00:00:00", f"{BEIJING}\n",
     "0001-01-01 00:00:00+0800", "9999-12-31 23:59:59-0800"],
)  # fmt: skip
def test_anything_else_is_none(text: str) -> None:
    assert times.unix(text) is None


@pytest.mark.parametrize(
    ("text", "later_s", "age"),
    [
        (BEIJING, 0, 0), (BEIJING, 889, 889), (BEIJING, 890, 0), (BEIJING, 900, 0), (BEIJING, 905, 5),
        (BEIJING, 86_000, 500), (BEIJING, -10, 0), (BEIJING, -11, 889),
        ("2026-09-21 14:13:20", 7, 7), ("2026-09-21 19:58:20", 7, 7), ("2026-09-21 23:58:20", 7, 7),
        (f"{BEIJING}+0800", 0, 0), (f"{BEIJING}+0800", 86_400, 86_400), ("2026-09-21 14:13:20Z", 900, 900),
        (f"{BEIJING}+0800", -30, 0),
        (str(START), 5, None), ("", 5, None), ("22:13:20", 5, None), ("2026-13-21 22:13:20", 5, None),
    ],
)  # fmt: skip
def test_the_age_of_a_message_needs_no_zone_within_a_quarter_of_an_hour(
    text: str, later_s: int, age: int | None
) -> None:
    assert times.age(text, (START + later_s) * 1000 + 999) == age


@given(st.text(max_size=30))
def test_no_text_makes_trouble(text: str) -> None:
    times.unix(text)
    times.age(text, START * 1000)

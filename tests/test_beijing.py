"""Days begin and clocks read as in Beijing."""

from __future__ import annotations

from checkout.beijing import DAY_S, in_beijing, midnight

MIDNIGHT = 1_790_006_400  # 2026-09-22 in Beijing


def test_a_day_begins_at_midnight_in_beijing() -> None:
    assert midnight(MIDNIGHT) == MIDNIGHT
    assert midnight(MIDNIGHT - 1) == MIDNIGHT - DAY_S
    assert midnight(MIDNIGHT + DAY_S - 1) == MIDNIGHT


def test_a_moment_is_written_as_the_clocks_in_china_show_it() -> None:
    assert in_beijing(MIDNIGHT) == "2026-09-22 00:00:00"
    assert in_beijing(MIDNIGHT - 1) == "2026-09-21 23:59:59"

"""Days and clocks as people in China read them: Beijing is eight hours ahead of UTC, all year."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

DAY_S = 86_400
BEIJING_S = 8 * 3600  # ahead of UTC
BEIJING = timezone(timedelta(seconds=BEIJING_S))


def midnight(at: int) -> int:
    """The first second of the Beijing day of `at`, both in Unix seconds."""
    return at - (at + BEIJING_S) % DAY_S


def in_beijing(at: int) -> str:
    """A moment in Unix seconds, to the second: `2026-09-21 22:13:20`."""
    return datetime.fromtimestamp(at, BEIJING).strftime("%Y-%m-%d %H:%M:%S")

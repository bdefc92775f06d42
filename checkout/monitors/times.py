"""Points in time as phones write them."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime

from checkout.beijing import BEIJING

_QUARTER_S = 900
_STEP_S = 10  # a clock that is set back between two looks at it makes a message that is younger than nothing
_UNIX = re.compile(r"[0-9]{10}(?:[0-9]{3})?")
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3}(?:[0-9]{3})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)


def unix(text: str) -> int | None:
    """Unix seconds of `1790000000`, `1790000000000` (ms) or `2026-09-21 22:13:20` with or without its zone.

    Without a zone it is Beijing's; None for anything else.
    """
    if _UNIX.fullmatch(text):
        return int(text[:10])
    found = _iso(text)
    return _seconds(found if found is None or found.tzinfo else found.replace(tzinfo=BEIJING))


def age(text: str, at_ms: int) -> int | None:
    """How many seconds before `at_ms` (Unix milliseconds) `text` was, both by the same clock; None if it tells nothing.

    Without a zone it may be in any, and all zones differ by whole quarters of an hour: then it is the age within
    the quarter, so never more than the true one.
    """
    found = _iso(text)
    then = _seconds(found if found is None or found.tzinfo else found.replace(tzinfo=UTC))
    if found is None or then is None:
        return None
    passed = at_ms // 1000 - then
    if found.tzinfo:
        return max(0, passed)
    within = passed % _QUARTER_S
    return 0 if within >= _QUARTER_S - _STEP_S else within


def _iso(text: str) -> datetime | None:
    if _ISO.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _seconds(found: datetime | None) -> int | None:
    try:
        return None if found is None else calendar.timegm(found.utctimetuple())
    except OverflowError:
        return None

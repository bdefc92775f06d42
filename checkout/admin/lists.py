"""Lists that are paged by the key of their last row: as fast on the last page as on the first."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from flask import request
from msgspec import Struct

from checkout.admin import layout
from checkout.beijing import BEIJING_S

PAGE = 50
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_KEY = re.compile(r"([0-9]{1,12})\.([\w.-]{1,64})")


class Pager(Struct, frozen=True):
    """`older` and `newest` are addresses, "" where there is none."""

    older: str = ""
    newest: str = ""


def before() -> tuple[int, str] | None:
    """(time, id) of the last row of the page before, as `?before=` has it."""
    match = _KEY.fullmatch(request.args.get("before", ""))
    return (int(match[1]), match[2]) if match else None


def pager(last: tuple[int, str] | None) -> Pager:
    """`last`: the key of the last row shown, None when nothing follows it."""
    return Pager(
        older=layout.here(before=f"{last[0]}.{last[1]}") if last else "",
        newest=layout.here(before="") if request.args.get("before") else "",
    )


def asked(*names: str) -> dict[str, str]:
    """The filters in the address, without surrounding spaces; "" for one that is missing or makes no sense."""
    given = {name: request.args.get(name, "").strip() for name in names}
    return {name: value if value.isprintable() and len(value) <= 200 else "" for name, value in given.items()}


def midnight(day: str, days: int = 0) -> int | None:
    """The first second of a Beijing day such as 2026-11-21, or of one some days later."""
    match = _DAY.fullmatch(day)
    if match is None:
        return None
    try:
        start = datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return int(start.timestamp()) - BEIJING_S

"""Lists page by page: a cursor says after which row the next page begins, so nothing is lost or doubled while new rows
arrive. It holds nothing but a time and an id, and leads to nothing that its key could not list anyhow."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime

from checkout.protocols.api.models import Fault
from checkout.protocols.api.problems import Wrong

_CURSOR = re.compile(r"([0-9]{1,12})\.([0-9a-z_-]{1,64})")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def cursor(at: int, last: str) -> str:
    return base64.urlsafe_b64encode(f"{at}.{last}".encode()).decode().rstrip("=")


def position(given: str | None) -> tuple[int, str] | None:
    """(time, id) of the last row of the page before; None for the first page. Raises `Wrong` (400)."""
    if given is None:
        return None
    try:
        found = _CURSOR.fullmatch(base64.b64decode(given + "=" * (-len(given) % 4), b"-_", validate=True).decode())
    except ValueError:
        found = None
    if found is None:
        raise _wrong("cursor", "It is no cursor: take `next` of the page before, as it is.")
    return int(found[1]), found[2]


def moment(given: str | None, name: str) -> int | None:
    """Unix seconds of an RFC 3339 time. Raises `Wrong` (400)."""
    if given is None:
        return None
    found = _TIME.fullmatch(given)
    try:
        at = datetime.fromisoformat(found[1] + found[2].upper()) if found else None
    except ValueError:
        at = None
    if at is None:
        raise _wrong(name, "It is no RFC 3339 time such as 2026-09-21T13:33:20Z or 2026-09-21T21:33:20%2B08:00.")
    return int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def _wrong(name: str, detail: str) -> Wrong:
    return Wrong(400, f"{name}: {detail}", errors=[Fault(detail, parameter=name)])

"""New ids and the clock: the two things that tests replace."""

from __future__ import annotations

import secrets
import time


def now() -> int:
    """Unix seconds."""
    return time.time_ns() // 1_000_000_000


def new_id(prefix: str) -> str:
    """`prefix_` and 28 hex digits: milliseconds since 1970 (12), so that later ids sort later, and 64 random bits."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"

"""New ids and the clock: the two things that tests replace."""

from __future__ import annotations

import secrets
import time


def now() -> int:
    """Unix seconds."""
    return time.time_ns() // 1_000_000_000


_SLICE = 24  # a bit of the clock's nanoseconds: 17 ms, after which the next tokens lie a little further on


def new_token() -> str:
    """32 hex digits that name an order or a receipt to whoever holds them: 112 random bits behind 16 of the clock,
    which come round again every 18 minutes.

    So what comes together lies together in every index over tokens. With 128 random bits each order was written to
    pages of its own, and had to read them first where the database was large."""
    return f"{time.time_ns() >> _SLICE & 0xFFFF:04x}{secrets.token_hex(14)}"


def new_id(prefix: str) -> str:
    """`prefix_` and 28 hex digits: nanoseconds since 1970 (16), so that what is made later sorts later, also of two
    that one second or one millisecond saw, and 48 random bits. It is a name, no secret."""
    return f"{prefix}_{time.time_ns():016x}{secrets.token_hex(6)}"

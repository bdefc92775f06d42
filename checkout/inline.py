"""Answers that are given without a thread of their own: by the server's loop, to polls that find nothing new, and at
the till (`checkout.server.desk`), to plain orders and reports of money.

To hand a request to a thread and its connection back costs as much as such an answer. The loop may never wait; who
sits at the desk waits for the database, but for nothing else. Whatever needs another machine or a page says so by
`need_thread`, before it does anything, and is asked again in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_here = threading.local()
_LOOP, _DESK = "loop", "desk"


class Elsewhere(BaseException):
    """Not an `Exception`: what turns those into answers on the way must let it pass."""


@contextmanager
def in_loop() -> Iterator[None]:
    """Meanwhile this thread is the one for which everybody waits."""
    yield from _at(_LOOP)


@contextmanager
def at_desk() -> Iterator[None]:
    """Meanwhile orders and reports of money wait for this thread."""
    yield from _at(_DESK)


def need_thread() -> None:
    """Raises `Elsewhere` in the loop and at the desk."""
    if getattr(_here, "place", None):
        raise Elsewhere


def need_desk() -> None:
    """Raises `Elsewhere` in the loop."""
    if getattr(_here, "place", None) is _LOOP:
        raise Elsewhere


def _at(place: str) -> Iterator[None]:
    _here.place = place
    try:
        yield
    finally:
        _here.place = None

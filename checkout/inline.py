"""Answers that the server's loop gives by itself, without a thread: to polls that find nothing new.

To hand a request to a thread and its connection back costs as much as such an answer. The loop may never wait, so
whatever needs a commit, another machine or a page says so by `need_thread`, before it does anything, and is asked again
in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_here = threading.local()


class Elsewhere(BaseException):
    """Not an `Exception`: what turns those into answers on the way must let it pass."""


@contextmanager
def in_loop() -> Iterator[None]:
    """Meanwhile this thread is the one for which everybody waits."""
    _here.is_loop = True
    try:
        yield
    finally:
        _here.is_loop = False


def need_thread() -> None:
    """Raises `Elsewhere` in the loop."""
    if getattr(_here, "is_loop", False):
        raise Elsewhere

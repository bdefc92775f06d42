"""Work with a socket that never blocks: a generator that says what it waits for, and goes on when it is called again.

Whoever runs it waits in its own way: `alone` with nothing else to do, `checkout.outbox.courier` for many at once.
"""

from __future__ import annotations

import select
import selectors
import time
from collections.abc import Callable, Generator
from ssl import SSLWantReadError, SSLWantWriteError
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T")

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_MASKS = {READ: select.POLLIN, WRITE: select.POLLOUT}


class HasFile(Protocol):
    def fileno(self) -> int: ...


class Wait(NamedTuple):
    """Go on when `file` can be read or written (`event`), or at `until`, on the clock of time.monotonic()."""

    file: HasFile
    event: int
    until: float


Steps = Generator[Wait, None, T]


class Deadline:
    """A moment after which nothing is waited for."""

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, above 0; TimeoutError when there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left

    def share(self, parts: int) -> Deadline:
        """The first of so many equal parts of what is left."""
        return Deadline(self.left() / parts)


def ready(call: Callable[[], T], file: HasFile, event: int, deadline: Deadline, *, even_late: bool = False) -> Steps[T]:
    """What `call` gives, when it need not wait: for `event`, or for what TLS asks. TimeoutError at the deadline;
    `even_late`: only where it would wait still, as whoever runs it may have had no time before."""
    while True:
        if not even_late:
            deadline.left()
        wanted = event
        try:
            return call()
        except SSLWantReadError:
            wanted = READ
        except SSLWantWriteError:
            wanted = WRITE
        except BlockingIOError:
            pass
        deadline.left()
        yield Wait(file, wanted, deadline.at)


def alone(steps: Steps[T]) -> T:
    """Runs it to its end, on this thread."""
    while True:
        try:
            wait = next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        poll = select.poll()
        poll.register(wait.file, _MASKS[wait.event])
        poll.poll(max(0, wait.until - time.monotonic()) * 1000)

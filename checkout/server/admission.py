"""Who of the requests that only read may take a thread now.

Eight threads that make pages at once make no more of them than two. They take turns at Python's lock, and who has
waited for anything stands behind seven others: one page in a hundred took 40 ms, where two need 15; the polls that the
loop answers stand there too. So the others wait in line. Who is at work for longer than a page takes waits for somebody
else (a gateway that is asked for a code, a disk) and keeps nobody from a thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

C = TypeVar("C")

AT_ONCE = 2  # while one waits for the disk, another works
LONG_S = 0.005  # for a page: 1 ms of the processor


class Admission(Generic[C]):
    """For the loop's thread alone. `begin` gives a request to a thread; times are those of a monotonic clock."""

    def __init__(self, at_once: int, begin: Callable[[C], object]) -> None:
        self._at_once, self._begin = at_once, begin
        self._line: deque[C] = deque()
        self._at_work: dict[C, float] = {}  # since when

    def enter(self, request: C, now: float) -> None:
        self._line.append(request)
        self.admit(now)

    def leave(self, request: C, now: float) -> None:
        """Its thread has done with it; one that never entered changes nothing."""
        if self._at_work.pop(request, None) is not None:
            self.admit(now)

    def admit(self, now: float) -> None:
        while self._line and self._busy(now) < self._at_once:
            request = self._line.popleft()
            self._at_work[request] = now
            self._begin(request)

    def look_within(self, seconds: float) -> float:
        """When `admit` should be called again at the latest, in seconds; `seconds` where nobody waits."""
        return min(seconds, LONG_S) if self._line else seconds

    def _busy(self, now: float) -> int:
        return sum(now - began < LONG_S for began in self._at_work.values())

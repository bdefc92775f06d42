"""Which worker of a crew takes who has just connected.

All of them hear of a client who comes, and whoever looks first has them for as long as they stay connected. Of eight
connections that a proxy keeps one worker had all eight as often as four, and answered them alone while the other had
nothing to do. So whoever has more clients than another leaves a newcomer to it for a moment, and takes them where
nobody has taken anybody by then: the other one is busy, hangs, or is gone.
"""

from __future__ import annotations

import mmap

MOMENT_S = 0.001  # longer than a worker with nothing to do takes to look; a client does not notice it
_SIZE = 8  # bytes of a number


class Balance:
    """How many clients each worker has, and took. Made before the workers are forked, which all see it."""

    def __init__(self, workers: int) -> None:
        numbers = memoryview(mmap.mmap(-1, 2 * workers * _SIZE)).cast("Q")
        self._clients, self._taken = numbers[:workers], numbers[workers:]

    @property
    def taken(self) -> int:
        """How many clients were taken so far, by whomever."""
        return sum(self._taken)

    def take(self, worker: int) -> None:
        self._taken[worker] += 1

    def note(self, worker: int, clients: int) -> None:
        self._clients[worker] = clients

    def has_more(self, worker: int) -> bool:
        """Than another has."""
        return self._clients[worker] > min(self._clients)

"""Which worker of a crew takes who has just connected.

All of them hear of a client who comes, and whoever looks first has them for as long as they stay connected. Of eight
connections that a proxy keeps one worker had all eight as often as four, and answered them alone while the other had
nothing to do. So whoever has more clients than another leaves a newcomer to it for a moment, and takes them where
nobody has taken anybody by then: the other one is busy, hangs, or is gone.
"""

from __future__ import annotations

import mmap
import time

MOMENT_S = 0.001  # longer than a worker with nothing to do takes to look; a client does not notice it
_SIZE = 8  # bytes of a number


class Balance:
    """How many clients each worker has, and took. Made before the workers are forked, which all see it."""

    def __init__(self, workers: int) -> None:
        numbers = memoryview(mmap.mmap(-1, 2 * workers * _SIZE)).cast("Q")
        self.clients, self.taken = numbers[:workers], numbers[workers:]


class Share:
    """One worker's side of it: `worker` counts from 0."""

    def __init__(self, balance: Balance, worker: int) -> None:
        self._balance, self._worker = balance, worker
        self._left = -1, 0.0  # how many had been taken when a newcomer was left to another worker, and when that was

    def take(self) -> None:
        """A newcomer is ours."""
        self._balance.taken[self._worker] += 1

    def note(self, clients: int) -> None:
        """So many are connected to us."""
        self._balance.clients[self._worker] = clients

    def leaves_newcomer(self) -> bool:
        """Whether who has just come is left to another worker, who is looking as well."""
        if self._balance.clients[self._worker] <= min(self._balance.clients):
            return False
        now, taken = time.monotonic(), sum(self._balance.taken)
        if taken != self._left[0]:
            self._left = taken, now
        return now - self._left[1] < MOMENT_S

"""Which worker of a crew takes who has just connected.

All of them hear of a client who comes, and whoever looks first has them for as long as they stay connected. Of eight
connections that a proxy keeps one worker had all eight as often as four, and answered them alone while the other had
nothing to do. So whoever has more clients than another leaves a newcomer to it for a moment.
"""

from __future__ import annotations

import mmap

MOMENT_S = 0.001  # after which the other one is busy, or gone
_SIZE = 4


class Balance:
    """How many clients each worker has. Made before the workers are forked, which all see it."""

    def __init__(self, workers: int) -> None:
        self._clients = memoryview(mmap.mmap(-1, workers * _SIZE)).cast("I")

    def note(self, worker: int, clients: int) -> None:
        self._clients[worker] = clients

    def has_more(self, worker: int) -> bool:
        """Than another has."""
        return self._clients[worker] > min(self._clients)

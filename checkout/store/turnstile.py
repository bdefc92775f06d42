"""Whose turn to write it is among the processes of one server.

SQLite lets those who find the database locked sleep for up to 100 ms before they look again, while the process that
has just written takes the lock once more: with two processes both stood still for half of the time. The kernel wakes
who waits at once. Two locks make it fair: whoever waits for the second holds the first, so that the one who has just
written cannot pass.

Only time is gained here: the lock that keeps the database whole is SQLite's own, which other programs take too.
"""

from __future__ import annotations

import fcntl
from contextlib import suppress

GATE, WRITING = 1, 2  # bytes of the file that are locked; nothing need stand there


class Turnstile:
    """On an open file, -1 for none: who is alone waits for nobody. Locks of a file belong to processes, so a child may
    use its parent's."""

    def __init__(self, file: int = -1) -> None:
        self._file = file

    def enter(self) -> None:
        if self._file < 0:
            return
        with suppress(OSError):  # no locks on this file system, or the file was closed
            fcntl.lockf(self._file, fcntl.LOCK_EX, 1, GATE)
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX, 1, WRITING)
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, GATE)

    def leave(self) -> None:
        if self._file < 0:
            return
        with suppress(OSError):
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, WRITING)

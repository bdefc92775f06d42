"""What commits leave in the log (WAL), brought into the database beside the writer, so that no order waits for it.

SQLite does this within the commit that makes the log long: one in some forty took two to four times as long as the
others. It still does when this comes too late.

The log begins anew once all of it is there, which the commits that come meanwhile prevent. So where they were few, they
are brought in with the writer's turn: a log that stays short stays in place, and a commit that makes a file longer
takes the disk half as long again. No other process of the server may write then either: where the log is begun anew
during a checkpoint that comes right behind another, SQLite before 3.51.3 may lose what was written.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from checkout.errors import StoreError
from checkout.interfaces import Rows

log = logging.getLogger(__name__)

EVERY = 128  # transactions: some 1,000 to 3,000 pages, less than makes SQLite do it
FEW = 8  # that came during a checkpoint, and may be brought in while nobody writes
_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpoints:
    """`lent` lends a connection that is in no transaction; while `paused` nobody of this server writes. A thread
    begins with the first checkpoint."""

    def __init__(
        self, lent: Callable[[], AbstractContextManager[Rows]], paused: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._lent, self._paused = lent, paused
        self._written = 0
        self._due = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_over = False

    def wrote(self, transactions: int) -> None:
        """After each commit, by whoever has the turn."""
        self._written += transactions
        if self._written >= EVERY:
            self._written = 0
            self._due.set()
            self._begin()

    def close(self) -> None:
        """Waits for the one that is being made; the next commits begin anew."""
        thread, self._thread, self._written = self._thread, None, 0
        if thread is not None:
            self._is_over = True
            self._due.set()
            thread.join()

    def abandon(self) -> None:
        """In a forked child, where the thread is not."""
        self.__init__(self._lent, self._paused)  # type: ignore[misc]

    def _begin(self) -> None:
        if self._thread is None:
            self._is_over = False
            thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no thread can be started: SQLite does it by itself
                return
            self._thread = thread

    def _run(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._is_over:
                return
            try:
                with self._lent() as db:
                    db.one(_CHECKPOINT)
                    if self._written <= FEW and not self._due.is_set():  # else it has begun to count anew
                        with self._paused():
                            db.one(_CHECKPOINT)
            except StoreError as error:  # the next one may succeed; nothing is lost, the log only grows
                log.warning("What was written could not be brought into the database yet: %s", error)

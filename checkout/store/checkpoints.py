"""What commits leave in the log (WAL), brought into the database beside the writer, so that no order waits for it.

SQLite does this within the commit that makes the log long: one in some forty took two to four times as long as the
others. It still does where no thread can be had.

The log begins anew once all of it is there, which the commits that come meanwhile prevent. So where they were few, or
the log has become long all the same, the rest is brought in while nobody writes: a log that stays short stays in place,
and a commit that makes a file longer takes the disk half as long again.

SQLite before 3.51.3 may lose what was written where the log begins anew just as a checkpoint sets out right behind one
that has brought in all (sqlite.org/wal.html, "The WAL-Reset Bug"). So no checkpoint follows another before the log was
written to, except while nobody of the server writes.
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
FEW = 8  # transactions that came during a checkpoint, and may be brought in while nobody writes
LONG = 4000  # pages of the log
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
        while self._is_called():
            try:
                with self._lent() as db:
                    self._bring_in(db)
            except StoreError as error:  # the next one may succeed; nothing is lost, the log only grows
                log.warning("What was written could not be brought into the database yet: %s", error)
            except Exception:
                log.exception("What was written could not be brought into the database yet; it is tried again")

    def _is_called(self) -> bool:
        """Waits; False: it is over. It may have been called for that while the count began anew."""
        if not self._is_over:
            self._due.wait()
            self._due.clear()
        return not self._is_over

    def _bring_in(self, db: Rows) -> None:
        row = db.one(_CHECKPOINT)
        is_long = row is not None and row[1] > LONG
        has_few = self._written <= FEW and not self._due.is_set()  # else it has begun to count anew
        if is_long or has_few:
            with self._paused():
                self._written = 0
                self._due.clear()
                db.one(_CHECKPOINT)

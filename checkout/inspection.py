"""A large database is read whole after the server has started to answer. Damage stops new orders, and the owner is
told.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress

from checkout import ids
from checkout.alerts import troubles
from checkout.errors import Damaged, StoreError
from checkout.interfaces import Store

log = logging.getLogger(__name__)

_LAST_IN_LINE = 19


class Inspection:
    """`look` is a chore of the worker. Each process reads the database once, in a thread that yields to requests and
    that the end of the process does not wait for."""

    def __init__(self, db_store: Store) -> None:
        self._store = db_store
        self._pid = 0

    def look(self, now: int) -> None:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            threading.Thread(target=self._read, name="inspection", daemon=True).start()
        self._tell(now)

    def _read(self) -> None:
        with suppress(OSError):  # of this thread alone, where there is such a thing
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LAST_IN_LINE)
        try:
            self._store.check_rest()
        except Damaged as damage:
            log.critical("No new orders are taken, payments still are. %s", damage)
            self._tell(ids.now())
        except StoreError as error:
            log.error("The database could not be read whole: %s", error)

    def _tell(self, now: int) -> None:
        """Tells what is known, found by whichever process; a damaged database may not take the note."""
        with suppress(StoreError):
            try:
                self._store.expect_sound()
            except Damaged as damage:
                troubles.note(self._store, troubles.DATABASE, str(damage), now)
            else:
                troubles.over(self._store, troubles.DATABASE)

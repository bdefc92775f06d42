"""What a server checks before it takes a SQLite database: that it is sound, and that no other server has it."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from checkout.errors import Damaged, StoreError

# quick_check reads 700 to 1,000 MB a second from memory. A larger file would delay every restart, so it is read when
# the server answers already.
CHECKED_AT_START = 256 * 1024 * 1024
DAMAGED = ".damaged"  # the ending of the file beside it that says what a check has found
RESTORE = "stop the server and run: checkout restore FILE, with the newest file that checkout backup made"
_DYING_S = 5
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR})


class Lock:
    """Held by a server and the workers that it forks until the last of them has ended, however it ended."""

    def __init__(self, database: Path, *, server: int = 0, alone: bool = False) -> None:
        """Raises `StoreError`, naming the process, while another `server` holds it; `alone`: while any does."""
        self._alone = alone
        self._path = database.with_name(database.name + ".lock")
        self._owner = server or _owner()
        self.file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _DYING_S
        try:
            while not self._taken():
                self._complain_unless_dying(time.monotonic() < deadline)
                time.sleep(0.05)
        except BaseException:
            os.close(self.file)
            raise

    def close(self) -> None:
        if self.file >= 0:
            os.close(self.file)
            self.file = -1

    def _taken(self) -> bool:
        """The first takes it for itself and writes its number; workers of the same server share it."""
        if self._flock(fcntl.LOCK_EX):
            os.ftruncate(self.file, 0)
            os.pwrite(self.file, f"{self._owner}\n".encode(), 0)
            if self._alone:
                return True
        # Turning one lock into the other is not atomic: whoever slipped in between has written its own number.
        return not self._alone and self._flock(fcntl.LOCK_SH) and self._holder() == self._owner

    def _flock(self, operation: int) -> bool:
        try:
            fcntl.flock(self.file, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _holder(self) -> int:
        written = os.pread(self.file, 32, 0).strip()
        return int(written) if written.isdigit() else 0

    def _complain_unless_dying(self, may_wait: bool) -> None:
        """The workers of a server that was killed need a moment to notice; that is no reason to refuse."""
        holder = self._holder()
        fcntl.flock(self.file, fcntl.LOCK_UN)
        if may_wait and not _is_alive(holder):
            return
        raise StoreError(f"Another server (process {holder}) uses this database; stop it first.")


def check_at_start(database: Path) -> bool:
    """Whether the whole file was read. A large one is left for later, unless an earlier check has found damage.
    Raises as `examine`."""
    if database.stat().st_size > CHECKED_AT_START and not _mark(database).exists():
        return False
    examine(database)
    return True


def examine(database: Path) -> None:
    """Reads the whole file, and writes down beside it what it finds: for every process of the server, and for the next
    start. Raises as `check`."""
    try:
        check(database)
    except Damaged as damage:
        with suppress(OSError):
            _mark(database).write_text(str(damage))
        raise
    _mark(database).unlink(missing_ok=True)


def expect_sound(database: str) -> None:
    """Raises `Damaged` with what the last check has found. Asked before every order, so by one call of the system."""
    mark = f"{database}{DAMAGED}"
    if os.path.exists(mark):
        with suppress(OSError):
            raise Damaged(Path(mark).read_text())


def identity(database: str) -> tuple[int, int]:
    """Which file has this name, for as long as somebody has it open; (0, 0): none. Asked before every commit, so by
    one call of the system."""
    try:
        found = os.stat(database)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def gone(database: Path) -> str:
    """What to do where the name does not lead to the file that is open."""
    return f"The database {database} was moved, removed or replaced; put it back, or {RESTORE}."


def is_damage(error: sqlite3.Error) -> bool:
    """Whether it says that something in a file cannot be so, or cannot be read from the disk at all."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def _mark(database: Path) -> Path:
    return database.with_name(database.name + DAMAGED)


def check(database: Path, *, alone: bool = False) -> None:
    """Reads the whole file. Raises `Damaged`, or `StoreError` when it cannot be read now. `alone`: nobody writes to it;
    touch nothing."""
    try:
        connection = sqlite3.connect(f"{database.absolute().as_uri()}{'?immutable=1' if alone else ''}", uri=True)
        try:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        found = str(error)
        if "locked" in found:
            raise StoreError("The database is locked by another program; try again in a moment.") from error
        if not is_damage(error):
            raise StoreError(f"The database {database} cannot be read: {found}.") from error
    if found != "ok":
        found = found.splitlines()[-1]  # the one before names the schema
        raise Damaged(f"The database {database} is damaged ({found}); {RESTORE}.")


def _owner() -> int:
    """The process that the workers of one server have in common: gunicorn's master, or this one.

    A worker of gunicorn answers SIGTERM itself, and knows its master; whoever loads the application before the
    fork is the master.
    """
    worker = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    master = getattr(worker, "ppid", None)
    return master if isinstance(master, int) else os.getpid()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # not ours to signal, but there
        return True
    return process > 0

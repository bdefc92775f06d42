"""Lines to PostgreSQL: how one is opened, how long it may be silent, and those that are kept for reading.

A database that hangs, or that a cable no longer reaches, must not take the threads of a server with it. So a server
waits some seconds for an answer, and while one thread looks whether the database is back the others are told at once.
A command (`serving` is False) may take its time: only a connection that is lost ends it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.types.numeric import Int8Dumper

from checkout.errors import StoreError
from checkout.interfaces import Row
from checkout.store.postgres_errors import SILENT, Silent, in_our_words

READERS = 8  # of each process; PostgreSQL itself allows 100 connections unless it is told otherwise
WRITERS = 4
PATIENCE_S = 5  # of a server for its turn, for the lock, and for the end of a short absence
ANSWER_S = 8  # of a server for one answer; PostgreSQL itself ends a statement before
LONGEST_USE_S = 60  # then a line is made anew: who only reads must find the server that has taken over, too
BUSY = "The database is busy; try again in a moment."
# A writer that stopped in the middle of its transaction must not hold up everybody for ever.
_WRITING = {
    False: "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '30s'",
    True: f"SET lock_timeout = '{PATIENCE_S}s'; SET idle_in_transaction_session_timeout = '{PATIENCE_S - 1}s';"
    f" SET statement_timeout = '{ANSWER_S - 2}s'",
}
_READING = {
    False: "SET default_transaction_read_only = on",
    True: f"SET default_transaction_read_only = on; SET statement_timeout = '{ANSWER_S - 2}s'",
}
# So that PostgreSQL lets go of a machine that was cut off; its relatives need not know these.
_NOTICING = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"


class Line(psycopg.Connection[Row]):
    """One connection. `owner`: whom to tell when it was silent for too long; without one it waits for ever."""

    owner: Lines | None = None
    since: float = 0  # when it was asked for, by the monotonic clock
    warned: bool = False  # whether PostgreSQL has warned of something

    def wait(self, gen: Any, *more: Any, **options: Any) -> Any:
        """`Silent` when there is no answer in time."""
        if self.owner is None:
            return super().wait(gen, *more, **options)
        try:
            return super().wait(_until(gen, ANSWER_S), *more, **options)
        except Silent:
            self.owner.lose(self)
            raise

    def notice(self, told: psycopg.errors.Diagnostic) -> None:
        self.warned = self.warned or told.severity_nonlocalized == "WARNING"


class Lines:
    """Opens lines to the database of `conninfo`, and keeps some for reading and some for writing."""

    def __init__(self, conninfo: str, *, serving: bool) -> None:
        self.outage = _Outage()
        self.patience_s = PATIENCE_S if serving else 0
        self._conninfo, self._serving = conninfo, serving
        self._place = ("", 0)
        self.reading = Shelf(self.to_read, READERS)
        self.writing = Shelf(self.to_write, WRITERS)

    def anew(self) -> Lines:
        """The same without a line or a lock of this one, for a forked process."""
        return Lines(self._conninfo, serving=self._serving)

    def to_write(self) -> Line:
        return self._opened(_WRITING[self._serving])

    def to_read(self) -> Line:
        return self._opened(_READING[self._serving])

    def close(self) -> None:
        """Those that are idle, and the others when they come back: they may lead to a server that is none any more."""
        self.reading.close()
        self.writing.close()

    def retire(self) -> None:
        """For the end: closes those that are idle, and keeps none any more."""
        self.reading.keeps = self.writing.keeps = False
        self.close()

    def lose(self, line: Line) -> None:
        """It was silent for too long: the idle ones will be no better."""
        line.close()
        self.outage.begin(SILENT, since=0)
        self.close()

    def _opened(self, setting: str) -> Line:
        since = time.monotonic()
        with self.outage.looking(), in_our_words():
            line = Line.connect(self._conninfo, autocommit=True)
            try:
                _expect_unicode(line)
                line.owner, line.since = (self if self._serving else None), since
                line.add_notice_handler(line.notice)
                line.adapters.register_loader("numeric", _Whole)
                line.adapters.register_dumper(int, Int8Dumper)  # else a statement is prepared for each size of number
                line.execute(setting.encode())
                with suppress(psycopg.errors.Error):
                    line.execute(_NOTICING)
            except BaseException:
                line.close()
                raise
            self._notice_place(line, since)
            return line

    def _notice_place(self, line: Line, since: float) -> None:
        """Where another of several servers has taken over, nothing more is asked on lines to the one before."""
        place = (line.info.host, line.info.port)
        if place != self._place:
            self._place = place
            self.reading.close(since)
            self.writing.close(since)


class Shelf:
    """Lines of one kind, made by `opened`, at most `most` of them at a time."""

    def __init__(self, opened: Callable[[], Line], most: int) -> None:
        self._opened = opened
        self._idle: list[Line] = []
        self._room = threading.BoundedSemaphore(most)
        self._since = 0.0
        self.keeps = True

    @property
    def is_empty(self) -> bool:
        return not self._idle

    def take(self, timeout: float | None = None) -> Line:
        """A line that is idle, or a new one. `timeout`: seconds, -1 for as long as it takes, else `PATIENCE_S`."""
        patience = PATIENCE_S if timeout is None else timeout
        if not self._room.acquire(timeout=None if patience < 0 else patience):
            raise StoreError(BUSY)
        try:
            with suppress(IndexError):  # another thread may take the last one in between
                return self._idle.pop()
            return self._opened()
        except BaseException:
            self._room.release()
            raise

    def give(self, line: Line) -> None:
        oldest = max(self._since, time.monotonic() - LONGEST_USE_S)
        if self.keeps and not line.closed and line.since >= oldest:
            self._idle.append(line)
        else:
            line.close()
        self._room.release()

    def close(self, since: float | None = None) -> None:
        """Those that are idle, and those made before `since` (now) when they come back."""
        self._since = time.monotonic() if since is None else since
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()


class _Outage:
    """Whether the database is away, since when, and who looks for it."""

    def __init__(self) -> None:
        self._sentence = ""
        self._since = 0.0
        self._looks = threading.Lock()

    @property
    def is_long(self) -> bool:
        """A restart is worth waiting for; what lasts longer is not."""
        return bool(self._sentence) and time.monotonic() - self._since > PATIENCE_S

    def begin(self, sentence: str, since: float) -> None:
        """`since`: by the monotonic clock, in seconds."""
        if not self._sentence:
            self._since = since
        self._sentence = sentence

    @contextmanager
    def looking(self) -> Iterator[None]:
        """For who tries to reach it. `StoreError` at once: it has been away for long, and somebody else tries."""
        alone, began = self.is_long, time.monotonic()
        if alone and not self._looks.acquire(blocking=False):
            raise StoreError(self._sentence)
        try:
            yield
            self._sentence = ""
        except StoreError as error:
            self.begin(str(error), began)
            raise
        finally:
            if alone:
                self._looks.release()


class _Whole(Loader):
    """Sums of BIGINT are NUMERIC; here they are whole numbers."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


def _expect_unicode(line: Line) -> None:
    """In any other encoding a notification in Chinese cannot be stored. Who does not name theirs has but this one."""
    encoding = line.info.parameter_status("server_encoding") or "UTF8"
    if encoding not in ("UTF8", "UTF-8"):
        raise StoreError(
            f"The PostgreSQL database keeps its texts in {encoding}, which cannot hold all of them; make one that can"
            " with: createdb --encoding=UTF8 --template=template0 NAME."
        )


def _until(conversation: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """The same conversation with the server, which ends with `Silent` when nothing comes for so long."""
    last = time.monotonic() + seconds
    try:
        waits = next(conversation)
        while True:
            ready = yield waits
            if not ready and time.monotonic() > last:
                raise Silent("no answer")
            waits = conversation.send(ready)
    except StopIteration as end:
        return end.value

"""The one writing connection. Transactions take turns on it, and those that come at the same time share a commit.

A commit waits for the disk, and everybody behind it waited for that wait. So a transaction that has others waiting
behind it leaves its work in the open database transaction and lets the next one in; the last one commits for all.
Each is still all or nothing (one that fails is undone to its own savepoint), and none returns before its commit is on
the disk.

Handing the turn from thread to thread costs more than a short transaction itself. One that is handed in as a function
(`run`) is done by whichever thread has the turn: of eight that come together one thread works, and wakes the others
with their results. A thread that does many by itself keeps its turn (`together`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from checkout.errors import StoreError
from checkout.store.commits import MOST_IN_A_COMMIT, Commits, Group
from checkout.store.pieces import Piece
from checkout.store.together import Together
from checkout.store.turnstile import Turnstile

T = TypeVar("T")

_LOOK_AGAIN_S = 1


class Writer:
    """Opens its connection by `connect` when it is needed first; `translate` puts SQLite's errors into sentences.
    `expect` raises `StoreError` where nothing may be written. `turnstile`: where it waits for other processes."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        translate: Callable[[sqlite3.Error], StoreError],
        expect: Callable[[], None] = lambda: None,
    ) -> None:
        self._commits = Commits(connect, translate, expect)
        self._start()

    def _start(self) -> None:
        self._owner = 0
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._pieces: deque[Piece] = deque()
        self._together: dict[int, Together] = {}  # by thread

    @property
    def has_failed(self) -> bool:
        """Whether the last commit has."""
        return self._commits.has_failed

    @property
    def turnstile(self) -> Turnstile:
        return self._commits.turnstile

    @turnstile.setter
    def turnstile(self, turnstile: Turnstile) -> None:
        self._commits.turnstile = turnstile

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Does `work` in a transaction, perhaps on another thread; its result, or what it raised. Raises as
        `transaction`."""
        if together := self._together.get(threading.get_ident()):
            return self._run_among(together, work)
        self._check_thread()
        piece = Piece(work)
        self._pieces.append(piece)
        while not piece.is_over:
            if self._turn.acquire(blocking=False):
                self._work_off()
            else:
                piece.wait()  # whoever gives the turn back calls
        if piece.error is not None:
            raise piece.error
        result: T = piece.result  # type: ignore[assignment]
        return result

    @contextmanager
    def together(self) -> Iterator[None]:
        """What this thread runs in here has its result before it is on the disk: that all of it is at the end, or
        raises `StoreError`, and then nothing of it was written. So nothing may get out before the end; what is to
        happen then waits in `afterwards`."""
        self._check_thread()
        together = self._together[threading.get_ident()] = Together()
        try:
            yield
        finally:
            del self._together[threading.get_ident()]
            try:
                if together.has_turn:
                    self._work_off(is_able=together.error is None)
            finally:
                together.finish()

    def afterwards(self, done: Callable[[], object], undone: Callable[[], object]) -> None:
        """Calls `done` when what this thread has run is on the disk: at once, or at the end of `together`; `undone`
        where that has failed."""
        if together := self._together.get(threading.get_ident()):
            together.afterwards(done, undone)
        else:
            done()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Raises `StoreError` when it cannot begin or its commit fails; then nothing of it was written."""
        self._take_turn()
        group = None
        try:
            connection, group = self._commits.join()
            try:
                yield connection
                self._commits.count_in(connection, group)
            except BaseException:
                self._commits.undo(connection, group)
                raise
            finally:
                self._commits.leave(group, others_follow=bool(self._waiting or self._pieces))
        except Exception:
            self._give_turn()
            if group is not None:
                self._wait_for(group)  # it may have failed for what it saw of the others: that must be true first
            raise
        except BaseException:
            self._give_turn()
            raise
        self._give_turn()
        self._wait_for(group)

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """The connection without a transaction, after those that are open have been committed."""
        try:
            with self._turn:
                self._commits.commit()
                yield self._commits.opened()
        finally:
            self._call_next()

    def close(self) -> None:
        """Commits what is open, then closes; the next use opens the connection again."""
        try:
            with self._turn:
                self._commits.close()
        finally:
            self._call_next()

    def abandon(self) -> sqlite3.Connection | None:
        """In a forked child: lets the parent's connection go without touching it, and gives it to the caller."""
        connection = self._commits.abandon()
        self._start()
        return connection

    def _run_among(self, together: Together, work: Callable[[sqlite3.Connection], T]) -> T:
        if together.error is not None:
            raise StoreError(str(together.error))
        if not together.has_turn:
            self._take_turn()
            together.has_turn = True
        piece = Piece(work)
        self._do(piece)
        together.note(piece, self._commits.group)
        if piece.error is not None:
            raise piece.error
        result: T = piece.result  # type: ignore[assignment]
        return result

    def _work_off(self, *, is_able: bool = True) -> None:
        """With the turn: does what was handed in, commits it, and gives the turn back. Not `is_able`: the database has
        just refused, others may wait for it by themselves."""
        self._owner = threading.get_ident()
        pieces: list[Piece] = []
        try:
            for piece in self._handed_in() if is_able else ():
                pieces.append(piece)
                self._do(piece)
                if piece.group is None:  # the others need not wait one by one for a database that is locked
                    pieces += self._handed_in()
                    break
        finally:
            try:
                self._commits.commit()
            finally:
                self._give_turn()
                for piece in pieces:
                    piece.end()

    def _handed_in(self) -> Iterator[Piece]:
        """What waits, and what comes while that is done: the next commit would be a whole wait away."""
        for _ in range(MOST_IN_A_COMMIT):
            if not self._pieces:
                return
            yield self._pieces.popleft()

    def _do(self, piece: Piece) -> None:
        try:
            connection, piece.group = self._commits.join()
            try:
                piece.do(connection)
                self._commits.count_in(connection, piece.group)
            except BaseException:
                self._commits.undo(connection, piece.group)
                raise
        except BaseException as error:  # its own thread raises it
            piece.error = error

    def _check_thread(self) -> None:
        if self._owner == threading.get_ident():
            raise StoreError("A transaction cannot begin within a transaction of the same thread.")

    def _take_turn(self) -> None:
        self._check_thread()
        with self._counting:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._counting:
                self._waiting -= 1
        self._owner = threading.get_ident()

    def _give_turn(self) -> None:
        self._owner = 0
        self._turn.release()
        self._call_next()

    def _call_next(self) -> None:
        """After every turn: somebody who came meanwhile goes on."""
        with suppress(IndexError):
            self._pieces[0].call()

    def _wait_for(self, group: Group) -> None:
        """Until the group is on the disk. Should the one who was to commit have vanished, anybody does it."""
        while not group.done:
            assert group.event is not None
            if not group.event.wait(_LOOK_AGAIN_S):
                self._commit_for(group)
        if group.error is not None:
            raise StoreError(str(group.error)) from group.error

    def _commit_for(self, group: Group) -> None:
        try:
            with self._turn:
                if self._commits.group is group:
                    self._commits.commit()
        finally:
            self._call_next()

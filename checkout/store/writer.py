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
from checkout.store.commits import BROKEN_OFF, Group, Piece, Together
from checkout.store.turnstile import Turnstile

T = TypeVar("T")

MOST_IN_A_COMMIT = 32
_LOOK_AGAIN_S = 1


class Writer:
    """Opens its connection by `connect` when it is needed first; `translate` puts SQLite's errors into sentences.
    `expect` raises `StoreError` where nothing may be written. `turnstile`: where it waits for other processes."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        translate: Callable[[sqlite3.Error], StoreError],
        turnstile: Turnstile | None = None,
        expect: Callable[[], None] = lambda: None,
    ) -> None:
        self._connect, self._translate, self._expect = connect, translate, expect
        self.turnstile = turnstile or Turnstile()
        self._connection: sqlite3.Connection | None = None
        self._group: Group | None = None
        self._owner = 0
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._pieces: deque[Piece] = deque()
        self._together: dict[int, Together] = {}  # by thread
        self.has_failed = False  # the last commit

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
            connection, group = self._join()
            try:
                yield connection
                self._count_in(connection, group)
            except BaseException:
                self._undo(connection, group)
                raise
            finally:
                self._leave(connection, group)
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
                self._commit()
                yield self._opened()
        finally:
            self._call_next()

    def close(self) -> None:
        """Commits what is open, then closes; the next use opens the connection again."""
        try:
            with self._turn:
                self._commit()
                connection, self._connection = self._connection, None
                if connection is not None:
                    connection.close()
        finally:
            self._call_next()

    def abandon(self) -> sqlite3.Connection | None:
        """In a forked child: lets the parent's connection go without touching it, and gives it to the caller."""
        connection = self._connection
        self.__init__(self._connect, self._translate, self.turnstile, self._expect)  # type: ignore[misc]
        return connection

    def _run_among(self, together: Together, work: Callable[[sqlite3.Connection], T]) -> T:
        if together.error is not None:
            raise StoreError(str(together.error))
        if not together.has_turn:
            self._take_turn()
            together.has_turn = True
        piece = Piece(work)
        self._do(piece)
        together.note(piece, self._group)
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
                self._commit()
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
            connection, piece.group = self._join()
            try:
                piece.do(connection)
                self._count_in(connection, piece.group)
            except BaseException:
                self._undo(connection, piece.group)
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

    def _join(self) -> tuple[sqlite3.Connection, Group]:
        connection = self._opened()
        try:
            if self._group is None:
                self._begin(connection)
                self._group = Group()
            else:
                connection.execute("SAVEPOINT member")
        except sqlite3.Error as error:
            self._commit()  # what others have left here
            raise self._translate(error) from error
        return connection, self._group

    def _begin(self, connection: sqlite3.Connection) -> None:
        self._expect()
        self.turnstile.enter()
        try:
            connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            self.turnstile.leave()
            raise

    def _count_in(self, connection: sqlite3.Connection, group: Group) -> None:
        if group.size:
            try:
                connection.execute("RELEASE member")
            except sqlite3.Error as error:
                raise self._translate(error) from error
        group.size += 1

    def _undo(self, connection: sqlite3.Connection, group: Group) -> None:
        """Undoes the work of the transaction at hand. Some errors of SQLite undo everything: then the whole group has
        failed, and its members hear of it."""
        try:
            if not group.size:
                self._end(connection, None)
            elif connection.in_transaction:
                connection.execute("ROLLBACK TO member")
                connection.execute("RELEASE member")
            else:
                self._end(connection, StoreError("The database undid the transaction; try again."))
        except BaseException as error:  # what has failed must not stay in a transaction that others commit
            self._end(connection, self._reason(error))
            if not isinstance(error, sqlite3.Error):
                raise

    def _leave(self, connection: sqlite3.Connection, group: Group) -> None:
        """Commits, unless somebody waits who will."""
        if self._group is not group:
            return
        if (self._waiting or self._pieces) and group.size < MOST_IN_A_COMMIT:
            group.event = group.event or threading.Event()
        else:
            self._commit()

    def _commit(self) -> None:
        group, connection = self._group, self._connection
        if group is None or connection is None:
            return
        try:
            connection.execute("COMMIT")
        except BaseException as error:
            self.has_failed = True
            self._end(connection, self._reason(error))
            if not isinstance(error, sqlite3.Error):
                raise
        else:
            self.has_failed = False
            self._finish(group, None)

    def _end(self, connection: sqlite3.Connection, error: StoreError | None) -> None:
        """Rolls back. A connection that cannot even do that (the disk is gone) is thrown away."""
        group = self._group
        assert group is not None
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except Exception:
            self._connection = None
            with suppress(Exception):
                connection.close()
        self._finish(group, error)

    def _reason(self, error: BaseException) -> StoreError:
        """What the members of a group are told. Where memory is short, sqlite3 raises no error of its own."""
        return self._translate(error) if isinstance(error, sqlite3.Error) else StoreError(BROKEN_OFF)

    def _finish(self, group: Group, error: StoreError | None) -> None:
        self._group = None
        self.turnstile.leave()
        group.finish(error)

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
                if self._group is group:
                    self._commit()
        finally:
            self._call_next()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

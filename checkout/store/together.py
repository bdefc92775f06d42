"""What one thread does together, in one commit: it keeps its turn from the first transaction to the last."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable

from checkout.errors import StoreError
from checkout.interfaces import T
from checkout.store.commits import BROKEN_OFF, Commits, Group
from checkout.store.pieces import Piece, Turns

log = logging.getLogger(__name__)


class Together:
    """All of it is on the disk afterwards, or nothing: where the commit has ended early, what would come after it is
    refused."""

    __slots__ = ("_commits", "_error", "_group", "_has_turn", "_turns", "_waiting")

    def __init__(self, turns: Turns, commits: Commits) -> None:
        self._turns, self._commits = turns, commits
        self._group: Group | None = None
        self._has_turn = False
        self._error: StoreError | None = None
        self._waiting: list[tuple[Callable[[], object], Callable[[], object]]] = []

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._error is not None:
            raise StoreError(str(self._error))
        if not self._has_turn:
            self._turns.take()
            self._has_turn = True
        piece = Piece(work)
        piece.do(self._commits)
        self._note(piece)
        return piece.outcome()

    def afterwards(self, done: Callable[[], object], undone: Callable[[], object]) -> None:
        self._waiting.append((done, undone))

    def end(self) -> None:
        """Commits, then calls what has waited for it. Raises `StoreError` where it has failed."""
        try:
            if self._has_turn:
                self._turns.work_off(is_able=self._error is None)
        finally:
            self._tell()

    def _note(self, piece: Piece[T]) -> None:
        if piece.group is not None and piece.group.done and not piece.group.size and piece.group.error is None:
            return  # the first of a group was undone, and with it the group: nothing else was in it
        if self._group is None:
            self._group = piece.group
        if self._group is None or self._commits.group is not self._group:
            self._error = StoreError(str(self._group.error if self._group and self._group.error else piece.error))

    def _tell(self) -> None:
        error = None
        if self._group is not None:
            error = self._group.error if self._group.done else StoreError(BROKEN_OFF)
        for done, undone in self._waiting:
            try:
                (undone if error else done)()
            except Exception:
                log.exception("What was to be done after a commit has failed")
        if error is not None:
            raise StoreError(str(error)) from error

"""What one thread does together, in one commit."""

from __future__ import annotations

import logging
from collections.abc import Callable

from checkout.errors import StoreError
from checkout.interfaces import T
from checkout.store.commits import BROKEN_OFF, Group
from checkout.store.pieces import Piece

log = logging.getLogger(__name__)


class Together:
    """What one thread does in one commit. All of it is on the disk afterwards, or nothing: where the commit has ended
    early, `error` refuses what would come after it."""

    __slots__ = ("_waiting", "error", "group", "has_turn")

    def __init__(self) -> None:
        self.group: Group | None = None
        self.has_turn = False
        self.error: StoreError | None = None
        self._waiting: list[tuple[Callable[[], object], Callable[[], object]]] = []

    def afterwards(self, done: Callable[[], object], undone: Callable[[], object]) -> None:
        self._waiting.append((done, undone))

    def note(self, piece: Piece[T], current: Group | None) -> None:
        """After each piece: `current` is the group that is open still."""
        if piece.group is not None and piece.group.done and not piece.group.size and piece.group.error is None:
            return  # the first of a group was undone, and with it the group: nothing else was in it
        if self.group is None:
            self.group = piece.group
        if self.group is None or current is not self.group:
            self.error = StoreError(str(self.group.error if self.group and self.group.error else piece.error))

    def finish(self) -> None:
        """After the commit: calls what has waited for it. Raises `StoreError` where it has failed."""
        error = None
        if self.group is not None:
            error = self.group.error if self.group.done else StoreError(BROKEN_OFF)
        for done, undone in self._waiting:
            try:
                (undone if error else done)()
            except Exception:
                log.exception("What was to be done after a commit has failed")
        if error is not None:
            raise StoreError(str(error)) from error

"""The same request sent twice has one effect and gets one answer: idempotency keys, kept for a day.

The effect and the answer are written in one transaction, so a crash leaves both or neither; of two requests that arrive
at once, the second waits for the first and then finds its answer. A refusal undoes everything, the key included:
nothing happened, so the same request may be tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from msgspec import Struct

from checkout import store
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows, Store, T
from checkout.locks import ALL, Held
from checkout.model.merchants import Answered

KEPT_S = 86_400


class Once(Struct, frozen=True):
    """A request with its key; `request` is a digest of everything it asks for."""

    merchant: int
    key: str
    request: str


class Reply(Struct, frozen=True):
    status: int
    body: str
    replayed: bool = False  # it was given before


def once(db_store: Store, asked: Once, effect: Callable[[Store], tuple[int, str]], now: int) -> Reply:
    """Runs `effect` and keeps its (status, body), or returns what was answered before.

    The store that `effect` is given is the transaction itself: whatever it reads and writes belongs to it. It must not
    use the network. Refused: DUPLICATE (the key was used for another request), and whatever `effect` refuses.
    """
    with db_store.transaction() as db:
        if before := _taken(db, asked, now):
            if before.request != asked.request:
                raise Refusal(Code.DUPLICATE, "This idempotency key was used for another request; take a new one.")
            return Reply(before.status, before.body, replayed=True)
        status, body = effect(_Within(db_store, db))
        store.answered.finish(db, _answered(asked, now, status, body))
        return Reply(status, body)


def sweep(db_store: Store, now: int, limit: int = 500) -> int:
    """Deletes answers that are older than a day; returns their number."""
    with db_store.read() as db:
        if not store.answered.any_before(db, now - KEPT_S):
            return 0
    with db_store.transaction() as db:
        return store.answered.sweep(db, now - KEPT_S, limit)


def _taken(db: Rows, asked: Once, now: int) -> Answered | None:
    """Takes the key; returns the answer given under it within the last day if it was taken already."""
    fresh = _answered(asked, now)
    if store.answered.take(db, fresh):
        return None
    before = store.answered.get(db, asked.merchant, asked.key)
    assert before is not None
    if before.created_at > now - KEPT_S:
        return before
    store.answered.remove(db, asked.merchant, asked.key)
    store.answered.take(db, fresh)
    return None


def _answered(asked: Once, now: int, status: int = 0, body: str = "") -> Answered:
    return Answered(asked.merchant, asked.key, asked.request, status, body, now)


class _Within:
    """A store whose transactions all become part of one that is already open, with which they are committed."""

    def __init__(self, outer: Store, db: Rows) -> None:
        self._outer, self._db = outer, db

    @contextmanager
    def read(self) -> Iterator[Rows]:
        yield self._db

    @contextmanager
    def transaction(self) -> Iterator[Rows]:
        yield self._db

    def locked(self, keys: Callable[[Rows], Iterable[str] | None], work: Callable[[Rows, Held], T]) -> T:
        return work(self._db, ALL)

    def together(self) -> AbstractContextManager[None]:
        raise AssertionError("A transaction is together already.")

    def afterwards(self, done: Callable[[], object], undone: Callable[[], object] = lambda: None) -> None:
        self._outer.afterwards(done, undone)

    def free_bytes(self) -> int | None:
        return self._outer.free_bytes()

    def guard(self, server: int = 0) -> None:
        raise AssertionError("A transaction is no server.")

    def check(self) -> None:
        raise AssertionError("A transaction sees no damage.")

    def check_rest(self) -> None:
        raise AssertionError("A transaction leaves nothing out.")

    def expect_sound(self) -> None:
        self._outer.expect_sound()

    def expect_writes(self) -> None:
        raise AssertionError("A transaction is asked no questions about the disk.")

    def copy_to(self, target: Path) -> None:
        raise AssertionError(f"A transaction is not copied to {target}.")

    def close(self) -> None:
        raise AssertionError("A transaction closes nothing.")

"""What the parts expect of each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from checkout.http.client import Answer, Outgoing
from checkout.http.steps import Steps
from checkout.locks import Held
from checkout.model.deliveries import Delivery
from checkout.model.merchants import Merchant
from checkout.model.orders import Order

if TYPE_CHECKING:
    from flask import Blueprint

T = TypeVar("T")

Value = str | int | None
Row = tuple[Any, ...]


class Clock(Protocol):
    """Unix seconds. Read once per use case and handed down."""

    def __call__(self) -> int: ...


class NewId(Protocol):
    """A new unguessable id with a prefix that tells what it names; ids made later sort later."""

    def __call__(self, prefix: str) -> str: ...


class Send(Protocol):
    """The way out to the network. Raises `checkout.http.client.Unreachable` and nothing else."""

    def __call__(self, request: Outgoing) -> Answer: ...


Exchange = Callable[[Outgoing], Steps[Answer]]
"""The same way out, for whoever has something else to do while it waits."""


class Chore(Protocol):
    """Something that the worker does once a minute; it may take long, and handles its expected failures itself."""

    def __call__(self, now: int, /) -> None: ...


class Rows(Protocol):
    """A database as the store's modules see it: SQL written in full, with named values."""

    def all(self, sql: str, /, **values: Value) -> list[Row]: ...

    def one(self, sql: str, /, **values: Value) -> Row | None: ...

    def run(self, sql: str, /, **values: Value) -> int:
        """Runs a statement and returns the number of rows that it changed. Raises `Conflict`."""
        ...


class Owed(Protocol):
    """What a transaction comes to owe merchants, told while it runs."""

    def reset(self) -> None:
        """Forgets what was told, and gives back what was claimed for it: to be called first in the transaction, which
        may be done again, and where it was undone."""
        ...

    def callback(self, delivery: Delivery, order: Order, merchant: Merchant, receipt: str) -> Delivery:
        """An order's own callback, as it is to be kept: claimed, where it goes out right after the transaction."""
        ...

    def event(self, delivery: Delivery) -> None:
        """A message to a webhook endpoint, which waits for a look."""
        ...


AtOnce = Callable[[], AbstractContextManager[Owed]]
"""Put around such a transaction: what was owed goes out right after it."""


class Store(Protocol):
    """One database. Raises `StoreError` when it cannot be used."""

    def read(self) -> AbstractContextManager[Rows]: ...

    def transaction(self) -> AbstractContextManager[Rows]:
        """To read, then write, while nobody else writes; committed at the end, rolled back on any exception."""
        ...

    def locked(self, keys: Callable[[Rows], Iterable[str] | None], work: Callable[[Rows, Held], T]) -> T:
        """Does `work` in a transaction; others may write meanwhile what shares none of its keys (`checkout.locks`).

        `keys` returns them, or None where `work` must be alone; a store with one writer does not ask. `work` may run
        twice, the first time undone, or on another thread that is writing already: so it has no effects outside the
        database, looks at nothing that belongs to its thread (the request, its log fields) and waits for nobody."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """For one thread that does much: inside, `locked` gives its result before that is on the disk; all of it is
        at the end, or nothing and `StoreError` is raised. So nothing of it may get out earlier (`afterwards`). A store
        that cannot share commits so commits each by itself."""
        ...

    def afterwards(self, done: Callable[[], object], undone: Callable[[], object] = lambda: None) -> None:
        """Calls `done` when what this thread has just done `locked` is on the disk, or `undone` where that failed: at
        once, or at the end of `together`."""
        ...

    def free_bytes(self) -> int | None:
        """Free space on the disk; None where that is another machine's concern."""
        ...

    def guard(self, server: int = 0) -> None:
        """For a server, before it answers; `server`: the id of the process that keeps the server's lock, its
        supervisor; 0: this one. `StoreError`: the database is damaged, or another server has it."""
        ...

    def check(self) -> None:
        """Reads the whole database; raises `Damaged`, or `StoreError` when it cannot be read now."""
        ...

    def check_rest(self) -> None:
        """For a server that already answers: reads what `guard` left out to save time. Raises as `check`."""
        ...

    def expect_sound(self) -> None:
        """Called before an order is taken. Raises `Damaged` if the last check, by whichever process, found damage."""
        ...

    def expect_writes(self) -> None:
        """Raises `StoreError` while nothing can be written. Itself it writes only if that has failed before."""
        ...

    def copy_to(self, target: Path) -> None:
        """Writes a checked copy beside running servers, to a file that must not exist yet. Raises `StoreError`."""
        ...

    def close(self) -> None: ...


class Dialect(Protocol):
    """A language that merchants speak: one module in `checkout/protocols/`, the module itself being the object."""

    NAME: str

    def routes(self) -> Blueprint: ...

    def callback(self, order: Order, merchant: Merchant, url: str, now: int, receipt: str = "") -> Outgoing:
        """The message that tells the merchant's `url` that the order was paid, signed with the current key; `receipt`
        is the token of its receipt page."""
        ...

    def acknowledged(self, answer: Answer) -> bool: ...

    def return_params(self, order: Order, merchant: Merchant, now: int) -> Mapping[str, str] | None:
        """What the dialect adds to the return address of a paid order: its own signed parameters, nothing (empty),
        or None where the native signature goes there."""
        ...


Dialects = Mapping[str, Dialect]

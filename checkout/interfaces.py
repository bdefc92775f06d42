"""What the parts expect of each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from checkout.http import Answer, Outgoing
from checkout.model import Merchant, Order
from checkout.turns import Turn

if TYPE_CHECKING:
    from flask import Blueprint

T = TypeVar("T")

Value = str | int | None
Row = tuple[Any, ...]


class Clock(Protocol):
    """Unix seconds. Read once per use case and handed down."""

    def __call__(self) -> int: ...


class NewId(Protocol):
    """A new id that nobody can guess, with a prefix that tells what it is; ids made later sort later."""

    def __call__(self, prefix: str) -> str: ...


class Send(Protocol):
    """The way out to the network: raises `http.Unreachable` and nothing else."""

    def __call__(self, request: Outgoing) -> Answer: ...


class Chore(Protocol):
    """Something to look after by the minute, in the worker; it may take long and does not raise what is expected."""

    def __call__(self, now: int, /) -> None: ...


class Rows(Protocol):
    """A database as the store's modules see it: SQL in full, values by name."""

    def all(self, sql: str, /, **values: Value) -> list[Row]: ...

    def one(self, sql: str, /, **values: Value) -> Row | None: ...

    def run(self, sql: str, /, **values: Value) -> int:
        """Runs a statement and gives the number of rows that it changed; raises `Conflict`."""
        ...


Owed = Callable[[Rows, str], None]
"""Called within a transaction that made a message about an order due, with its token; before that with "" where the
transaction may be done again, as what the time before has claimed was undone."""

AtOnce = Callable[[], AbstractContextManager[Owed]]
"""Put around such a transaction: what was owed goes out right after it."""


class Store(Protocol):
    """One database. Raises `StoreError` where it cannot be used."""

    def read(self) -> AbstractContextManager[Rows]: ...

    def transaction(self) -> AbstractContextManager[Rows]:
        """Read, then write, with nobody writing in between; committed at the end, rolled back on any exception."""
        ...

    def in_turn(self, words: Callable[[Rows], Iterable[str] | None], work: Callable[[Rows, Turn], T]) -> T:
        """`work` in a transaction beside which others may write what has none of its words (`checkout.turns`).

        `words` reads what they are, None where it must be alone; a store with one writer does not ask. `work` may run
        twice, the first time undone, or on another thread that writes already: it has no effects but in the database,
        looks at nothing that belongs to its thread (the request, what is logged of it) and waits for nobody."""
        ...

    def free_bytes(self) -> int | None:
        """Room left on the disk, None where that is another machine's concern."""
        ...

    def guard(self) -> None:
        """For a server, before it serves. `StoreError`: the database is damaged, or another server has it."""
        ...

    def check(self) -> None:
        """Reads the whole database; raises `Damaged`, or `StoreError` when it cannot be read now."""
        ...

    def check_rest(self) -> None:
        """For a server that answers already: reads what `guard` had no time for. Raises as `check`."""
        ...

    def expect_sound(self) -> None:
        """Before an order is taken. Raises `Damaged` when the last check, of whichever process, has found damage."""
        ...

    def copy_to(self, target: Path) -> None:
        """Writes a checked copy beside running servers, to a file that does not exist yet. Raises `StoreError`."""
        ...

    def close(self) -> None: ...


class Dialect(Protocol):
    """A merchant language: one module in `checkout/protocols/`, the module itself being the object."""

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

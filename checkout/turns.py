"""What a transaction may touch, where several may write at once: what stands under some words, or everything.

Two transactions that have a word in common never run at the same time, and one that may touch everything runs alone.
So a rule is safe beside others when every row that it relies on stands under a word that it took; where it finds more
than it took it says so (`TooNarrow`), is undone, and is done again alone. The words of an account's amounts are those
of all accounts on its phones ("an amount's neighbours").
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct


class TooNarrow(Exception):
    """A transaction found that it must touch more than it may."""


class Turn(Struct, frozen=True):
    """`words`: what it may touch; None: everything, as nobody else writes meanwhile."""

    words: frozenset[str] | None = None

    def has(self, word: str) -> bool:
        return self.words is None or word in self.words

    def expect(self, words: Iterable[str]) -> None:
        """Raises `TooNarrow` when one of them was not taken."""
        if self.words is not None and not self.words.issuperset(words):
            raise TooNarrow

    def expect_alone(self) -> None:
        """Raises `TooNarrow` when others may write meanwhile."""
        if self.words is not None:
            raise TooNarrow


ALONE = Turn()


def accounts(ids: Iterable[str]) -> list[str]:
    """The amounts of accounts, what was paid to them, and the payments that phones report for them."""
    return [f"account {one}" for one in ids]


def device(device_id: str) -> str:
    """What a phone reported."""
    return f"device {device_id}"


def number(merchant: int, number: str) -> str:
    """The orders under a merchant's number: all its attempts."""
    return f"number {merchant} {number}"


def product(product_id: str) -> str:
    """What is left of a product that is sold here, its licence keys, and who has how many of it."""
    return f"product {product_id}"


def buyers(method: str) -> str:
    """How many of a method's amounts the orders of products hold."""
    return f"buyers {method}"


def endpoint(endpoint_id: str) -> str:
    """How the tries at a webhook endpoint went."""
    return f"endpoint {endpoint_id}"


def bucket(name: str) -> str:
    """How often somebody has asked all servers together."""
    return f"bucket {name}"


def delivery(delivery_id: str) -> str:
    """A message that is owed to a merchant, and its tries."""
    return f"delivery {delivery_id}"

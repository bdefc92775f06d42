"""What a transaction locks, where several may write at once: the rows that stand under some keys, or everything.

Two transactions that have a key in common never run at the same time, and one that locks everything runs alone. So a
rule is safe beside others when every row that it relies on stands under a key that it holds; where it finds more than
that it says so (`NotLocked`), is undone, and is done again alone. The keys of an account's amounts are those of all
accounts on its phones ("an amount's neighbours").
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct


class NotLocked(Exception):
    """A transaction found that it must touch more than it has locked."""


class Held(Struct, frozen=True):
    """The locks of a transaction. `keys`: what it may touch; None: everything, as nobody else writes meanwhile."""

    keys: frozenset[str] | None = None

    def has(self, key: str) -> bool:
        return self.keys is None or key in self.keys

    def require(self, keys: Iterable[str]) -> None:
        """Raises `NotLocked` when one of them is not held."""
        if self.keys is not None and not self.keys.issuperset(keys):
            raise NotLocked

    def require_all(self) -> None:
        """Raises `NotLocked` when others may write meanwhile."""
        if self.keys is not None:
            raise NotLocked


ALL = Held()


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

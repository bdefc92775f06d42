"""All SQL of Checkout. `open_store` gives the database; one module for each noun holds its statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from checkout.errors import StoreError
from checkout.interfaces import Store
from checkout.setting_values import POSTGRES
from checkout.store import (
    accounts,
    alerts,
    answered,
    api_keys,
    audit,
    buckets,
    copies,
    deliveries,
    devices,
    endpoints,
    gateways,
    gauges,
    invariants,
    keys,
    merchant_orders,
    merchants,
    orders,
    overview,
    owner,
    payment_lists,
    payments,
    preferences,
    pressure,
    products,
    receipts,
    refunds,
    sales,
    silences,
    slots,
    strangers,
    tallies,
)
from checkout.store.sqlite import SqliteStore

__all__ = [
    "accounts",
    "alerts",
    "answered",
    "api_keys",
    "audit",
    "buckets",
    "deliveries",
    "devices",
    "endpoints",
    "expect_alone",
    "gateways",
    "gauges",
    "invariants",
    "keys",
    "merchant_orders",
    "merchants",
    "missing",
    "open_store",
    "open_target",
    "orders",
    "overview",
    "owner",
    "payment_lists",
    "payments",
    "preferences",
    "pressure",
    "products",
    "receipts",
    "refunds",
    "restore",
    "sales",
    "silences",
    "slots",
    "strangers",
    "tallies",
]


def open_store(database: str, *, serving: bool = False) -> Store:
    """The store at `database` (a SQLite path or a postgresql:// address), created and migrated when it is new.
    `serving`: for a server, which waits for a database elsewhere some seconds at most. Raises `StoreError`."""
    if database.startswith(POSTGRES):
        return _postgres(database, serving=serving)
    if "://" in database:
        raise StoreError("CHECKOUT_DATABASE must be the path of a file or a postgresql:// address.")
    return SqliteStore(database)


def open_target(address: str) -> Store:
    """The PostgreSQL database that a SQLite file is moved into. Raises `StoreError`."""
    return _postgres(address, is_moving=True)


def restore(database: str, source: Path, now: int) -> str | None:
    """Puts a checked copy of the backup `source` in the place of `database`; says where the former one is kept, None:
    there was none. Raises `StoreError` as `copies.restore` and `refills.restore`."""
    if database.startswith(POSTGRES):
        former = _refills().restore(database, source, now)
        return former and f"the schema {former}"
    kept = copies.restore(Path(database), source, now)
    return str(kept) if kept else None


def missing(database: str) -> list[str]:
    """The migrations that opening `database` would apply; nothing is changed. Raises `StoreError`, also where a newer
    program was here."""
    return _refills().missing(database) if database.startswith(POSTGRES) else copies.missing(Path(database))


def expect_alone(database: str) -> None:
    """Before migrations. `StoreError` while servers of other machines use the same PostgreSQL database."""
    if database.startswith(POSTGRES):
        _refills().expect_alone(database)


def _postgres(address: str, *, serving: bool = False, is_moving: bool = False) -> Store:
    with _driver():
        from checkout.store.postgres import PostgresStore
    return PostgresStore(address, serving=serving, is_moving=is_moving)


def _refills() -> ModuleType:
    with _driver():
        from checkout.store import refills
    return refills


@contextmanager
def _driver() -> Iterator[None]:
    """PostgreSQL's is an extra, and takes a while to load."""
    try:
        yield
    except ImportError as error:
        raise StoreError("PostgreSQL needs its driver: pip install 'checkout-qr[postgres]'.") from error

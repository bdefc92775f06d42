"""All SQL of Checkout. `open_store` gives the database; one module for each noun holds its statements."""

from __future__ import annotations

from checkout.errors import StoreError
from checkout.interfaces import Store
from checkout.setting_values import POSTGRES
from checkout.store import (
    accounts,
    alerts,
    answered,
    api_keys,
    audit,
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
    tallies,
)
from checkout.store.copies import restore
from checkout.store.sqlite import SqliteStore

__all__ = [
    "accounts",
    "alerts",
    "answered",
    "api_keys",
    "audit",
    "deliveries",
    "devices",
    "endpoints",
    "gateways",
    "gauges",
    "invariants",
    "keys",
    "merchant_orders",
    "merchants",
    "open_store",
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
    "tallies",
]


def open_store(database: str, *, serving: bool = False) -> Store:
    """The store at `database` (a SQLite path or a postgresql:// address), created and migrated when it is new.
    `serving`: for a server, which waits for a database elsewhere some seconds at most. Raises `StoreError`."""
    if database.startswith(POSTGRES):
        return _postgres(database, serving)
    if "://" in database:
        raise StoreError("CHECKOUT_DATABASE must be the path of a file or a postgresql:// address.")
    return SqliteStore(database)


def _postgres(address: str, serving: bool) -> Store:
    """Its driver is an extra, and takes a while to load."""
    try:
        from checkout.store.postgres import PostgresStore
    except ImportError as error:
        raise StoreError("PostgreSQL needs its driver: pip install 'checkout-qr[postgres]'.") from error
    return PostgresStore(address, serving=serving)

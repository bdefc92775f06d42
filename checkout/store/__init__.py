"""All SQL of Checkout. `open_store` gives the database; one module for each noun holds its statements."""

from __future__ import annotations

from checkout.errors import StoreError
from checkout.interfaces import Store
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
    payments,
    preferences,
    products,
    receipts,
    refunds,
    sales,
    slots,
    statistics,
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
    "payments",
    "preferences",
    "products",
    "receipts",
    "refunds",
    "restore",
    "sales",
    "slots",
    "statistics",
]


def open_store(database: str) -> Store:
    """The store at `database` (a SQLite path), created and migrated when it is new. Raises `StoreError`."""
    if "://" in database:
        raise StoreError("Only SQLite is supported so far: CHECKOUT_DATABASE must be the path of a file.")
    return SqliteStore(database)

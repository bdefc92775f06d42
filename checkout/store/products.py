"""Products, their licence keys, and what is left of them."""

from __future__ import annotations

import json

from msgspec import Struct
from msgspec.structs import asdict

from checkout.interfaces import Row, Rows, Value
from checkout.model.products import Product
from checkout.store.mapping import columns, insert


class Held(Struct, frozen=True):
    """An amount that a buyer's order keeps from others until `free_at`."""

    product: str
    client: str
    free_at: int


_COLUMNS = columns(Product)
_ORIGINS = Product.__struct_fields__.index("origins")


def add(db: Rows, product: Product) -> None:
    """Raises `Conflict` when the id is taken."""
    db.run(insert(Product, "products"), **_values(product))


def get(db: Rows, product_id: str) -> Product | None:
    row = db.one(f"SELECT {_COLUMNS} FROM products WHERE id = :id", id=product_id)
    return _product(row) if row else None


def all_of(db: Rows) -> list[Product]:
    return [_product(row) for row in db.all(f"SELECT {_COLUMNS} FROM products ORDER BY created_at, id")]


def of_merchant(db: Rows, merchant_id: int, *, after: str, limit: int) -> list[Product]:
    """By id; `after` is the last one of the page before, "" for the first page."""
    rows = db.all(
        f"SELECT {_COLUMNS} FROM products WHERE merchant = :merchant AND id > :after ORDER BY id LIMIT :limit",
        merchant=merchant_id, after=after, limit=limit,
    )  # fmt: skip
    return [_product(row) for row in rows]


def update(db: Rows, product: Product) -> None:
    """Everything but the id and the time it was made."""
    names = [name for name in Product.__struct_fields__ if name not in ("id", "created_at")]
    listed = ", ".join(f"{name} = :{name}" for name in names)
    db.run(f"UPDATE products SET {listed} WHERE id = :id AND created_at = :created_at", **_values(product))


def taken(db: Rows, product_id: str, now: int) -> int:
    """Pieces that are sold or stand in an order that waits for payment."""
    row = db.one(
        "SELECT coalesce(sum(quantity), 0) FROM orders WHERE product = :product"
        " AND (state = 'paid' OR (state = 'pending' AND expires_at > :now))",
        product=product_id, now=now,
    )  # fmt: skip
    assert row is not None
    return int(row[0])


def waiting_pieces(db: Rows, product_id: str, now: int) -> int:
    """Pieces that stand in orders that wait for payment."""
    row = db.one(
        "SELECT coalesce(sum(quantity), 0) FROM orders"
        " WHERE product = :product AND state = 'pending' AND expires_at > :now",
        product=product_id, now=now,
    )  # fmt: skip
    assert row is not None
    return int(row[0])


def bought_by(db: Rows, product_id: str, buyer: str, client: str, now: int) -> int:
    """Pieces that one buyer has, or waits to pay: by the merchant's label where there is one, else by address."""
    row = db.one(
        "SELECT coalesce(sum(quantity), 0) FROM orders WHERE product = :product"
        " AND ((:buyer <> '' AND buyer = :buyer) OR (:buyer = '' AND client <> '' AND client = :client))"
        " AND (state = 'paid' OR (state = 'pending' AND expires_at > :now))",
        product=product_id, buyer=buyer, client=client, now=now,
    )  # fmt: skip
    assert row is not None
    return int(row[0])


def holding(db: Rows, method: str, since: int, now: int) -> list[Held]:
    """Every amount of the method's accounts that an unpaid order of a buyer, opened after `since`, holds."""
    rows = db.all(
        "SELECT orders.product, orders.client, slots.free_at FROM orders"
        " JOIN slots ON slots.order_token = orders.token JOIN accounts ON accounts.id = slots.account"
        " WHERE orders.created_at > :since AND orders.product <> '' AND orders.state <> 'paid'"
        " AND slots.free_at > :now AND accounts.method = :method",
        method=method, since=since, now=now,
    )  # fmt: skip
    return [Held(*row) for row in rows]


def add_keys(db: Rows, product_id: str, keys: list[str], now: int) -> int:
    """Adds keys that are not there yet; gives how many."""
    sql = (
        "INSERT INTO product_keys (product, key, added_at) VALUES (:product, :key, :now)"
        " ON CONFLICT (product, key) DO NOTHING"
    )
    return sum(db.run(sql, product=product_id, key=key, now=now) for key in keys)


def take_keys(db: Rows, product_id: str, token: str, quantity: int, now: int) -> list[str]:
    """Gives the order as many keys as it bought, or all that are left; each goes to one order only."""
    rows = db.all(
        "UPDATE product_keys SET order_token = :token, taken_at = :now WHERE product = :product"
        " AND order_token IS NULL AND key IN (SELECT key FROM product_keys WHERE product = :product"
        " AND order_token IS NULL ORDER BY added_at, key LIMIT :quantity) RETURNING key",
        product=product_id, token=token, now=now, quantity=quantity,
    )  # fmt: skip
    return sorted(row[0] for row in rows)


def keys_left(db: Rows, product_id: str) -> int:
    row = db.one(
        "SELECT count(*) FROM product_keys WHERE product = :product AND order_token IS NULL",
        product=product_id,
    )
    assert row is not None
    return int(row[0])


def _values(product: Product) -> dict[str, Value]:
    flat = asdict(product)
    flat["origins"] = json.dumps(product.origins)
    return flat


def _product(row: Row) -> Product:
    cells = list(row)
    cells[_ORIGINS] = tuple(json.loads(cells[_ORIGINS]))
    return Product(*cells)

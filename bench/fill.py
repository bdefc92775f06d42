"""Databases with a year of orders, made quickly: what the data grows to."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

from bench.figures import say
from checkout import ids, owner, sales, tallies
from checkout import store as stores
from checkout.store import open_store
from tests.world import account, device, merchant

PASSWORD = "a long walk by the sea"
DAYS = 365
DAY_S = 86_400


def database_of(orders: int, folder: Path) -> Path:
    """A database with that many orders in `folder`, made unless it lies there already: copy it, do not change it."""
    path = folder / f"orders-{orders}.db"
    if not path.exists():
        say(f"  making a database with {orders:,} orders …")
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        fill(draft, orders)
        draft.rename(path)
    return path


def copy_of(orders: int, folder: Path, target: Path) -> Path:
    return Path(shutil.copy(database_of(orders, folder), target))


def fill(database: Path, orders: int) -> None:
    """A year of three merchants: seven of ten orders paid, most told, some money without an order."""
    store = open_store(str(database))
    with store.transaction() as db:
        for number in (1001, 1002, 1003):
            stores.merchants.add(db, merchant(id=number))
        for name, method in (("wx-main", "wechat"), ("ali-main", "alipay")):
            stores.accounts.add(db, account(id=name, method=method))
        stores.devices.add(db, device(beat_at=ids.now()), ["wx-main", "ali-main"])
    store.close()
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    _insert(connection, orders)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    owner.set_password(store, PASSWORD, actor="bench", new_id=ids.new_id, now=ids.now())
    for sum_up in (sales.sum_up, tallies.sum_up):
        while sum_up(store, ids.now()):
            pass
    store.close()


def _insert(connection: sqlite3.Connection, orders: int) -> None:
    dice, now = random.Random(7), ids.now()
    step = DAYS * DAY_S / orders
    numbers = range(
        orders - 1, -1, -1
    )  # the oldest first, as they come: the other way round they take half as much again
    for start in range(0, orders, 20_000):
        rows = [_order(dice, number, now - int(number * step)) for number in numbers[start : start + 20_000]]
        _many(connection, "orders", rows)
        paid = [row for row in rows if row["state"] == "paid"]
        _many(connection, "payments", [_payment(row) for row in paid])
        _many(connection, "deliveries", [_delivery(row) for row in paid])
    stray = [_stray(number, now - number * 600) for number in range(39, -1, -1)]
    _many(connection, "payments", stray)
    _many(connection, "audit", [_note(number, now - number * 60) for number in range(99_999, -1, -1)])


def _many(connection: sqlite3.Connection, table: str, rows: list[dict[str, object]]) -> None:
    if rows:
        names = list(rows[0])
        values = ", ".join(f":{name}" for name in names)
        connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})", rows)


def _order(dice: random.Random, number: int, at: int) -> dict[str, object]:
    state = dice.choices(("paid", "expired", "closed"), (70, 28, 2))[0] if number > 5 else "pending"
    price = dice.choice((990, 1990, 4990, 12_800, 500))
    method = dice.choices(("wechat", "alipay"), (80, 20))[0]
    return {
        "token": f"{dice.getrandbits(128):032x}", "merchant": 1001 + number % 3, "dialect": "vmq",
        "number": f"B{number}", "state": state, "late": int(state == "paid" and dice.random() < 0.01),
        "method": method, "account": {"wechat": "wx-main", "alipay": "ali-main"}[method], "channel": "personal",
        "price": price, "really_price": price + dice.randrange(5), "title": "Tea", "content": "", "param": "",
        "buyer": f"user-{number % 50_000}" if number % 3 == 0 else "", "price_text": "", "notify_url": "",
        "return_url": "", "extra": "{}", "asked": "", "product": "", "created_at": at, "expires_at": at + 300,
        "shown_at": at, "paid_at": at + 40 if state == "paid" else None,
        "closed_at": at + 60 if state == "closed" else None,
    }  # fmt: skip


def _payment(order: dict[str, object]) -> dict[str, object]:
    return {
        "id": f"pay_{order['token']}", "channel": "phone", "reference": order["token"], "device": "phone",
        "method": order["method"], "amount": order["really_price"], "judgement": "matched",
        "order_token": order["token"], "account": order["account"], "raw": "{}", "happened_at": order["paid_at"],
        "received_at": order["paid_at"], "judged_at": order["paid_at"], "merchant": order["merchant"],
    }  # fmt: skip


def _delivery(order: dict[str, object]) -> dict[str, object]:
    return {
        "id": f"msg_{order['token']}", "order_token": order["token"], "merchant": order["merchant"], "dialect": "vmq",
        "event": "order.paid", "url": "https://shop.example/notify", "state": "delivered", "attempts": 1,
        "due_at": order["paid_at"], "created_at": order["paid_at"], "done_at": order["paid_at"],
    }  # fmt: skip


def _stray(number: int, at: int) -> dict[str, object]:
    return {
        "id": f"pay_stray_{number}", "channel": "phone", "reference": f"stray {number}", "device": "phone",
        "method": "wechat", "amount": 990 + number % 9, "judgement": "unmatched", "raw": "{}",
        "note": "No waiting order has this amount.", "happened_at": at, "received_at": at, "judged_at": at,
    }  # fmt: skip


def _note(number: int, at: int) -> dict[str, object]:
    return {
        "id": f"aud_{number:08d}", "at": at, "actor": "bench", "action": "order.confirm", "subject": f"order {number}",
        "detail": "{}",
    }  # fmt: skip

"""Receiving accounts, their fixed-amount codes, and whether a phone watches them."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from checkout.interfaces import Row, Rows
from checkout.model.accounts import Account, FixedCode, Method
from checkout.store.mapping import columns, insert, values

_COLUMNS = columns(Account, "accounts")
_CODE_COLUMNS = columns(FixedCode)


class Watched(Struct, frozen=True):
    """An account that takes orders, with the last sign of life of its phones (None: no phone was ever seen)."""

    account: Account
    beat_at: int | None


def add(db: Rows, account: Account) -> None:
    """Raises `Conflict` when the id is taken."""
    db.run(insert(Account, "accounts"), **values(account))


def get(db: Rows, account_id: str) -> Account | None:
    row = db.one(f"SELECT {_COLUMNS} FROM accounts WHERE id = :id", id=account_id)
    return _account(row) if row else None


def all_of(db: Rows) -> list[Account]:
    return [_account(row) for row in db.all(f"SELECT {_COLUMNS} FROM accounts ORDER BY created_at, id")]


def update(db: Rows, account: Account) -> None:
    db.run(
        'UPDATE accounts SET method = :method, channel = :channel, code = :code, "offset" = :offset,'
        " max_offset = :max_offset, offline = :offline, weight = :weight, daily_cap = :daily_cap,"
        " disabled_at = :disabled_at WHERE id = :id AND created_at = :created_at",
        **values(account),
    )


def open_for(db: Rows, method: str) -> list[Watched]:
    """The enabled accounts of a method."""
    rows = db.all(
        f"SELECT {_COLUMNS}, (SELECT max(devices.beat_at) FROM device_accounts"
        " JOIN devices ON devices.id = device_accounts.device"
        " WHERE device_accounts.account = accounts.id AND devices.revoked_at IS NULL)"
        " FROM accounts WHERE accounts.method = :method AND accounts.disabled_at IS NULL"
        " ORDER BY accounts.created_at, accounts.id",
        method=method,
    )
    return [Watched(_account(row[:-1]), row[-1]) for row in rows]


def neighbours(db: Rows, account_id: str) -> list[str]:
    """The account and those of its method that a working phone watches together with it: their
    pushes look alike."""
    rows = db.all(
        "SELECT DISTINCT other.id FROM accounts mine"
        " JOIN device_accounts a ON a.account = mine.id JOIN device_accounts b ON b.device = a.device"
        " JOIN devices ON devices.id = a.device AND devices.revoked_at IS NULL"
        " JOIN accounts other ON other.id = b.account AND other.method = mine.method"
        " WHERE mine.id = :id AND other.id <> :id ORDER BY other.id",
        id=account_id,
    )
    return [account_id, *(row[0] for row in rows)]


def received_since(db: Rows, account_id: str, since: int) -> int:
    """Fen that orders of the account were paid with from `since` on."""
    row = db.one(
        "SELECT coalesce(sum(really_price), 0) FROM orders"
        " WHERE state = 'paid' AND account = :account AND paid_at >= :since",
        account=account_id, since=since,
    )  # fmt: skip
    assert row is not None
    return int(row[0])


def last_money(db: Rows, account_id: str) -> tuple[int, int] | None:
    """When an order of the account was paid last, and with how much (fen); read from the index alone."""
    row = db.one(
        "SELECT paid_at, really_price FROM orders WHERE state = 'paid' AND account = :account"
        " ORDER BY paid_at DESC LIMIT 1",
        account=account_id,
    )  # fmt: skip
    return (row[0], row[1]) if row else None


def set_code(db: Rows, code: FixedCode) -> None:
    """Adds or replaces the code for one amount."""
    db.run(
        insert(FixedCode, "codes")
        + " ON CONFLICT (account, price) DO UPDATE SET code = excluded.code, created_at = excluded.created_at",
        **values(code),
    )


def remove_code(db: Rows, account_id: str, price: int) -> bool:
    return db.run("DELETE FROM codes WHERE account = :account AND price = :price", account=account_id, price=price) > 0


def codes(db: Rows, account_id: str) -> list[FixedCode]:
    rows = db.all(f"SELECT {_CODE_COLUMNS} FROM codes WHERE account = :account ORDER BY price", account=account_id)
    return [FixedCode(*row) for row in rows]


def code_for(db: Rows, account_id: str, price: int) -> tuple[str, bool] | None:
    """(content of the code that carries exactly `price`, False), or (that of the account's open code, True)."""
    row = db.one(
        "SELECT coalesce(codes.code, accounts.code), codes.code IS NULL FROM accounts"
        " LEFT JOIN codes ON codes.account = accounts.id AND codes.price = :price WHERE accounts.id = :account",
        account=account_id, price=price,
    )  # fmt: skip
    return (row[0], bool(row[1])) if row else None


def handed_out(db: Rows, code: str) -> bool:
    """Whether `code` is the content of one of our QR codes."""
    found = db.one(
        "SELECT 1 FROM accounts WHERE code = :code UNION ALL SELECT 1 FROM codes WHERE code = :code LIMIT 1", code=code
    )
    return found is not None


@lru_cache(maxsize=256)
def _account(row: Row) -> Account:
    return Account(row[0], Method(row[1]), *row[2:])

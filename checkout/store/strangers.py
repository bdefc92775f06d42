"""The last call of each device, or kind of app, that was signed with a wrong key."""

from __future__ import annotations

from msgspec import Struct

from checkout.interfaces import Rows


class Stranger(Struct, frozen=True):
    """Who called at `at` from the IP `address`: `whose` is a device's id, or a kind of app."""

    whose: str
    at: int
    address: str


def put(db: Rows, one: Stranger) -> None:
    """In the place of an earlier one."""
    db.run(
        "INSERT INTO strangers (whose, at, address) VALUES (:whose, :at, :address)"
        " ON CONFLICT (whose) DO UPDATE SET at = excluded.at, address = excluded.address",
        whose=one.whose, at=one.at, address=one.address,
    )  # fmt: skip


def all_of(db: Rows) -> dict[str, Stranger]:
    """By `whose`."""
    return {row[0]: Stranger(*row) for row in db.all("SELECT whose, at, address FROM strangers ORDER BY whose")}

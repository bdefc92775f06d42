"""What the owner edits while it runs, as texts by name."""

from __future__ import annotations

from checkout.interfaces import Rows


def all_of(db: Rows) -> dict[str, str]:
    return {row[0]: row[1] for row in db.all("SELECT name, value FROM preferences ORDER BY name")}


def put(db: Rows, name: str, value: str, now: int) -> None:
    db.run(
        "INSERT INTO preferences (name, value, changed_at) VALUES (:name, :value, :now)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at",
        name=name, value=value, now=now,
    )  # fmt: skip


def take_away(db: Rows, name: str) -> None:
    db.run("DELETE FROM preferences WHERE name = :name", name=name)

"""All that the database holds, to compare before and after."""

from __future__ import annotations

from checkout.interfaces import Row, Rows
from tests.world import World

_TABLES = {
    True: "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1",
    False: "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1",
}


def dump(world: World) -> dict[str, list[Row]]:
    """Every row of every table."""
    with world.store.read() as db:
        names = tables(db, world.parts.settings.database)
        return {name: sorted(db.all(f'SELECT * FROM "{name}"'), key=repr) for name in names}


def tables(db: Rows, database: str) -> list[str]:
    return [name for (name,) in db.all(_TABLES["://" in database])]

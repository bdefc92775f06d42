"""All that the database holds, to compare before and after."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.world import World


def dump(world: World) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with closing(sqlite3.connect(world.parts.settings.database)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: db.execute(f'SELECT * FROM "{table}" ORDER BY 1, 2').fetchall() for table in tables}

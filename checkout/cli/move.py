"""checkout move: from the SQLite file to PostgreSQL."""

from __future__ import annotations

from collections import Counter

import click

from checkout import move as moves
from checkout.cli import progress
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, next_steps, show
from checkout.errors import Code, Refusal
from checkout.setting_values import POSTGRES
from checkout.store import open_target


@click.command()
@click.option("--to", required=True, metavar="ADDRESS", help="postgresql://USER@HOST:5432/NAME of an empty database.")
@as_json
@click.pass_obj
def move(desk: Desk, to: str, as_json: bool) -> None:
    """Copy everything to a PostgreSQL database and compare it row by row; the server must be stopped.

    The SQLite file stays as it is; nothing can be written to it meanwhile. A move that was interrupted goes on where
    it stopped, and until then nothing else opens the copy. A password is best left out
    of ADDRESS: PostgreSQL reads it from PGPASSWORD or ~/.pgpass.
    """
    if desk.settings.is_postgres:
        raise Refusal(Code.BAD_REQUEST, "This installation is on PostgreSQL already; pg_dump copies it.")
    if not to.startswith(POSTGRES):
        raise Refusal(Code.BAD_REQUEST, "--to takes a postgresql:// address.")
    target = open_target(to)
    try:
        total = moves.steps(desk.store)
        done = Counter(progress.steps(moves.run(desk.store, target), "Moving", total, quiet=as_json))
    finally:
        target.close()
    data = {"rows": {name: rows // 2 for name, rows in done.items()}, "compared": True}
    show(data, as_json, lambda: f"{total // 2:,} rows moved to PostgreSQL, each compared with the SQLite file.")
    next_steps(
        as_json,
        "set CHECKOUT_DATABASE to the address"
        + ("" if desk.settings.secret else f", and CHECKOUT_SECRET to what is in {desk.settings.data_dir / 'secret'}"),
        "checkout doctor",
    )

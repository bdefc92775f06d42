"""checkout import: bringing over what another program of the kind knows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from checkout.cli import progress
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, next_steps, show
from checkout.cli.section import Section
from checkout.errors import Code, Refusal
from checkout.importing import tables, vmq
from checkout.importing.report import By, Report
from checkout.interfaces import Store
from checkout.merchants import Reach
from checkout.store import open_store

_MAX = 512 * 1024 * 1024


@click.group("import", cls=Section)
def import_() -> None:
    """Bring over what another program knows."""


@import_.command("vmq")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option("--dry-run", is_flag=True, help="Only say what would come over; nothing is written.")
@as_json
@click.pass_obj
def vmq_(desk: Desk, files: tuple[Path, ...], dry_run: bool, as_json: bool) -> None:
    """Settings, codes and orders of V免签, from its MySQL dump, its H2 script, or a CSV file of each table.

    Shops and phones go on with the same key. What is here already is left alone, so it can be repeated.
    """
    found: dict[str, tables.Table] = {}
    for file in files:
        for name, rows in tables.read(_text(file), vmq.TABLES).items():
            found.setdefault(name, []).extend(rows)
    if not found:
        raise Refusal(Code.BAD_REQUEST, "There is no table of V免签 in it: setting, pay_qrcode or pay_order.")
    report = _rehearse(desk, found, as_json) if dry_run else _run(desk, desk.store, found, as_json)
    data = {
        "written": not dry_run, "imported": dict(report.imported), "known": dict(report.known),
        "skipped": [{"what": what, "why": why, "count": n} for (what, why), n in report.skipped.items()],
        "notes": report.notes,
    }  # fmt: skip
    show(data, as_json, lambda: _told(report, dry_run))
    if not dry_run:
        next_steps(as_json, "checkout merchant list", "checkout doctor")


def _run(desk: Desk, store: Store, found: dict[str, tables.Table], quiet: bool) -> Report:
    def watch(batches: list[tables.Table]) -> Iterator[tables.Table]:
        return progress.steps(batches, "Bringing over orders", len(batches), quiet=quiet)

    return vmq.run(store, found, Reach.of(desk.settings), By(**desk.by), watch)


def _rehearse(desk: Desk, found: dict[str, tables.Table], quiet: bool) -> Report:
    """The same, on a copy of the database that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        desk.store.copy_to(copy)
        store = open_store(str(copy))
        try:
            return _run(desk, store, found, quiet)
        finally:
            store.close()


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > _MAX:
            raise Refusal(
                Code.BAD_REQUEST, f"{file} is larger than {_MAX // 1024**2} MB: export only the three tables."
            )
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise Refusal(Code.BAD_REQUEST, f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Refusal(Code.BAD_REQUEST, f"{file} is not UTF-8: export it as utf8 or utf8mb4.") from error


def _told(report: Report, dry_run: bool) -> str:
    lines = ["Nothing was written; this is what would come over." if dry_run else "Imported from V免签."]
    lines += [f"  {count:6} {what}" for what, count in report.imported.items()]
    lines += [f"  {count:6} {what}: here already" for what, count in report.known.items()]
    lines += [f"  {count:6} {what} left out: {why}" for (what, why), count in report.skipped.items()]
    return "\n".join([*lines, *(f"Note: {note}" for note in report.notes)])

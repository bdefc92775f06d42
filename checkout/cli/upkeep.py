"""checkout doctor, backup, restore and export: looking after an installation."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import click
from msgspec.structs import asdict

from checkout import backup as backups
from checkout import exports
from checkout.alerts import troubles
from checkout.cli import progress
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, next_steps, show
from checkout.doctor.finding import Finding, Status
from checkout.errors import Code, Refusal, StoreError
from checkout.interfaces import Store


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@click.pass_obj
def backup(desk: Desk, file: Path, as_json: bool) -> None:
    """Copy the whole database to FILE, beside a running server; the copy is checked before it gets its name.

    FILE holds all keys: keep it as safe as the database. It is never overwritten.
    """
    try:
        with _copying(desk, file.absolute(), as_json):
            size = backups.create(desk.store, file.absolute())
    except (Refusal, StoreError, OSError) as error:
        with suppress(StoreError):
            troubles.note(desk.store, troubles.BACKUP, str(error), desk.clock())
        raise
    troubles.over(desk.store, troubles.BACKUP)
    data = {"file": str(file.absolute()), "bytes": size, "checked": True}
    show(data, as_json, lambda: f"{file} holds the whole database ({size:,} bytes), checked, readable for you alone.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@click.pass_obj
def restore(desk: Desk, file: Path, as_json: bool) -> None:
    """Put the backup FILE in the place of the database, which is kept beside it; the server must be stopped."""
    with _restoring(desk, file.absolute(), as_json):
        former = backups.restore(desk.settings, file.absolute(), desk.clock())
    kept = f" The former database is kept as {former}." if former else ""
    data = {"database": desk.settings.place, "former": former}
    show(data, as_json, lambda: f"{file} is the database now.{kept}")
    next_steps(as_json, "checkout doctor")


def _copying(desk: Desk, target: Path, quiet: bool) -> AbstractContextManager[None]:
    """A copy grows beside its name before it gets it."""
    database = Path(desk.settings.database)
    return progress.growing(lambda: _size_of_parts(target), "Copying", _size(database), quiet=quiet)


def _restoring(desk: Desk, source: Path, quiet: bool) -> AbstractContextManager[None]:
    database = Path(desk.settings.database)
    return progress.growing(lambda: _size_of_parts(database), "Restoring", _size(source), quiet=quiet)


def _size_of_parts(target: Path) -> int:
    return backups.written(target.parent, glob.escape(target.name)) or 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@click.command()
@click.argument("what", type=click.Choice(sorted(exports.EXPORTS)))
@click.option("--csv", "file", required=True, metavar="FILE", help="Where to write; - for the standard output.")
@click.pass_obj
def export(desk: Desk, what: str, file: str) -> None:
    """Write orders or payments for a spreadsheet."""
    pieces = exports.EXPORTS[what](desk.store, desk.clock())
    if file == "-":
        for piece in pieces:
            sys.stdout.buffer.write(piece.encode())
        sys.stdout.buffer.flush()
        return
    with desk.store.read() as db:
        total = exports.pieces(db, what)
    _write(Path(file), progress.steps(pieces, f"Writing {what}", total))
    click.echo(f"Wrote {file}.", err=True)


def _write(path: Path, pieces: Iterator[str]) -> None:
    """Readable for its owner only: it holds who bought what."""
    try:
        with open(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline=""
        ) as file:
            file.writelines(pieces)
    except OSError as error:
        raise Refusal(Code.BAD_REQUEST, f"{path} cannot be written: {error.strerror}.") from error


@click.command()
@as_json
@click.pass_obj
def doctor(desk: Desk, as_json: bool) -> None:
    """Look at everything and say what to do about what is wrong; exit 1 when something fails."""
    from checkout import doctor as doctors
    from checkout.http.client import Client

    store: Store | None = None
    try:
        trouble, store = "", desk.store
    except StoreError as error:
        trouble = str(error)
    ports = frozenset(desk.settings.callback_ports)
    look = Client(allow_private=True, deadline_s=5).send
    call = Client(allow_private=desk.settings.allow_private, ports=ports, deadline_s=5).send
    patient = doctors.Patient(desk.settings, store, trouble, look, call, desk.clock())
    found = []
    for finding in doctors.examine(patient):
        found.append(finding)
        if not as_json:
            _tell(finding)
    failing = sum(finding.status is Status.FAIL for finding in found)
    show([asdict(finding) for finding in found], as_json, lambda: _summary(failing))
    if failing:
        sys.exit(1)


def _summary(failing: int) -> str:
    return f"{failing} of these must be put right." if failing else "Ready to be paid."


_MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def _tell(finding: Finding) -> None:
    click.echo(f"{_MARKS[finding.status]}  {finding.check}: {finding.message}")
    if finding.fix:
        click.echo(f"      → {finding.fix}")

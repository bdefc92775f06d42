"""`checkout upgrade`: a backup, the new program in its place, and the way back.

The server stands still from the backup on, so that the backup holds every payment until then. A step that fails puts
the former program, and if the schema was touched the former database, back in their place.

On PostgreSQL the backup is a SQLite file too, and restored as one. It is written row by row, so it is made only where
the tables change. Of several machines the first one changes them, alone; the others follow without a backup.
"""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict, replace

from checkout.errors import Code, Refusal
from checkout.machine import DATA, PROGRAMS, USER, Machine, Source

_RECORD = PROGRAMS / "upgrade.json"
_SERVICE = "checkout.service"
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - told, not bound


class Upgrade(Struct, frozen=True):
    """The latest upgrade: what the way back needs."""

    before: str  # releases
    after: str
    backup: str  # "": none was made, as the tables stay as they are or another machine has changed them


def upgrade(machine: Machine, source: Source, now: int) -> Upgrade:
    """Refused: BAD_REQUEST (nothing is installed, this release is, it cannot work here, or a step failed; then all is
    as before)."""
    before = machine.current
    if not before:
        raise Refusal(Code.BAD_REQUEST, "Checkout is not installed here: checkout install.")
    if before == source.release:
        raise Refusal(Code.BAD_REQUEST, f"{before} is what is installed.")
    machine.unpack(source)
    done = _planned(machine, before, source.release, now)
    _stop(machine)
    try:
        _back_up(machine, done)
    except Refusal:
        start(machine)
        raise
    former = _record(machine)
    try:
        _put_in_place(machine, done)
    except Refusal as failed:
        raise _undone(machine, done, former, failed) from failed
    _prune(machine, done)
    return done


def _planned(machine: Machine, before: str, after: str, now: int) -> Upgrade:
    """Runs the new program once, while the former one serves: what it cannot do is known before anything stops."""
    done = Upgrade(before, after, str(_backup_name(before, now)))
    is_on_postgres, missing = _standing(machine, after)
    is_spared = is_on_postgres and (_is_same_schema(machine, done) or not _new_tables(machine, done) & missing)
    return replace(done, backup="") if is_spared else done


def _standing(machine: Machine, release: str) -> tuple[bool, frozenset[str]]:
    """(whether the database is PostgreSQL, the migrations of a release that it does not have yet)."""
    told = json.loads(machine.as_owner(release, "migrate", "--dry-run", "--json").stdout)
    return told["database"] == "PostgreSQL", frozenset(told["missing"])


def _back_up(machine: Machine, done: Upgrade) -> None:
    if not done.backup:
        return
    folder = str(machine.at(DATA / "upgrades"))
    machine.run("install", "-d", "-m", "0700", "-o", USER, "-g", USER, folder)
    machine.as_owner(done.before, "backup", done.backup)


def _put_in_place(machine: Machine, done: Upgrade) -> None:
    """The link changes before the database: a machine that loses its power in between boots the program for which the
    database is, or which makes it so."""
    machine.write(_RECORD, json.dumps(asdict(done)), 0o600)
    machine.switch(done.after)
    machine.as_owner(done.after, "migrate")
    start(machine)


def _undone(machine: Machine, done: Upgrade, former: str, failed: Refusal) -> Refusal:
    """What to say about an upgrade that failed, after everything is as it was before."""
    try:
        _undo(machine, done)
    except Refusal as worse:
        return Refusal(
            failed.code,
            f"{failed.message} The way back failed too: {worse.message}{_kept(done)}"
            " `checkout upgrade --back --restore` tries again.",
        )
    if former:
        machine.write(_RECORD, former, 0o600)
    else:
        machine.at(_RECORD).unlink(missing_ok=True)
    return Refusal(failed.code, f"{failed.message} The former program runs again, with the database as it was.")


def _kept(done: Upgrade) -> str:
    return f" The database before the upgrade is {done.backup}." if done.backup else ""


def _record(machine: Machine) -> str:
    path = machine.at(_RECORD)
    return path.read_text() if path.exists() else ""


def _prune(machine: Machine, done: Upgrade) -> None:
    """This release and the one before stay, with the backup that leads back; older ones would fill the disk."""
    for path in machine.at(PROGRAMS).iterdir():
        is_release = path.is_dir() and not path.is_symlink() and (path / "_internal").is_dir()
        if is_release and path.name not in (done.before, done.after):
            shutil.rmtree(path, ignore_errors=True)
    if not done.backup:
        return
    kept = machine.at(Path(done.backup))
    for path in kept.parent.glob("before-*.db"):
        if path != kept:
            path.unlink()


def back(machine: Machine, *, restore: bool) -> Upgrade:
    """Undoes the latest upgrade. Refused: BAD_REQUEST, also when the former program cannot read today's database and
    `restore` is off: what happened since the backup would be missing in it."""
    done = _latest(machine)
    if _is_touched(machine, done) and not done.backup:
        raise Refusal(
            Code.BAD_REQUEST,
            f"{done.before} cannot read today's database. Another machine has changed it and holds the backup: stop the"
            " server here, say `checkout upgrade --back --restore` there, then `checkout upgrade --back` here.",
        )
    if _is_touched(machine, done) and not restore:
        raise Refusal(
            Code.BAD_REQUEST,
            f"{done.before} cannot read today's database. `checkout upgrade --back --restore` returns to the backup"
            f" {done.backup}: orders and payments since then would be missing; today's database is kept beside it.",
        )
    _stop(machine)
    _undo(machine, done)
    machine.at(_RECORD).unlink()
    return done


def start(machine: Machine) -> None:
    """Refused when it does not answer as healthy soon: a process that runs may still be of no use."""
    if machine.has_systemd:
        machine.run("systemctl", "start", _SERVICE)
        machine.wait_until_healthy(_address(machine))


def _address(machine: Machine) -> str:
    """Where the unit, with what the owner has added to it, lets the server listen."""
    told = machine.run("systemctl", "show", "--property=ExecStart", "--value", _SERVICE).stdout
    port, host = re.search(r"--port[ =](\d+)", told), re.search(r"--host[ =]([0-9A-Fa-f.:]+)", told)
    name = _LOOPBACK.get(host[1], host[1]) if host else "127.0.0.1"
    return f"http://{f'[{name}]' if ':' in name else name}:{port[1] if port else 8000}/healthz"


def _undo(machine: Machine, done: Upgrade) -> None:
    _stop(machine)
    if done.backup and _is_touched(machine, done):
        machine.as_owner(done.before, "restore", done.backup)
    machine.switch(done.before)
    start(machine)


def _is_touched(machine: Machine, done: Upgrade) -> bool:
    """Whether the former program cannot read the database any more; also where nobody can say."""
    if _is_same_schema(machine, done):
        return False
    try:
        return not _new_tables(machine, done) <= _standing(machine, done.after)[1]
    except (Refusal, ValueError, KeyError):
        return True


def _new_tables(machine: Machine, done: Upgrade) -> frozenset[str]:
    return machine.schema(done.after) - machine.schema(done.before)


def _is_same_schema(machine: Machine, done: Upgrade) -> bool:
    return machine.schema(done.before) == machine.schema(done.after)


def _latest(machine: Machine) -> Upgrade:
    try:
        done = Upgrade(**json.loads(machine.at(_RECORD).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise Refusal(Code.BAD_REQUEST, "There is no upgrade to go back from.") from error
    if machine.current != done.after or not (machine.at(PROGRAMS) / done.before).is_dir():
        raise Refusal(Code.BAD_REQUEST, "The program of the latest upgrade is not what runs; nothing was changed.")
    return done


def _backup_name(before: str, now: int) -> Path:
    return DATA / "upgrades" / f"before-{before}-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}Z.db"


def _stop(machine: Machine) -> None:
    if machine.has_systemd:
        machine.run("systemctl", "stop", _SERVICE)

"""`checkout upgrade`: a backup, the new program in its place, and the way back.

The server stands still from the backup on, so that the backup holds every payment until then. A step that fails puts
the former program, and if the schema was touched the former database, back in their place.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from checkout.errors import Code, Refusal
from checkout.machine import DATA, PROGRAMS, Machine, Source

_RECORD = PROGRAMS / "upgrade.json"
_SERVICE = "checkout.service"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The latest one: what the way back needs."""

    before: str  # releases
    after: str
    backup: str


def upgrade(machine: Machine, source: Source, now: int) -> Upgrade:
    """Refused: BAD_REQUEST (nothing is installed, this release is, or a step failed; then all is as before)."""
    before = machine.current
    if not before:
        raise Refusal(Code.BAD_REQUEST, "Checkout is not installed here: checkout install.")
    if before == source.release:
        raise Refusal(Code.BAD_REQUEST, f"{before} is what is installed.")
    machine.unpack(source)
    done = Upgrade(before, source.release, str(_backup_name(before, now)))
    _stop(machine)
    try:
        machine.run(
            "install", "-d", "-m", "0700", "-o", "checkout", "-g", "checkout", str(machine.at(DATA / "upgrades"))
        )
        machine.as_owner(before, "backup", done.backup)
    except Refusal:
        _start(machine)
        raise
    try:
        machine.as_owner(source.release, "migrate")
        machine.switch(source.release)
        _start(machine)
    except Refusal as failed:
        _undo(machine, done)
        raise Refusal(
            failed.code, f"{failed.message} The former program runs again, with its database; nothing was changed."
        ) from failed
    machine.write(_RECORD, json.dumps(asdict(done)), 0o600)
    return done


def back(machine: Machine, *, restore: bool) -> Upgrade:
    """Undoes the latest upgrade. Refused: BAD_REQUEST, also when the former program cannot read today's database and
    `restore` is off: what happened since the backup would be missing in it."""
    done = _latest(machine)
    if not _is_same_schema(machine, done) and not restore:
        raise Refusal(
            Code.BAD_REQUEST,
            f"{done.before} cannot read today's database. `checkout upgrade --back --restore` returns to the backup"
            f" {done.backup}: orders and payments since then would be missing; today's database is kept beside it.",
        )
    _stop(machine)
    _undo(machine, done)
    machine.at(_RECORD).unlink()
    return done


def _undo(machine: Machine, done: Upgrade) -> None:
    _stop(machine)
    if not _is_same_schema(machine, done):
        machine.as_owner(done.before, "restore", done.backup)
    machine.switch(done.before)
    _start(machine)


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


def _start(machine: Machine) -> None:
    """Refused when it ends again at once."""
    if machine.has_systemd:
        machine.run("systemctl", "start", _SERVICE)
        machine.run("sh", "-c", f"sleep 3; systemctl is-active --quiet {_SERVICE}")

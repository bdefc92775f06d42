"""The machine: database, disk, clock, files."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from checkout import backup, store
from checkout.beijing import in_beijing
from checkout.doctor.finding import Finding, Patient, fail, ok, warn
from checkout.errors import StoreError
from checkout.interfaces import Store
from checkout.monitors import owner_rules
from checkout.resources import resource_dir

_OLDEST = 1_767_225_600  # 2026: a clock before it was never set
_AHEAD_S = 60
_FAULTLESS_SQLITE = (3, 51, 3)
_FAULT = "Before 3.51.3 it has a rare fault, which may damage the database, where two connections write"


def examine(patient: Patient) -> Iterator[Finding]:
    """Database, files, disk, backups, clock and what else lies on the machine."""
    yield from _database(patient)
    if not patient.settings.is_postgres:
        yield from _files(Path(patient.settings.database))
        yield _sqlite(patient.settings.workers)
    if patient.store is not None:
        yield from _disk(patient, patient.store)
    yield from _backups(patient)
    yield _clock(patient)
    yield _htmx(patient)
    yield _reading_rules(patient)


def _database(patient: Patient) -> Iterator[Finding]:
    if patient.store is None:
        yield fail("database", patient.trouble, _remedy(patient))
        return
    try:
        patient.store.check()
        with patient.store.transaction():
            pass
    except StoreError as error:
        yield fail("database", str(error), "Until it can be written no order and no payment is taken.")
        return
    place = "PostgreSQL" if patient.settings.is_postgres else patient.settings.database
    yield ok("database", f"The database ({place}) is sound and can be written.")


def _remedy(patient: Patient) -> str:
    """A file of another user's is the usual trouble: a command that was run without sudo, or a server as root."""
    owner = None if patient.settings.is_postgres else _other_owner(Path(patient.settings.database))
    if owner:
        return f"The file belongs to {owner}: give commands as that user, sudo -u {owner} checkout …"
    return "See the sentence; checkout restore FILE brings a backup back."


def _other_owner(database: Path) -> str:
    """The name of the user whom the file belongs to, "" where that is us or there is none."""
    try:
        found = database.stat().st_uid
        return "" if found == os.geteuid() else pwd.getpwuid(found).pw_name
    except (OSError, KeyError):
        return ""


def _files(database: Path) -> Iterator[Finding]:
    """The database holds every key, and `secret` signs the sessions."""
    open_to_others = [
        path
        for path in (database, database.with_name(database.name + "-wal"), database.parent / "secret")
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    if open_to_others:
        names = " ".join(map(str, open_to_others))
        yield fail("permissions", f"Other users of this machine can read {names}.", f"chmod 600 {names}")
    elif database.exists():
        yield ok("permissions", "Only the owner can read the database.")


def _sqlite(workers: int) -> Finding:
    """Every worker of the server has a writing connection."""
    version = store.overview.sqlite_version()
    told = f"SQLite {'.'.join(map(str, version))}."
    if version >= _FAULTLESS_SQLITE:
        return ok("sqlite", told)
    if workers == 1:
        return ok("sqlite", f"{told} {_FAULT}; this server has one that does.")
    return warn("sqlite", f"{told} {_FAULT}, and this server has {workers} that do.", "Set workers = 1.")


def _disk(patient: Patient, db_store: Store) -> Iterator[Finding]:
    room, least = db_store.free_bytes(), patient.settings.min_free_disk
    if room is None:
        return
    told = f"{room // 2**20} MB are free beside the database"
    if room < least:
        yield fail("disk", f"{told}; new orders are refused below {least // 2**20} MB.", "Make room on the disk.")
    elif room < 4 * least:
        yield warn("disk", f"{told}; new orders are refused below {least // 2**20} MB.", "Make room soon.")
    else:
        yield ok("disk", f"{told}.")


def _backups(patient: Patient) -> Iterator[Finding]:
    plan = backup.plan_of(patient.settings)
    if plan is None:
        return
    trouble = backup.trouble(plan, patient.now)
    if trouble:
        fix = "See whether the server runs and why the backup fails in its log; checkout backup FILE makes one now."
        yield warn("backups", trouble, fix)
    else:
        yield ok("backups", f"The newest backup in {plan.folder} is as new as it should be.")


def _clock(patient: Patient) -> Finding:
    """By itself, and by what is in the database; the answer of the base URL tells more."""
    here = in_beijing(patient.now)
    fix = "Set the clock, best for good with NTP: timedatectl set-ntp true"
    if patient.now < _OLDEST:
        return fail("clock", f"The clock says {here} in Beijing, which is long past.", fix)
    if patient.store is not None:
        with patient.store.read() as db:
            ahead = store.overview.newest(db) - patient.now
        if ahead > _AHEAD_S:
            return fail(
                "clock", f"The newest order or payment lies {ahead} s ahead of the clock ({here} in Beijing).", fix
            )
    return ok("clock", f"It is {here} in Beijing.")


def _htmx(patient: Patient) -> Finding:
    fix = "Install Checkout from its wheel or run ./dev once with the network, which fetches it."
    try:
        found = any(resource_dir("static").glob("vendor/htmx-*.min.js"))
    except FileNotFoundError as error:
        return fail("htmx", str(error), "Install Checkout again.")
    if found:
        return ok("htmx", "Our own copy of htmx is there for buyers whom the CDN does not reach.")
    if patient.settings.htmx == "local":
        return fail("htmx", 'htmx = "local" is set, but our own copy is missing; pages reload instead.', fix)
    return warn("htmx", "Our own copy of htmx is missing; where the CDN is blocked, pages reload instead.", fix)


def _reading_rules(patient: Patient) -> Finding:
    found = owner_rules.in_force(patient.settings.data_dir)
    if found.problem:
        fix = "Correct the file and checkout device rules add FILE, or drop it with checkout device rules remove."
        return fail("reading rules", found.problem, fix)
    own = f", with {len(found.own.rules)} rules of your own" if found.own else ""
    return ok("reading rules", f"Notifications are read by version {found.rules.version} of the rules{own}.")

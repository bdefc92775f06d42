"""Backups, made beside a running server by hand or on a schedule, and restoring them. Each is one SQLite file."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from checkout import logs, store
from checkout.alerts import troubles
from checkout.errors import Code, Refusal, StoreError
from checkout.interfaces import Chore, Store
from checkout.settings import Settings

log = logging.getLogger(__name__)

_NAME = re.compile(r"checkout-(\d{8}T\d{6})Z\.db")
_STAMP = "%Y%m%dT%H%M%S"
_PATIENCE_S = 3600


class Plan(Struct, frozen=True):
    """Scheduled backups: one every `every_s` seconds into `folder`, of which the newest `keep` are kept."""

    folder: Path
    every_s: int
    keep: int


def plan_of(settings: Settings) -> Plan | None:
    """The plan of the settings; None: no folder is set, or the database is PostgreSQL, which has tools of its own."""
    if not settings.backup_folder or settings.is_postgres:
        return None
    return Plan(Path(settings.backup_folder), settings.backup_every, settings.backup_keep)


def chore(db_store: Store, plan: Plan) -> Chore:
    """The worker's chore: makes a backup when one is due. A failure is logged and tried again."""

    def back_up(now: int) -> None:
        try:
            if (made := make_due(db_store, plan, now)) is not None:
                logs.event("backup.made", file=made.name)
                troubles.over(db_store, troubles.BACKUP)
        except (Refusal, StoreError, OSError) as error:
            log.error("The backup that was due could not be made: %s", error)
            with suppress(StoreError):
                troubles.note(db_store, troubles.BACKUP, str(error), now)

    return back_up


def make_due(db_store: Store, plan: Plan, now: int) -> Path | None:
    """Makes the backup that is due and removes those beyond `keep`; returns the new file, None: none was due.

    Of two servers only one makes it: a name stands for one moment and is never used twice. Raises as `create`.
    """
    newest = newest_at(plan)
    if newest is not None and now - newest < plan.every_s:
        return None
    plan.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = plan.folder / f"checkout-{datetime.fromtimestamp(now, UTC).strftime(_STAMP)}Z.db"
    create(db_store, target)
    for old in sorted(_made(plan), reverse=True)[plan.keep :]:
        old[1].unlink(missing_ok=True)
    return target


def newest_at(plan: Plan) -> int | None:
    """When the newest scheduled backup was made."""
    return max((at for at, _ in _made(plan)), default=None)


def trouble(plan: Plan, now: int) -> str:
    """What is wrong with the scheduled backups, in one sentence; "": nothing. The first comes within a minute of the
    server's start; a later one may be an hour late."""
    newest = newest_at(plan)
    if newest is None:
        return f"There is no backup in {plan.folder} yet."
    if now - newest > plan.every_s + _PATIENCE_S:
        return f"The newest backup in {plan.folder} is {(now - newest) // 3600} hours old."
    return ""


def _made(plan: Plan) -> list[tuple[int, Path]]:
    """(when, file) of each scheduled backup; other files in the folder are left alone."""
    if not plan.folder.is_dir():
        return []
    found = ((_NAME.fullmatch(path.name), path) for path in plan.folder.iterdir())
    return [
        (int(datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC).timestamp()), path)
        for match, path in found
        if match
    ]


def create(db_store: Store, target: Path) -> int:
    """Writes a checked copy to `target`, readable by its owner only; returns its size in bytes.

    Refused: BAD_REQUEST (no such folder). `StoreError`: the file exists, or the copy could not be made.
    """
    if not target.parent.is_dir():
        raise Refusal(Code.BAD_REQUEST, f"There is no folder {target.parent}.")
    db_store.copy_to(target)
    return target.stat().st_size


def written(folder: Path, name: str) -> int | None:
    """How many bytes are written of the copies being made in `folder` under `name` (a glob pattern); None: no copy is
    being made."""
    sizes = []
    for draft in folder.glob(f".{name}.*.part"):
        with suppress(OSError):  # it has got its name just now
            sizes.append(draft.stat().st_size)
    return sum(sizes) if sizes else None


def restore(settings: Settings, source: Path, now: int) -> str | None:
    """Puts a checked copy of `source` in the place of the database; returns where the old one is now.

    Refused: BAD_REQUEST (no such file). `StoreError`: a server is running, or the file is damaged or no database of
    ours.
    """
    if not source.is_file():
        raise Refusal(Code.BAD_REQUEST, f"There is no file {source}.")
    return store.restore(settings.database, source, now)

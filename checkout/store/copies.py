"""Copies of a SQLite database: made beside running servers, checked before they count."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from checkout.errors import Damaged, StoreError
from checkout.store import guard, migrations

_PATIENCE_S = 5  # with another program that locks the database


def copy(database: Path, target: Path) -> None:
    """Writes a checked copy of the whole database to `target`, mode 0600, beside running servers.

    All pages are copied in one step, under one reading transaction: in several steps SQLite begins anew with every
    write and never ends beside a busy server, and `VACUUM INTO` writes every row anew, which takes half as long again.
    Raises `StoreError`; nothing is left behind then, and an existing file is kept.
    """
    try:
        write(target, lambda draft: _pages(database, draft))
    except Damaged as damage:
        guard.examine(database)
        raise StoreError(
            f"The copy {target} was damaged on its way; the database is sound. Try another disk."
        ) from damage


def write(target: Path, fill: Callable[[Path], object]) -> None:
    """What `fill` writes into an empty file becomes the checked copy `target`. Raises as `copy`."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        fill(draft)
        with _kept(draft):
            guard.check(draft, alone=True)
        _publish(draft, target)
    except FileExistsError as error:
        raise StoreError(f"{target} exists already; choose another name.") from error
    except OSError as error:
        raise StoreError(f"The copy {target} cannot be written: {error.strerror}.") from error
    except sqlite3.Error as error:
        kind = Damaged if guard.is_damage(error) else StoreError
        raise kind(f"The copy {target} could not be made: {error}.") from error
    finally:
        draft.unlink(missing_ok=True)


def _publish(draft: Path, target: Path) -> None:
    """Gives the copy its name without ever replacing a file."""
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:  # a memory stick's file system knows no links
        if target.exists():
            raise FileExistsError from None
        draft.rename(target)


def _pages(database: Path, draft: Path) -> None:
    with closing(_opened(database)) as source, closing(_opened(draft)) as made:
        source.execute("BEGIN")  # before the copying, which would wait for a locked database for ever
        source.execute("SELECT 1 FROM sqlite_schema").fetchone()
        made.execute("PRAGMA journal_mode = OFF")
        made.execute("PRAGMA synchronous = OFF")
        source.backup(made, pages=-1)
    with closing(_opened(draft)) as made:  # opens without files beside it, also where nothing can be written
        made.execute("PRAGMA locking_mode = EXCLUSIVE")
        made.execute("PRAGMA journal_mode = DELETE")


def _opened(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(database, timeout=_PATIENCE_S, isolation_level=None)


@contextmanager
def _kept(draft: Path) -> Iterator[None]:
    """When it ends the file is on the disk itself, before a name stands for it. What is done meanwhile reads what the
    disk is still writing from memory."""
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(_keep, draft)
        yield
        writing.result()


def _keep(draft: Path) -> None:
    file = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def restore(database: Path, source: Path, now: int) -> Path | None:
    """Puts a checked copy of `source` in the place of the database and moves the former one aside.

    Gives the name that the former one has now. Raises `StoreError` when a server runs, or when `source` is damaged or
    no database of ours; the database stays as it is then.
    """
    draft = database.with_name(f".{database.name}.{os.getpid()}.part")
    try:
        database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with closing(guard.Lock(database, alone=True)):
            os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            take(source, draft)
            former = _moved_aside(database, now)
            draft.rename(database)
            return former
    except OSError as error:
        raise StoreError(f"{source} cannot be restored: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


def missing(database: Path) -> list[str]:
    """The migrations that opening it would apply; nothing is changed."""
    if not database.is_file() or not database.stat().st_size:
        return migrations.names()
    with closing(sqlite3.connect(database, timeout=_PATIENCE_S)) as connection:
        try:
            return migrations.missing(connection)
        except sqlite3.Error as error:
            raise StoreError(f"{database} is no database of Checkout: {error}.") from error


def take(source: Path, draft: Path) -> None:
    """Copies the backup `source` into `draft`, on the disk itself. Raises `StoreError` when it is damaged, or no
    database of ours."""
    shutil.copyfile(source, draft)
    with _kept(draft):
        _expect_sound(draft, source)
        _expect_ours(draft, source)


def _expect_sound(draft: Path, source: Path) -> None:
    """In the name of the file that was given: the draft is nothing that the owner knows."""
    try:
        guard.check(draft, alone=True)
    except StoreError as error:
        raise StoreError(
            f"{source} is damaged or no backup of Checkout; the database is as it was. Take another backup."
        ) from error


def _expect_ours(draft: Path, source: Path) -> None:
    connection = sqlite3.connect(f"{draft.as_uri()}?immutable=1", uri=True)
    try:
        connection.execute("SELECT 1 FROM _sqlite_migrations WHERE migration_set = ?", (migrations.SET,)).fetchone()
        connection.execute("SELECT 1 FROM orders LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"{source} is no database of Checkout.") from error
    finally:
        connection.close()


def _moved_aside(database: Path, now: int) -> Path | None:
    """With what SQLite keeps beside it, under names that belong together."""
    if not database.exists() or not database.stat().st_size:
        return None
    former = database.with_name(f"{database.name}.before-{now}")
    for ending in ("-wal", "-shm", guard.DAMAGED, ""):
        part = Path(f"{database}{ending}")
        if part.exists():
            part.rename(f"{former}{ending}")
    return former

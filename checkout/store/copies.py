"""Copies of a SQLite database: made beside running servers, checked before they count."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from checkout.errors import StoreError
from checkout.store import guard


def copy(database: Path, target: Path) -> None:
    """Writes a checked copy of the whole database to `target`, mode 0600, beside running servers.

    `VACUUM INTO` reads one moment of the database; the stepwise backup of SQLite begins anew with every write and
    never ends beside a busy server. Raises `StoreError`; nothing is left behind then, and an existing file is kept.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        _vacuum(database, draft)
        guard.check(draft)
        _keep(draft)
        _publish(draft, target)
    except FileExistsError as error:
        raise StoreError(f"{target} exists already; choose another name.") from error
    except OSError as error:
        raise StoreError(f"The copy {target} cannot be written: {error.strerror}.") from error
    except sqlite3.Error as error:
        raise StoreError(f"The copy {target} could not be made: {error}.") from error
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


def _vacuum(database: Path, draft: Path) -> None:
    connection = sqlite3.connect(database, timeout=5, isolation_level=None)
    try:
        connection.execute("VACUUM INTO ?", (str(draft),))
    finally:
        connection.close()


def _keep(draft: Path) -> None:
    """On the disk itself, before the name stands for it."""
    file = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)

"""The owner's own rules for reading notifications: `reading_rules.toml` in the data folder.

The file is looked at for each message and read again when it has changed, so a new wording needs neither a release
nor a restart. One that cannot be used is left out as a whole and named in the log and by the doctor: money that
the shipped rules can read keeps coming in.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from checkout import audit
from checkout.errors import Code, Refusal
from checkout.interfaces import NewId, Store
from checkout.monitors.reading import Rules, parse_rules, shipped_rules

NAME = "reading_rules.toml"
_MAX_BYTES = 262_144


class InForce(Struct, frozen=True):
    """The rules that apply now; `own` are the owner's among them, `problem` says why the owner's file is left out."""

    rules: Rules
    own: Rules | None = None
    problem: str = ""


def in_force(folder: Path) -> InForce:
    """The shipped rules together with the owner's in `folder`. Never raises."""
    path = folder / NAME
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return InForce(shipped_rules())
    except OSError as error:
        return _left_out(path, str(error.strerror))
    return _read(path, found.st_mtime_ns, found.st_size, found.st_ino)


def add(db_store: Store, folder: Path, source: Path, *, actor: str, new_id: NewId, now: int) -> Rules:
    """Replaces the owner's rules by those in the file `source`; audited. Refused: BAD_REQUEST."""
    text = _text(source)
    own = parse_rules(text)
    draft = folder / f".{NAME}.{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with db_store.transaction() as db:
            audit.note(db, actor, "device.rules-add", NAME, {"version": own.version}, new_id, now)
            draft.replace(folder / NAME)
    except OSError as error:
        raise Refusal(Code.BAD_REQUEST, f"{folder / NAME} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return own


def remove(db_store: Store, folder: Path, *, actor: str, new_id: NewId, now: int) -> None:
    """Goes back to the shipped rules alone; audited. Refused: NOT_FOUND, BAD_REQUEST (the file cannot be removed)."""
    path = folder / NAME
    if not path.exists():
        raise Refusal(Code.NOT_FOUND, "There are no reading rules of your own.")
    try:
        with db_store.transaction() as db:
            audit.note(db, actor, "device.rules-remove", NAME, {}, new_id, now)
            path.unlink()
    except OSError as error:
        raise Refusal(Code.BAD_REQUEST, f"{path} cannot be removed: {error.strerror}.") from error


@lru_cache(maxsize=8)
def _read(path: Path, _changed_ns: int, _size: int, _inode: int) -> InForce:
    """Once for each state of the file."""
    try:
        own = parse_rules(_text(path))
    except Refusal as refusal:
        return _left_out(path, refusal.message)
    return InForce(shipped_rules().extended_by(own), own)


def _left_out(path: Path, reason: str) -> InForce:
    return InForce(shipped_rules(), problem=f"The rules in {path} are left out: {reason.rstrip('.')}.")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            found = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise Refusal(Code.BAD_REQUEST, f"{path} cannot be read: {error.strerror}.") from error
    try:
        # utf-8-sig: Windows editors put a mark in front that TOML does not know. What is cut off is too long anyway.
        return found.decode("utf-8-sig", "ignore" if len(found) > _MAX_BYTES else "strict")
    except UnicodeDecodeError as error:
        raise Refusal(Code.BAD_REQUEST, f"{path} is not UTF-8.") from error

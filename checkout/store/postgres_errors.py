"""What PostgreSQL says, in our errors: one sentence each, which says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from checkout.errors import Code, Conflict, Refusal, StoreError

READ_ONLY = "25006"
SILENT = "PostgreSQL does not answer; check it and the network between."
MISUNDERSTOOD = (
    "The address of the database is not understood: write postgresql://user:password@host:5432/name, with %XX for"
    " special characters in the password."
)
_SENTENCES = {  # by the beginning of the SQLSTATE
    "53100": "The disk of the PostgreSQL server is full; make room, nothing that was acknowledged is lost.",
    "53300": "PostgreSQL takes no more connections; raise its max_connections or start fewer processes.",
    "55P03": "The database is locked by another program; try again in a moment.",
    "57014": "PostgreSQL took too long over a statement; try again in a moment.",
    READ_ONLY: "The database cannot be written: it is a copy that only reads, or this connection may only read.",
    "28": "PostgreSQL refuses the login; check user and password in its address.",
    "3D000": "There is no such database on the PostgreSQL server; make it with: createdb NAME.",
    "42501": "The user of the database may not do this; it must own the database or its schema.",
    "08": "The connection to PostgreSQL was lost; try again in a moment.",
    "57P": "PostgreSQL is stopping or starting; try again in a moment.",
    "25P03": "A transaction stood still for too long, and PostgreSQL ended it; try again.",
    "40": "Two transactions got into each other's way; try again in a moment.",
}


class Silent(psycopg.OperationalError):
    """No answer in time. Whether the statement was done is not known."""


@contextmanager
def in_our_words() -> Iterator[None]:
    try:
        yield
    except psycopg.IntegrityError as error:
        raise Conflict(error.diag.message_primary or "A promise of the database was broken.") from error
    except psycopg.DataError as error:
        raise Refusal(Code.BAD_REQUEST, "A value is too large, or holds a character that cannot be stored.") from error
    except psycopg.Error as error:
        raise StoreError(_sentence(error)) from error


def may_pass(error: StoreError) -> bool:
    """Whether taking the lock again may help: the connection was lost, or transactions got into each other's way."""
    cause = error.__cause__
    return isinstance(cause, psycopg.OperationalError) and (
        cause.sqlstate is None or cause.sqlstate.startswith(("08", "40", "57P", "25P03"))
    )


def state_of(error: StoreError) -> str:
    """The SQLSTATE, "" where PostgreSQL did not say one."""
    cause = error.__cause__
    return (cause.sqlstate or "") if isinstance(cause, psycopg.Error) else ""


def in_each_others_way(error: StoreError) -> bool:
    """Whether transactions were: this one was undone, even where it is its commit that failed."""
    return state_of(error) in ("40001", "40P01")


def _sentence(error: psycopg.Error) -> str:
    if isinstance(error, Silent):
        return SILENT
    state = error.sqlstate or ""
    for beginning, sentence in _SENTENCES.items():
        if state.startswith(beginning):
            return sentence
    if not state:
        return _unreachable(str(error))
    return f"The database cannot be used: {error.diag.message_primary}."


def _unreachable(text: str) -> str:
    """libpq gives no code while it connects; its text names host and user, never the password, but in many lines."""
    if "password" in text or "authentication" in text or "no pg_hba.conf entry" in text:
        return _SENTENCES["28"]
    if "connection option" in text:
        return MISUNDERSTOOD
    if "does not exist" in text:
        return _SENTENCES["3D000"]
    if "too many" in text or "connection slots" in text:
        return _SENTENCES["53300"]
    return "PostgreSQL cannot be reached; check that it runs, and host and port in its address."

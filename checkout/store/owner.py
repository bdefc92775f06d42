"""The owner's password, the browsers that are signed in, and tries at the password."""

from __future__ import annotations

from checkout.interfaces import Rows
from checkout.model.owner import Session
from checkout.store.mapping import columns, insert, values

_SESSION = columns(Session)


def password(db: Rows) -> str:
    """The argon2 hash; "" before the first visit."""
    row = db.one("SELECT password FROM owner WHERE id = 1")
    return str(row[0]) if row else ""


def set_password(db: Rows, hashed: str, now: int) -> None:
    """It uses up the one-time link as well."""
    db.run(
        "INSERT INTO owner (id, password, changed_at) VALUES (1, :hashed, :now) ON CONFLICT (id) DO UPDATE"
        " SET password = excluded.password, link = '', link_until = 0, changed_at = excluded.changed_at",
        hashed=hashed, now=now,
    )  # fmt: skip


def set_link(db: Rows, digest: str, until: int, now: int) -> None:
    """The link for the first visit; one that was made before ends."""
    db.run(
        "INSERT INTO owner (id, link, link_until, changed_at) VALUES (1, :digest, :until, :now)"
        " ON CONFLICT (id) DO UPDATE SET link = excluded.link, link_until = excluded.link_until",
        digest=digest, until=until, now=now,
    )  # fmt: skip


def link_holds(db: Rows, digest: str, now: int) -> bool:
    """Whether the link may still set the first password."""
    row = db.one(
        "SELECT 1 FROM owner WHERE link = :digest AND link <> '' AND link_until > :now AND password = ''",
        digest=digest, now=now,
    )  # fmt: skip
    return row is not None


def add_session(db: Rows, session: Session) -> None:
    db.run(insert(Session, "sessions"), **values(session))


def session(db: Rows, session_id: str) -> Session | None:
    row = db.one(f"SELECT {_SESSION} FROM sessions WHERE id = :id", id=session_id)
    return Session(*row) if row else None


def sessions(db: Rows) -> list[Session]:
    """The one that was used last comes first."""
    return [Session(*row) for row in db.all(f"SELECT {_SESSION} FROM sessions ORDER BY seen_at DESC, id")]


def seen(db: Rows, session_id: str, now: int) -> None:
    db.run("UPDATE sessions SET seen_at = :now WHERE id = :id AND seen_at < :now", id=session_id, now=now)


def proved(db: Rows, session_id: str, now: int) -> None:
    db.run("UPDATE sessions SET proved_at = :now, seen_at = :now WHERE id = :id", id=session_id, now=now)


def end_session(db: Rows, session_id: str) -> int:
    return db.run("DELETE FROM sessions WHERE id = :id", id=session_id)


def end_sessions(db: Rows, *, but: str = "") -> int:
    """Ends all of them, except one; gives how many."""
    return db.run("DELETE FROM sessions WHERE id <> :id", id=but)


def forget_sessions(db: Rows, seen_before: int, made_before: int) -> None:
    db.run(
        "DELETE FROM sessions WHERE seen_at < :seen_before OR created_at < :made_before",
        seen_before=seen_before, made_before=made_before,
    )  # fmt: skip


def tries(db: Rows, who: str, since: int) -> tuple[int, int | None]:
    """(how many since, when the oldest of them was)."""
    row = db.one("SELECT count(*), min(at) FROM password_tries WHERE who = :who AND at > :since", who=who, since=since)
    assert row is not None
    return int(row[0]), row[1]


def add_try(db: Rows, try_id: str, who: str, now: int) -> None:
    db.run("INSERT INTO password_tries (id, who, at) VALUES (:id, :who, :now)", id=try_id, who=who, now=now)


def forget_tries(db: Rows, before: int, who: str = "") -> None:
    """Those that count no more, and all of `who`."""
    db.run("DELETE FROM password_tries WHERE at <= :before OR who = :who", before=before, who=who)

"""Browsers that are signed in to the owner's pages. The server keeps the list, so each can be signed out from
elsewhere.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from checkout import audit, owner, store
from checkout.interfaces import NewId, Store
from checkout.model.owner import Session

IDLE_S = 12 * 3600
LONGEST_S = 14 * 86_400
PROOF_S = 300  # how long a typed password vouches for what needs it again
_NOTED_EVERY_S = 60
_COOKIE = re.compile(r"[\w-]{43}", re.ASCII)


def open_session(
    db_store: Store, proof: str, *, address: str, agent: str, former: str = "", actor: str, new_id: NewId, now: int
) -> str:
    """A new session, whose password was typed now (`proof`, of `owner.check`); gives the value of its cookie. Always a
    new value: one that was planted in the browser before is worth nothing. `former` is the cookie that the browser had,
    which ends. Audited. Refused (FORBIDDEN): the password was changed meanwhile, which ends all sessions."""
    cookie = secrets.token_urlsafe(32)
    session = Session(id_of(cookie), now, now, now, address[:64], agent[:200])
    with db_store.transaction() as db:
        owner.expect(db, proof)
        store.owner.forget_sessions(db, now - IDLE_S, now - LONGEST_S)
        store.owner.end_session(db, id_of(former))
        store.owner.add_session(db, session)
        audit.note(db, actor, "owner.sign-in", "owner", {"address": session.address}, new_id, now)
    return cookie


def find(db_store: Store, cookie: str, now: int) -> Session | None:
    """The session of a cookie, unless it is over."""
    if not _COOKIE.fullmatch(cookie):
        return None
    with db_store.read() as db:
        session = store.owner.session(db, id_of(cookie))
    if session is None or now >= min(session.seen_at + IDLE_S, session.created_at + LONGEST_S):
        return None
    return session


def note_use(db_store: Store, session: Session, now: int) -> None:
    """Keeps the session from ending idle; written once a minute at most."""
    if now - session.seen_at < _NOTED_EVERY_S:
        return
    with db_store.transaction() as db:
        store.owner.seen(db, session.id, now)


def is_fresh(session: Session, now: int) -> bool:
    """Whether the password was typed a short while ago: only then does what needs it again go on."""
    return 0 <= now - session.proved_at < PROOF_S


def prove(db_store: Store, proof: str, session: Session, now: int) -> None:
    """Notes that the password has been typed again (`proof`, of `owner.check`). Refused (FORBIDDEN): it was changed
    meanwhile."""
    with db_store.transaction() as db:
        owner.expect(db, proof)
        store.owner.proved(db, session.id, now)


def end(db_store: Store, session_id: str, *, actor: str, new_id: NewId, now: int) -> None:
    """Signs one browser out. Audited."""
    with db_store.transaction() as db:
        if store.owner.end_session(db, session_id):
            audit.note(db, actor, "owner.sign-out", "owner", {"browsers": 1}, new_id, now)


def end_all(db_store: Store, *, but: str = "", actor: str, new_id: NewId, now: int) -> int:
    """Signs out everywhere, except for the session `but`; returns how many sessions were ended. Audited."""
    with db_store.transaction() as db:
        ended = store.owner.end_sessions(db, but=but)
        audit.note(db, actor, "owner.sign-out", "owner", {"browsers": ended}, new_id, now)
        return ended


def id_of(cookie: str) -> str:
    """What the database keeps of a cookie: nobody who reads a backup can sign in with it."""
    return hashlib.sha256(cookie.encode()).hexdigest()

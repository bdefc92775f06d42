"""The owner's password: one for the installation, kept as argon2id, with at most ten tries in a quarter of an hour.

There is one owner and no user name, so no stranger can learn who exists. All strangers share one count of tries, so
using many addresses helps nobody. A browser that was signed in before has a count of its own, so a stranger who guesses
all night does not lock the owner out.
"""

from __future__ import annotations

import hashlib
import secrets
import threading

from msgspec import Struct

from checkout import audit, store
from checkout.errors import Code, Refusal
from checkout.interfaces import NewId, Rows, Store

SHORTEST, LONGEST = 10, 200
MOST_TRIES = 10
TRIES_WITHIN_S = 900
LINK_S = 3600
STRANGERS = "strangers"

# A hash takes 19 MB and a processor for a moment (OWASP's second choice); strangers must not make many at once.
_MEMORY_KIB, _PASSES, _LANES = 19_456, 2, 1
_one_at_a_time = threading.Semaphore(1)


def is_set(db_store: Store) -> bool:
    """Whether there is a password; without one nobody can sign in."""
    with db_store.read() as db:
        return store.owner.password(db) != ""


def check_new(password: str, repeated: str) -> None:
    """Refused (BAD_REQUEST): too short, too long, or not the same twice."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refusal(Code.BAD_REQUEST, f"The password must have {SHORTEST} to {LONGEST} characters.")
    if password != repeated:
        raise Refusal(Code.BAD_REQUEST, "The two passwords differ.")


class Changed(Struct, frozen=True):
    """`ended`: how many sessions were; `proof`: as `check` gives it for the new password."""

    ended: int
    proof: str


def set_password(
    db_store: Store, password: str, *, keep: str = "", link: str = "", proof: str = "", actor: str, new_id: NewId,
    now: int,
) -> Changed:  # fmt: skip
    """Sets the password and ends all sessions except `keep` (an id). Audited.

    With `link` (the one-time link of the first visit), only while the link is valid; with `proof` (from `check`), only
    while that password is still the one: else FORBIDDEN.
    """
    if link and not link_holds(db_store, link, now):  # before the hash is made: strangers may ask
        raise _over()
    hashed = _hashed(password)
    with db_store.transaction() as db:
        if link and not store.owner.link_holds(db, _digest(link), now):
            raise _over()
        if proof:
            expect(db, proof)
        is_first = not store.owner.password(db)
        store.owner.set_password(db, hashed, now)
        ended = store.owner.end_sessions(db, but=keep)
        store.owner.forget_tries(db, now - TRIES_WITHIN_S, STRANGERS)
        audit.note(db, actor, "owner.password", "owner", {"first": int(is_first), "ended": ended}, new_id, now)
        return Changed(ended, hashed)


def first_link(db_store: Store, now: int) -> str:
    """A new one-time link for the first visit, which ends earlier ones. "" when there is a password."""
    if is_set(db_store):
        return ""
    link = secrets.token_urlsafe(24)
    with db_store.transaction() as db:
        store.owner.set_link(db, _digest(link), now + LINK_S, now)
    return link


def link_holds(db_store: Store, link: str, now: int) -> bool:
    with db_store.read() as db:
        return store.owner.link_holds(db, _digest(link), now)


def check(db_store: Store, password: str, who: str, *, new_id: NewId, now: int) -> str:
    """Checks the password. `who` is whose tries are counted: `STRANGERS`, or a browser known from before. Returns a
    proof for what follows (`expect`): comparing takes a while, and the password may be changed meanwhile.

    Refused: LIMITED (with `retry_after`), FORBIDDEN. The try is counted first, so many at once gain nothing.
    """
    with db_store.transaction() as db:
        _count_try(db, who, new_id, now)
        hashed = store.owner.password(db)
    if not _fits(hashed, password):
        raise _wrong()
    with db_store.transaction() as db:
        store.owner.forget_tries(db, now - TRIES_WITHIN_S, who)
    return hashed


def expect(db: Rows, proof: str) -> None:
    """Refused (FORBIDDEN): the password that was typed is no longer the one."""
    if store.owner.password(db) != proof:
        raise _wrong()


def _wrong() -> Refusal:
    return Refusal(Code.FORBIDDEN, "The password is wrong.")


def _over() -> Refusal:
    return Refusal(Code.FORBIDDEN, "This link was used or is over; restart the server for a new one.")


def _count_try(db: Rows, who: str, new_id: NewId, now: int) -> None:
    tried, oldest = store.owner.tries(db, who, now - TRIES_WITHIN_S)
    if tried >= MOST_TRIES:
        wait = (oldest or now) + TRIES_WITHIN_S - now
        minutes = -(-wait // 60)
        raise Refusal(Code.LIMITED, f"Too many wrong passwords; try again in {minutes} min.", retry_after=wait)
    store.owner.add_try(db, new_id("try"), who, now)


def _hashed(password: str) -> str:
    from argon2 import PasswordHasher  # imported late: servers start faster, and few requests need it

    with _one_at_a_time:
        return PasswordHasher(_PASSES, _MEMORY_KIB, _LANES).hash(password)


def _fits(hashed: str, password: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    with _one_at_a_time:
        try:
            return PasswordHasher(_PASSES, _MEMORY_KIB, _LANES).verify(hashed, password[:LONGEST])
        except (VerificationError, InvalidHashError):
            return False


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

"""Managing webhook endpoints: what the command line and the admin pages share. Every change is audited.

An endpoint belongs to one merchant and gets a message for each event that it subscribes to (`announcements`), signed
with a secret of its own (Standard Webhooks). The secret is kept readable, because it signs; it is shown when it is made
and on request (`existing(...).secret`), and appears in no list, log or audit entry. The owner names the address, which
is judged like a notify URL: by its text here, by what its name resolves to at each try.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from checkout import audit, merchants, store
from checkout.errors import Code, Refusal
from checkout.interfaces import NewId, Rows, Store, Value
from checkout.merchants import Reach
from checkout.model.deliveries import Delivery, Endpoint
from checkout.outbox import announcements, deliveries, events

SECRET_OVERLAP_S = 86_400  # how long a replaced secret signs beside the new one
MOST = 20  # of one merchant: each event is a message for each of them
MAX_DESCRIPTION = 200


class Wish(Struct, frozen=True):
    """What an owner wants to set; None leaves a field as it is."""

    url: str | None = None
    events: tuple[str, ...] | None = None  # (): all
    description: str | None = None


def add(
    db_store: Store, merchant_id: int, wish: Wish, reach: Reach, *, actor: str, new_id: NewId, now: int
) -> Endpoint:
    """A new endpoint with a secret of 256 bits, which the caller shows. Refused: NOT_FOUND, BAD_REQUEST, BAD_URL."""
    with db_store.transaction() as db:
        if store.merchants.get(db, merchant_id) is None:
            raise Refusal(Code.NOT_FOUND, f"There is no merchant {merchant_id}: checkout merchant list.")
        if len(store.endpoints.of_merchant(db, merchant_id)) >= MOST:
            raise Refusal(Code.BAD_REQUEST, f"A merchant has at most {MOST} webhook endpoints; remove one first.")
        fresh = Endpoint(
            id=new_id("whk"), merchant=merchant_id, url="", events="", description="", secret=_secret(),
            previous_secret="", previous_secret_until=0, failing_since=None, paused_at=None, pause="", created_at=now,
        )  # fmt: skip
        endpoint = _with(fresh, replace(wish, url=wish.url or ""), reach)
        store.endpoints.add(db, endpoint)
        audit.note(db, actor, "webhook.add", endpoint.id, _public(endpoint), new_id, now)
        return endpoint


def change(
    db_store: Store, endpoint_id: str, wish: Wish, reach: Reach, *, actor: str, new_id: NewId, now: int
) -> Endpoint:
    """Sets what the wish names; messages that wait go to the new address. Refused: NOT_FOUND, BAD_REQUEST, BAD_URL."""
    with db_store.transaction() as db:
        before = _found(db, endpoint_id)
        after = _with(before, wish, reach)
        if after != before:
            store.endpoints.update(db, after)
            store.deliveries.redirect(db, endpoint_id, after.url)
            audit.note(db, actor, "webhook.set", endpoint_id, _public(after), new_id, now)
        return after


def rotate(db_store: Store, endpoint_id: str, *, actor: str, new_id: NewId, now: int) -> Endpoint:
    """A new secret, which the caller shows; for a day every message is signed with both. Refused: NOT_FOUND."""
    with db_store.transaction() as db:
        before = _found(db, endpoint_id)
        rotated = replace(
            before, secret=_secret(), previous_secret=before.secret, previous_secret_until=now + SECRET_OVERLAP_S
        )
        store.endpoints.update(db, rotated)
        audit.note(db, actor, "webhook.rotate", endpoint_id, {}, new_id, now)
        return rotated


def pause(db_store: Store, endpoint_id: str, *, actor: str, new_id: NewId, now: int) -> Endpoint:
    """Stops sending there; events that happen meanwhile are held, for thirty days. Refused: NOT_FOUND."""
    with db_store.transaction() as db:
        _found(db, endpoint_id)
        if deliveries.pause(db, endpoint_id, "hand", now):
            audit.note(db, actor, "webhook.pause", endpoint_id, {}, new_id, now)
        return _found(db, endpoint_id)


def resume(
    db_store: Store, endpoint_id: str, *, skip: bool = False, actor: str, new_id: NewId, now: int
) -> tuple[Endpoint, int]:
    """Sends there again, beginning with what waited (`skip`: drops that instead); returns the endpoint and the number
    of those messages.

    The caller wakes the worker. Refused: NOT_FOUND."""
    with db_store.transaction() as db:
        _found(db, endpoint_id)
        if not store.endpoints.resume(db, endpoint_id):
            return _found(db, endpoint_id), 0
        waited = store.deliveries.drop(db, endpoint_id, now) if skip else store.deliveries.release(db, endpoint_id, now)
        detail: dict[str, Value] = {"dropped" if skip else "sent": waited}
        audit.note(db, actor, "webhook.resume", endpoint_id, detail, new_id, now)
        return _found(db, endpoint_id), waited


def test(db_store: Store, endpoint_id: str, *, new_id: NewId, now: int) -> Delivery:
    """Puts a `checkout.test` event into the outbox. The caller wakes the worker, or sends it with `deliveries.claim`
    and `deliver`.

    Refused: NOT_FOUND, NOT_ALLOWED (it is paused)."""
    with db_store.transaction() as db:
        endpoint = _found(db, endpoint_id)
        if endpoint.paused_at is not None:
            raise Refusal(Code.NOT_ALLOWED, f"The endpoint is paused: checkout webhook resume {endpoint_id}.")
        return announcements.test(db, endpoint, new_id=new_id, now=now)


def remove(db_store: Store, endpoint_id: str, *, actor: str, new_id: NewId, now: int) -> int:
    """Deletes the endpoint and its secret; returns the number of messages that it did not get. They stay in the log as
    dropped.

    Refused: NOT_FOUND."""
    with db_store.transaction() as db:
        endpoint = _found(db, endpoint_id)
        dropped = store.deliveries.drop(db, endpoint_id, now)
        store.endpoints.remove(db, endpoint_id)
        audit.note(db, actor, "webhook.remove", endpoint_id, _public(endpoint) | {"dropped": dropped}, new_id, now)
        return dropped


def existing(db_store: Store, endpoint_id: str) -> Endpoint:
    """Refused: NOT_FOUND."""
    with db_store.read() as db:
        return _found(db, endpoint_id)


def _with(endpoint: Endpoint, wish: Wish, reach: Reach) -> Endpoint:
    changes: dict[str, Any] = {}
    if wish.url is not None:
        merchants.check_own_url(wish.url, "webhook", reach)
        changes["url"] = wish.url.partition("#")[0]
    if wish.events is not None:
        changes["events"] = _events(wish.events)
    if wish.description is not None:
        changes["description"] = _description(wish.description)
    return replace(endpoint, **changes)


def _events(wanted: tuple[str, ...]) -> str:
    """The events in our order, each once; naming all of them means "all", future ones included."""
    for event in wanted:
        if event not in events.TYPES:
            raise Refusal(Code.BAD_REQUEST, f"There is no event {event!r}; there are {', '.join(events.TYPES)}.")
    chosen = [event for event in events.TYPES if event in wanted]
    return "" if len(chosen) == len(events.TYPES) else " ".join(chosen)


def _description(text: str) -> str:
    text = text.strip()
    if not (text.isprintable() and len(text) <= MAX_DESCRIPTION):
        raise Refusal(Code.BAD_REQUEST, f"A description has at most {MAX_DESCRIPTION} printable characters.")
    return text


def _secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _found(db: Rows, endpoint_id: str) -> Endpoint:
    endpoint = store.endpoints.get(db, endpoint_id)
    if endpoint is None:
        raise Refusal(Code.NOT_FOUND, f"There is no webhook endpoint {endpoint_id}: checkout webhook list.")
    return endpoint


def _public(endpoint: Endpoint) -> dict[str, Value]:
    """What may go into the audit log: no secret."""
    return {
        "merchant": endpoint.merchant, "url": endpoint.url, "events": endpoint.events or "all",
        "description": endpoint.description,
    }  # fmt: skip

"""The way into every operation: key, scope, rate, body, idempotency; then one rule; then the answer.

An operation is a row of the table in `operations`, from which both the routes and the OpenAPI document are made.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Response, request
from msgspec import Struct
from msgspec.structs import replace

from checkout import api_keys, idempotency, store
from checkout.api_keys import Scope
from checkout.channel import GatewayError
from checkout.errors import Refusal, StoreError
from checkout.idempotency import Once, Reply
from checkout.interfaces import Store
from checkout.model.merchants import ApiKey, Merchant
from checkout.protocols.api import problems, reading
from checkout.protocols.api.models import Fault, Nothing
from checkout.protocols.api.problems import Wrong
from checkout.rates import PAGE, POLL
from checkout.web import Parts, client_address, parts

READ_COST, WRITE_COST = POLL, PAGE  # out of a key's bucket, see `rates`
_BEARER = re.compile(r"Bearer +([!-~]+)", re.IGNORECASE)
_IDEMPOTENCY_KEY = re.compile(r"[!-+\--~]{1,255}")  # no comma: two headers arrive as one, joined by it
_REALM = 'Bearer realm="checkout"'


class Call(Struct, frozen=True):
    """A request that may go on. `body` and `query` are as the operation's models have them."""

    shop: Parts
    store: Store  # the open transaction where the request is idempotent
    merchant: Merchant
    key: ApiKey
    now: int
    body: Any
    query: Any

    @property
    def actor(self) -> str:
        """For the audit log."""
        return f"api:{self.key.id}"


Act = Callable[..., tuple[int, Struct]]
Finish = Callable[[Call, str], str]


class Operation(Struct, frozen=True):
    """One thing that can be asked for. `act` gives (status, answer) and does all its work in the call's store;
    `finish` adds to the answer, once all is committed, what needs the network."""

    method: str
    path: str
    name: str
    summary: str
    scope: Scope | None
    act: Act
    answer: type[Struct]
    status: int = 200
    body: type[Struct] | None = None
    query: type[Struct] | None = None
    finish: Finish | None = None
    also: tuple[int, ...] = ()  # further statuses of success
    refusals: tuple[int, ...] = ()  # beyond those that any request can meet
    about: str = ""


def view(operation: Operation) -> Callable[..., Response]:
    def viewing(**path: str) -> Response:
        try:
            return _answer(operation, path)
        except Refusal as refusal:
            return problems.of_refusal(refusal)
        except Wrong as wrong:
            return problems.of_wrong(wrong)
        except GatewayError as error:
            return _of_gateway(error)

    viewing.__name__ = operation.name
    return viewing


def _answer(operation: Operation, path: dict[str, str]) -> Response:
    shop = parts()
    now = shop.clock()
    key, merchant = _admitted(shop, operation, now)
    is_write = operation.method == "POST"
    body = reading.body(operation.body or Nothing) if is_write else None
    call = Call(shop, shop.store, merchant, key, now, body, reading.query(operation.query))
    reply = _once(operation, call, path) if is_write else _done(operation, call, path)
    text = operation.finish(call, reply.body) if operation.finish else reply.body
    if is_write:
        shop.wake()
    return _response(reply, text)


def _admitted(shop: Parts, operation: Operation, now: int) -> tuple[ApiKey, Merchant]:
    """The key that the request carries. Raises `Wrong` (401, 403, 429)."""
    given = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    with shop.store.read() as db:
        key = api_keys.find(db, given[1]) if given else None
        merchant = store.merchants.get(db, key.merchant) if key else None
    if key is None or merchant is None:
        _wait(shop.pace.strangers.wait(client_address(), PAGE, now))
        raise Wrong(
            401, "Send a key of this merchant: Authorization: Bearer ck_live_… (checkout key add makes one).",
            headers={"WWW-Authenticate": _REALM if given is None else f'{_REALM}, error="invalid_token"'},
        )  # fmt: skip
    _wait(shop.pace.keys.wait(key.id, READ_COST if request.method == "GET" else WRITE_COST, now))
    _check_scope(key, operation.scope)
    _note_use(shop.store, key, now)
    return key, merchant


def _wait(seconds: int) -> None:
    if seconds:
        headers = {"Retry-After": str(seconds)}
        raise Wrong(429, f"Too many requests; try again in {seconds} s.", headers=headers)


def _check_scope(key: ApiKey, scope: Scope | None) -> None:
    if scope is not None and scope not in key.scopes.split(" "):
        challenge = f'{_REALM}, error="insufficient_scope", scope="{scope}"'
        raise Wrong(
            403, f"This key lacks the scope {scope}: make one that has it with checkout key add --scope {scope}.",
            code="missing_scope", headers={"WWW-Authenticate": challenge},
        )  # fmt: skip


def _note_use(db_store: Store, key: ApiKey, now: int) -> None:
    try:
        api_keys.note_use(db_store, key, now)
    except StoreError:  # what only reads must work while nothing can be written
        return


def _once(operation: Operation, call: Call, path: dict[str, str]) -> Reply:
    """The effect, and the same answer to the same request for a day where it names an idempotency key."""
    key = _idempotency_key()
    if not key:
        return _done(operation, call, path)
    asked = Once(call.merchant.id, key, _digest(operation, call, path))

    def effect(within: Store) -> tuple[int, str]:
        done = _done(operation, replace(call, store=within), path)
        return done.status, done.body

    return idempotency.once(call.shop.store, asked, effect, call.now)


def _done(operation: Operation, call: Call, path: dict[str, str]) -> Reply:
    status, answer = operation.act(call, **path)
    return Reply(status, msgspec.json.encode(answer).decode())


def _idempotency_key() -> str:
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return ""
    key = given.strip()
    if len(key) > 2 and key[0] == key[-1] == '"':
        key = key[1:-1]  # the standard's spelling
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        fault = Fault("It has 1 to 255 printable ASCII characters without commas.", header="Idempotency-Key")
        raise Wrong(400, f"Idempotency-Key: {fault.detail}", errors=[fault])
    return key


def _digest(operation: Operation, call: Call, path: dict[str, str]) -> str:
    """The same for all requests that ask for the same, however their JSON is laid out."""
    asked = [operation.name, sorted(path.items()), msgspec.to_builtins(call.body)]
    return hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()


def _response(reply: Reply, text: str) -> Response:
    answer = Response(text, reply.status, mimetype="application/json")
    if reply.replayed:
        answer.headers["Idempotency-Replayed"] = "true"
    return answer


def _of_gateway(error: GatewayError) -> Response:
    answer = problems.problem(502 if error.permanent else 503, error.message, code="gateway")
    if not error.permanent:
        answer.headers["Retry-After"] = "5"
    return answer

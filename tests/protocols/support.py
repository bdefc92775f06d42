"""What the tests of the form dialects share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checkout import returns
from checkout import store as stores
from checkout.http.client import Answer, Outgoing
from tests.clients.vmq import Refused
from tests.clients.wire import Reply
from tests.world import World, answer

OTHER_KEY = "another-merchants-key-0123456789"
Receive = Callable[[str, str, str, bytes], bytes]


def vectors(dialect: str) -> list[dict[str, Any]]:
    """The published and computed signatures of a dialect."""
    path = Path(__file__).parent.parent / "vectors" / "merchants.json"
    return [one for one in json.loads(path.read_text(encoding="utf-8")) if one["dialect"] == dialect]


def deliver(world: World, receive: Receive) -> None:
    """Lets a shop's notify page receive what is due; what it does not take is an error of its server."""

    def reply(request: Outgoing) -> Answer:
        said = receive(request.method, request.url, request.headers.get("Content-Type", ""), request.body)
        return answer(200 if said in (b"ok", b"success") else 500, said)

    world.outside.reply = reply
    world.work()


def refusal(act: Callable[[], object]) -> str:
    """What a client of vmq or GOGO is told."""
    with pytest.raises(Refused) as caught:
        act()
    return caught.value.message


def pay(world: World, order: dict[str, str]) -> None:
    """The phone reports the money of an order, as vmq and GOGO have answered it."""
    assert world.push(order["reallyPrice"], str(order["payType"]))["code"] == 1


def rows(world: World) -> int:
    """How many orders there are."""
    with world.store.read() as db:
        return sum(stores.orders.counts(db).values())


def return_of(world: World, token: str) -> str:
    """Where the buyer of a paid order goes."""
    found = returns.address(world.store, world.parts.dialects, world.order(token), world.clock())
    assert found is not None
    return found


def is_error_page(reply: Reply) -> bool:
    return reply.status == 200 and reply.headers["content-type"].startswith("text/html") and b"<h1>" in reply.body

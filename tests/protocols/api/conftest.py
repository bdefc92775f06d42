"""A merchant's server with a key for everything, beside another merchant's."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from checkout import api_keys
from checkout import store as stores
from checkout.api_keys import Scope
from tests.clients.api import Shop
from tests.clients.wire import to_app
from tests.world import World, merchant

OTHER = 1002


def key_for(world: World, merchant_id: int = 1001, scopes: Iterable[Scope] = tuple(Scope)) -> str:
    return api_keys.add(
        world.store, merchant_id, "test", scopes, actor="test", new_id=world.parts.new_id, now=world.clock()
    ).secret


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(to_app(world.app), key_for(world))


@pytest.fixture
def other(world: World) -> Shop:
    """Another merchant of the same installation, with a key of its own."""
    with world.store.transaction() as db:
        stores.merchants.add(db, merchant(id=OTHER, name="other", key="o" * 32))
    return Shop(to_app(world.app), key_for(world, OTHER))

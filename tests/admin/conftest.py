"""A signed-in owner. Hashing is real but cheap here: its cost has no say in what these tests are about."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from checkout import owner as rules
from tests.admin.desk import PASSWORD, Owner
from tests.world import World


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_MEMORY_KIB", 64)
    monkeypatch.setattr(rules, "_PASSES", 1)


@pytest.fixture
def locked(world: World) -> World:
    """A shop whose owner has a password."""
    rules.set_password(world.store, PASSWORD, actor="test", new_id=world.parts.new_id, now=world.clock())
    return world


@pytest.fixture
def owner(locked: World) -> Owner:
    """A browser that is signed in."""
    return Owner(locked).sign_in()


@pytest.fixture
def stranger(locked: World) -> FlaskClient:
    return locked.client

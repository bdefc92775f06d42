"""What tests share: a real database in a temporary folder; only the clock and, where said, the network are replaced."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from checkout import ids
from checkout.app import create_app
from checkout.interfaces import Store
from checkout.settings import Settings
from checkout.store import open_store
from checkout.web import Parts
from tests.world import FakeClock, Outside, World

REQUIRED = frozenset(filter(None, os.environ.get("CHECKOUT_TEST_REQUIRE", "").split(",")))


def skip_or_fail(what: str, why: str) -> None:
    """Skips a test whose server or browser is missing, unless CHECKOUT_TEST_REQUIRE names it."""
    if what in REQUIRED:
        pytest.fail(f"{why} (CHECKOUT_TEST_REQUIRE names {what})")
    pytest.skip(why)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database=str(tmp_path / "data" / "checkout.db"), folder=tmp_path, allow_private=True)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings.database)
    yield opened
    opened.close()


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def app(settings: Settings, clock: FakeClock, outside: Outside) -> Iterator[Flask]:
    """The application without its worker loop; callbacks go to `outside` when `world.work()` is called."""
    made = create_app(settings, clock=clock, new_id=ids.new_id, send=outside.send, work=False)
    made.testing = True
    yield made
    parts: Parts = made.extensions["checkout"]
    parts.store.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def world(app: Flask, clock: FakeClock, outside: Outside) -> World:
    """A shop with one merchant, one account for each method and one phone that watches both."""
    return World.set_up(app, clock, outside)

"""What tests share: a real database in a temporary folder; only the clock and, where said, the network are replaced."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as examples

from checkout import ids
from checkout.app import create_app
from checkout.interfaces import Store
from checkout.settings import Settings
from checkout.store import open_store
from checkout.web import Parts
from tests import postgres
from tests.world import FakeClock, Outside, World

# How long a machine takes to think of an example, or to try it, says nothing about what is tested.
examples.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
examples.load_profile("patient")

REQUIRED = frozenset(filter(None, os.environ.get("CHECKOUT_TEST_REQUIRE", "").split(",")))


def skip_or_fail(what: str, why: str) -> NoReturn:
    """Skips a test whose server or browser is missing, unless CHECKOUT_TEST_REQUIRE names it."""
    if what in REQUIRED:
        pytest.fail(f"{why} (CHECKOUT_TEST_REQUIRE names {what})")
    pytest.skip(why)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


# What rests on the statements and on taking turns is tested on both databases, all journeys, and of every area at least
# one module; the rest on SQLite, to save time. Journeys whose server serves several tests take `place`.
ON_BOTH = frozenset(
    {
        "tests.admin.test_callbacks",
        "tests.admin.test_orders",
        "tests.admin.test_overview",
        "tests.admin.test_payments",
        "tests.admin.test_products",
        "tests.admin.test_review",
        "tests.admin.test_statistics",
        "tests.alerts.test_telling",
        "tests.channels.test_alipay_booking",
        "tests.channels.test_routes",
        "tests.channels.test_wechat_2014",
        "tests.channels.test_wechat_booking",
        "tests.channels.test_wechat_v3_booking",
        "tests.cli.test_hooks",
        "tests.cli.test_import",
        "tests.cli.test_orders",
        "tests.cli.test_owner",
        "tests.cli.test_product_codes",
        "tests.cli.test_refunds",
        "tests.journeys.test_gateway_faults",
        "tests.journeys.test_main_road",
        "tests.journeys.test_official",
        "tests.journeys.test_official_scenes",
        "tests.journeys.test_official_secrets",
        "tests.journeys.test_photos",
        "tests.journeys.test_static_codes",
        "tests.monitors.test_messages",
        "tests.outbox.test_announcements",
        "tests.outbox.test_delivered_messages",
        "tests.outbox.test_deliveries",
        "tests.outbox.test_dispatcher",
        "tests.outbox.test_endpoints",
        "tests.outbox.test_tries",
        "tests.pages.test_buy",
        "tests.protocols.api.test_idempotency",
        "tests.protocols.api.test_lists",
        "tests.protocols.api.test_orders",
        "tests.protocols.api.test_races",
        "tests.protocols.test_epay_refunds",
        "tests.refunds.test_asks",
        "tests.refunds.test_calls",
        "tests.refunds.test_notices",
        "tests.refunds.test_refunds",
        "tests.store.test_deliveries",
        "tests.store.test_invariants",
        "tests.store.test_orders",
        "tests.store.test_payments",
        "tests.store.test_refunds",
        "tests.store.test_rows",
        "tests.store.test_slot_rows",
        "tests.store.test_slots",
        "tests.test_accounts",
        "tests.test_doctor",
        "tests.test_gateways",
        "tests.test_idempotency",
        "tests.test_live",
        "tests.test_metrics",
        "tests.test_opening",
        "tests.test_orders",
        "tests.test_payment_search",
        "tests.test_payments",
        "tests.test_payments_repeats",
        "tests.test_presence",
        "tests.test_prompts",
        "tests.test_rerouting",
        "tests.test_rested",
        "tests.test_sales",
        "tests.test_selling",
        "tests.test_settlement",
        "tests.test_sharing",
        "tests.test_statistics",
        "tests.test_strangers",
        "tests.test_switching",
        "tests.test_tallies",
        "tests.test_worker",
    }
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    is_on_both = metafunc.module.__name__ in ON_BOTH and not metafunc.definition.get_closest_marker("sqlite_only")
    if is_on_both and "database" in metafunc.fixturenames:
        metafunc.parametrize("database", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the test's database is: a file of its own, or an empty database on a real PostgreSQL."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return str(tmp_path / "data" / "checkout.db")
    return postgres_server().emptied()


def postgres_server() -> postgres.Server:
    """Skips the test, or fails it where PostgreSQL is required, when there is none."""
    try:
        return postgres.server()
    except postgres.Missing as missing:
        skip_or_fail("postgres", str(missing))
        raise


@pytest.fixture
def settings(tmp_path: Path, database: str) -> Settings:
    secret = "s" * 64 if "://" in database else None
    return Settings(database=database, folder=tmp_path, allow_private=True, secret=secret)


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


@pytest.fixture
def dispatched(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests that reach Flask."""
    seen: list[str] = []
    original = Flask.full_dispatch_request

    def noting(app: Flask) -> object:
        seen.append("request")
        return original(app)

    monkeypatch.setattr(Flask, "full_dispatch_request", noting)
    return seen

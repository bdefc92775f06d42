"""The OpenAPI document against the program: what it promises is what is done, whatever is sent."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from flask import Flask
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from werkzeug.serving import WSGIRequestHandler, make_server

from checkout import __version__, events
from checkout.app import create_app
from checkout.protocols.api import models
from checkout.protocols.api.operations import OPERATIONS
from checkout.settings import Settings
from tests.clients.api import ORDER, PAYMENT, PRODUCT, REFUND, Shop, told
from tests.clients.wire import to_app
from tests.protocols.api.conftest import key_for
from tests.protocols.api.test_orders import add_product
from tests.world import FakeClock, Outside, World

EXAMPLES = 4  # for each operation and phase, beside those that cover every bound


class Ticking(FakeClock):
    """A second passes at every look, so that no key asks too often."""

    def __call__(self) -> int:
        self.now += 1
        return self.now


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        pass


@pytest.fixture
def app(tmp_path: Path, outside: Outside) -> Iterator[Flask]:
    made = Settings(database=str(tmp_path / "checkout.db"), folder=tmp_path, allow_private=True, order_ttl=3600)
    app = create_app(made, clock=Ticking(), send=outside.send, work=False)
    yield app
    app.extensions["checkout"].store.close()


@pytest.fixture
def base_url(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def set_up(app: Flask, clock: FakeClock, outside: Outside) -> SchemathesisConfig:
    """A shop with something to find for every path, and how it is tried."""
    world = World.set_up(app, clock, outside)
    add_product(world, max_quantity=5)
    key = key_for(world)
    shop = Shop(to_app(app), key)
    paid = shop.create("N1")["order"]
    world.push("9.90")
    (payment,) = shop.payments()
    return SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "headers": {"Authorization": f"Bearer {key}"},
            "generation": {"max-examples": EXAMPLES, "database": "none"},
            # 400: no schema says that an address must lie on the merchant's own hosts, or what is left to give back.
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 400, 401, 403, 404, 409]}},
            "parameters": {
                "path.order": paid,
                "path.product": "tea",
                "path.payment": payment["payment"],
                "path.receipt": shop.get(paid)["receipt"],
            },
        }
    )


def test_the_program_keeps_what_the_document_promises(
    app: Flask, base_url: str, clock: FakeClock, outside: Outside
) -> None:
    done, faults = tried(base_url, set_up(app, clock, outside))
    assert faults == {}
    assert done["negative_data_rejection"] > 100
    assert len(done) >= 12, "every check has run"


def test_a_program_that_breaks_a_promise_is_found(
    app: Flask, base_url: str, clock: FakeClock, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = set_up(app, clock, outside)
    monkeypatch.setattr("checkout.events.rfc3339", lambda at: at)
    assert any(
        fault in ("response_schema_conformance", "not_a_server_error") for fault, _ in tried(base_url, config)[1]
    )


def tried(base_url: str, config: SchemathesisConfig) -> tuple[Counter[str], dict[tuple[str, str], str]]:
    """(how often each check was made, what was found by each at each operation)."""
    schema = schemathesis.openapi.from_url(f"{base_url}/openapi.json", config=config)
    schema.config.update(base_url=base_url)
    done, faults = Counter[str](), dict[tuple[str, str], str]()
    for event in from_schema(schema).execute():
        assert not isinstance(event, FatalError | NonFatalError), event
        for check, fault, label in _checks(event) if isinstance(event, ScenarioFinished) else ():
            done[check] += 1
            if fault:
                faults[check, label] = fault
    return done, faults


def _checks(event: ScenarioFinished) -> Iterator[tuple[str, str, str]]:
    for case, checks in event.recorder.checks.items():
        for one in checks:
            fault = one.failure_info.failure.message if one.failure_info else ""
            yield one.name, fault, event.recorder.cases[case].value.operation.label


def test_the_document_is_served_to_everybody_and_names_every_operation(world: World) -> None:
    reply = Shop(to_app(world.app), "").send("GET", "/openapi.json")
    found = told(reply, 200)
    assert found["openapi"] == "3.1.0"
    assert found["info"]["version"] == __version__
    assert found["servers"] == [{"url": "http://127.0.0.1:8000/api/v1"}]
    named = {one["operationId"] for path in found["paths"].values() for one in path.values()}
    assert named == {one.name for one in OPERATIONS} | {"get_receipt"}
    for one in OPERATIONS:
        assert found["paths"][one.path][one.method.lower()]["security"] == [{"key": [one.scope]}]


def test_every_schema_that_is_meant_is_there(world: World) -> None:
    text = Shop(to_app(world.app), "").send("GET", "/openapi.json").body.decode()
    found = told(Shop(to_app(world.app), "").send("GET", "/openapi.json"), 200)["components"]["schemas"]
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in found
    for name, members in (("Order", ORDER), ("Payment", PAYMENT), ("Refund", REFUND), ("Product", PRODUCT)):
        assert set(found[name]["properties"]) == set(found[name]["required"]) == members
    assert found["NewOrder"]["additionalProperties"] is False


def test_an_order_holds_all_that_its_events_hold(world: World) -> None:
    order = world.order(world.create()["data"]["orderId"])
    assert set(events.order_data(order, world.clock())) <= set(models.Order.__struct_fields__)

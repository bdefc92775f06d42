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

from checkout import __version__
from checkout import store as stores
from checkout.app import create_app
from checkout.outbox import events
from checkout.protocols.api import models, paging
from checkout.protocols.api.operations import OPERATIONS
from checkout.settings import Settings
from tests.clients.api import ORDER, PAYMENT, PRODUCT, REFUND, Shop, told
from tests.clients.wire import to_app
from tests.protocols.api.conftest import OTHER, key_for
from tests.protocols.api.test_orders import add_product
from tests.world import FakeClock, Outside, World, merchant

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
    """A shop with things in every state to find for every path, and how it is tried."""
    world = World.set_up(app, clock, outside)
    key = key_for(world)
    values = things(world, Shop(to_app(app), key))
    return SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "headers": {"Authorization": f"Bearer {key}"},
            "generation": {"max-examples": EXAMPLES, "database": "none"},
            # 400: no schema says that an address must lie on the merchant's own hosts, or what is left to give back.
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 400, 401, 403, 404, 409]}},
            "dictionaries": {name: {"values": found} for name, found in values.items()},
            "parameters": {
                **{f"path.{name}": {"dictionary": name, "probability": 1.0} for name in values if name != "cursor"},
                "query.cursor": {"dictionary": "cursor", "probability": 0.5},
                "body.order": {"dictionary": "order", "probability": 0.8},
                "body.product": {"dictionary": "product", "probability": 0.5},
            },
        }
    )


def things(world: World, shop: Shop) -> dict[str, list[str]]:
    """What there is by the name of its parameter; and what is another merchant's, or nobody's."""
    for product, changes in {
        "tea": {"max_quantity": 5}, "gift": {"lowest": 100, "highest": 9000}, "gone": {"disabled_at": 1},
        "sold-out": {"stock": 0},
    }.items():  # fmt: skip
        add_product(world, id=product, **changes)
    with world.store.transaction() as db:
        stores.merchants.add(db, merchant(id=OTHER, name="other", key="o" * 32))
    foreign = shop.with_key(key_for(world, OTHER)).create("N1", 700)["order"]
    paid, refunded = shop.create("N1")["order"], shop.create("N2", 1000)["order"]
    for amount in ("9.90", "10.00", "47.11"):
        world.push(amount)
    shop.refund(refunded, by_hand=True)
    closed = shop.close(shop.create("N3", 1100)["order"])["order"]
    waiting = [shop.create("N4", 1200)["order"], shop.create("N5", 1300, method=None)["order"]]
    _, cursor = shop.page(limit="2")
    assert cursor
    return {
        "order": [paid, refunded, closed, *waiting, foreign, "0" * 32],
        "product": ["tea", "gift", "gone", "sold-out", "nothing"],
        "payment": [*(one["payment"] for one in shop.payments()), "pay_nothing"],
        "receipt": [*(str(shop.get(one)["receipt"]) for one in (paid, refunded)), "0" * 32],
        "cursor": [cursor, paging.cursor(0, "0"), paging.cursor(999_999_999_999, "zzzz")],
    }  # fmt: skip


def test_the_program_keeps_what_the_document_promises(
    app: Flask, base_url: str, clock: FakeClock, outside: Outside
) -> None:
    config = set_up(app, clock, outside)
    asked: set[str] = set()
    done, faults = tried(base_url, config, asked)
    assert faults == {}
    there = {entry.value for name in ("order", "payment", "product") for entry in config.dictionaries[name].entries}
    assert len(there & asked) >= len(there) * 2 // 3, "things in many states were looked at"
    assert done["negative_data_rejection"] > 100
    assert len(done) >= 12, "every check has run"


def test_a_program_that_breaks_a_promise_is_found(
    app: Flask, base_url: str, clock: FakeClock, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = set_up(app, clock, outside)
    monkeypatch.setattr("checkout.outbox.events.rfc3339", lambda at: at)
    assert any(
        fault in ("response_schema_conformance", "not_a_server_error") for fault, _ in tried(base_url, config)[1]
    )


def tried(
    base_url: str, config: SchemathesisConfig, asked: set[str] | None = None
) -> tuple[Counter[str], dict[tuple[str, str], str]]:
    """(how often each check was made, what was found by each at each operation); `asked` is given the paths' values."""
    schema = schemathesis.openapi.from_url(f"{base_url}/openapi.json", config=config)
    schema.config.update(base_url=base_url)
    done, faults = Counter[str](), dict[tuple[str, str], str]()
    for event in from_schema(schema).execute():
        assert not isinstance(event, FatalError | NonFatalError), event
        if asked is not None and isinstance(event, ScenarioFinished):
            asked |= {str(one) for case in event.recorder.cases.values() for one in case.value.path_parameters.values()}
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

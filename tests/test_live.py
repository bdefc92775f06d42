"""What is edited in one process of the server holds in the others, too."""

from __future__ import annotations

from flask import Flask
from msgspec.structs import replace

from checkout import ids, live, preferences
from checkout.app import create_app
from checkout.errors import StoreError
from checkout.settings import Settings
from tests.world import FakeClock, Outside, World


def edit(world: World, **wanted: str) -> None:
    preferences.change(world.store, Settings(database="unused"), wanted, actor="test", new_id=ids.new_id, now=1)


def other_process(settings: Settings, clock: FakeClock, outside: Outside) -> Flask:
    return create_app(settings, clock=clock, send=outside.send, work=False)


def test_another_process_takes_it_over_at_its_next_look(
    world: World, settings: Settings, clock: FakeClock, outside: Outside
) -> None:
    other = other_process(settings, clock, outside)
    edit(world, shop_name="茶铺", order_ttl="900")
    assert "茶铺" in other.test_client().get("/", headers={"Accept": "text/html"}).text
    assert other.extensions["checkout"].rules.limits.order_ttl == 900
    edit(world, shop_name="茶馆")
    with other.app_context():
        live.take_over()
        assert live.from_file() == settings
    assert other.extensions["checkout"].settings.shop_name == "茶馆"
    other.extensions["checkout"].store.close()


def test_it_holds_after_a_restart(world: World, settings: Settings, clock: FakeClock, outside: Outside) -> None:
    edit(world, grace="60")
    other = other_process(settings, clock, outside)
    other.test_client().get("/healthz")
    assert other.extensions["checkout"].settings.grace == 60
    other.extensions["checkout"].store.close()


def test_a_database_that_does_not_answer_leaves_what_is_known(world: World) -> None:
    class Broken:
        def read(self) -> None:
            raise StoreError("The database is locked.")

    edit(world, shop_name="茶铺")
    world.client.get("/")
    parts = world.app.extensions["checkout"]
    world.app.extensions["checkout"] = replace(parts, store=Broken())
    with world.app.app_context():
        live.take_over()
    assert world.app.extensions["checkout"].settings.shop_name == "茶铺"
    world.app.extensions["checkout"] = parts

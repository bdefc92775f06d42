from __future__ import annotations

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from tests.world import World

TOKEN = "monitor-" + "m" * 24


def figures(text: str) -> dict[tuple[str, str], float]:
    """(name, value of the only label) → value, read by Prometheus's own parser."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_shop(world: World) -> None:
    world.beat()
    world.create("N1", "9.90")
    world.create("N2", "5.00", "2")
    world.push("9.90")
    world.push("77.00")
    world.clock.go(60)
    answer = world.client.get("/metrics")
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    found = figures(answer.text)
    assert found["checkout_orders_pending", "ali-main"] == 1
    assert found["checkout_orders_paid_today", "wx-main"] == 1
    assert found["checkout_fen_paid_today", "wx-main"] == 990
    assert found["checkout_payments_to_review", ""] == 1
    assert found["checkout_deliveries_waiting", ""] == 1
    assert found["checkout_delivery_oldest_seconds", ""] == 60
    assert found["checkout_phone_online", "phone"] == 1
    assert found["checkout_phone_silent_seconds", "phone"] == 60
    assert world.parts.settings.is_postgres or found["checkout_disk_free_bytes", ""] > 0


def test_a_phone_that_was_never_heard_is_offline(world: World) -> None:
    world.clock.go(30)
    found = figures(world.client.get("/metrics").text)
    assert (found["checkout_phone_online", "phone"], found["checkout_phone_silent_seconds", "phone"]) == (0, 30)


def test_a_shop_without_orders_has_figures_too(world: World) -> None:
    found = figures(world.client.get("/metrics").text)
    assert (found["checkout_deliveries_waiting", ""], found["checkout_delivery_oldest_seconds", ""]) == (0, 0)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"])
def test_what_a_proxy_on_this_machine_passes_on_is_refused(world: World, header: str) -> None:
    answer = world.client.get("/metrics", headers={header: "203.0.113.9"})
    assert answer.status_code == 403
    assert "metrics_token" in answer.text


def test_another_machine_is_refused_unless_it_has_the_token(world: World) -> None:
    world.app.extensions["checkout"] = replace(world.parts, settings=replace(world.parts.settings, metrics_token=TOKEN))
    outside = {"REMOTE_ADDR": "203.0.113.9"}
    for header in (None, "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", f"bearer{TOKEN}", "Bearer é"):
        headers = {"Authorization": header} if header else {}
        assert world.client.get("/metrics", headers=headers, environ_overrides=outside).status_code == 403
    given = {"Authorization": f"Bearer {TOKEN}"}
    assert world.client.get("/metrics", headers=given, environ_overrides=outside).status_code == 200


def test_without_a_token_in_the_settings_none_is_good(world: World) -> None:
    given = {"Authorization": "Bearer "}
    assert world.client.get("/metrics", headers=given, environ_overrides={"REMOTE_ADDR": "1.2.3.4"}).status_code == 403


@pytest.mark.parametrize(
    ("base_url", "allowed"),
    [("http://127.0.0.1:8000", True), ("http://localhost:8000", True), ("http://[::1]:8000", True),
     ("https://pay.example.com", False), ("https://127.0.0.1.example.com", False), ("http://10.0.0.1", False)],
)  # fmt: skip
def test_a_public_server_does_not_take_a_silent_proxy_for_a_program_of_this_machine(
    world: World, base_url: str, allowed: bool
) -> None:
    settings = replace(world.parts.settings, base_url=base_url)
    world.app.extensions["checkout"] = replace(world.parts, settings=settings)
    assert (world.client.get("/metrics").status_code == 200) is allowed
    world.app.extensions["checkout"] = replace(world.parts, settings=replace(settings, metrics_loopback=True))
    assert world.client.get("/metrics").status_code == 200
    assert world.client.get("/metrics", headers={"X-Forwarded-For": "1.2.3.4"}).status_code == 403


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("localhost:8000", True), ("127.0.0.2", True), ("[::1]:8000", True), ("evil.example:8000", False),
     ("127.0.0.1.evil.example", False), ("[::1", False), ("::1", False)],
)  # fmt: skip
def test_a_page_whose_name_was_led_to_this_machine_reads_nothing(world: World, host: str, allowed: bool) -> None:
    """The browser of whoever looks at it is a program of this machine (DNS rebinding)."""
    assert (world.client.get("/metrics", headers={"Host": host}).status_code == 200) is allowed

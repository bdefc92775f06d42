from __future__ import annotations

import io

import pytest

from checkout import store as stores
from checkout.store import open_store
from tests.cli.conftest import Console
from tests.loopback import answering, ok, serving


def test_without_a_service_the_test_says_how_to_name_one(shop: Console) -> None:
    assert shop.refused("alert", "test").startswith("Nobody is told yet: set alerts in checkout.toml")
    assert "set alerts in checkout.toml" in shop("alert", "list").err


def test_a_test_goes_to_every_service_and_one_that_fails_fails_the_command(shop: Console) -> None:
    seen: list[bytes] = []
    with serving(answering(ok(b"{}"), seen=seen)) as server:
        shop.environ["CHECKOUT_ALERTS"] = f"json://127.0.0.1:{server.port}/a-secret-path"
        assert shop.json("alert", "test") == [{"service": "json", "taken": True, "why": None}]
        shop.environ["CHECKOUT_ALERTS"] += " nosuch://another-secret"
        result = shop("alert", "test")
    assert result.code == 1
    assert "taken" in result.out
    assert "secret" not in result.out + result.err
    assert len(seen) == 2


def test_the_list_shows_what_is_wrong_now_and_on_request_what_is_over(shop: Console) -> None:
    assert shop("alert", "list").out == "Nothing is wrong.\n"
    opened = open_store(shop.database)
    with opened.transaction() as db:
        for name, cleared in (("alt_1", "NULL"), ("alt_2", "9")):
            db.run(
                "INSERT INTO alerts (id, condition, kind, level, details, raised_at, cleared_at)"
                f""" VALUES (:name, :name, 'backup', 1, '{{"said": "No folder."}}', 5, {cleared})""",
                name=name,
            )
    opened.close()
    shop.environ["CHECKOUT_LANGUAGE"] = "en"
    assert [one["id"] for one in shop.json("alert", "list")] == ["alt_1"]
    every = shop.json("alert", "list", "--all")
    assert [one["sentence"] for one in every] == [
        "The backup succeeded.", "The backup failed: No folder. Then run checkout backup again.",
    ]  # fmt: skip
    assert "The backup failed" in shop("alert", "list").out


def test_a_backup_that_fails_is_noted_until_one_succeeds(shop: Console) -> None:
    def noted() -> dict[str, tuple[int, str]]:
        opened = open_store(shop.database)
        with opened.read() as db:
            found = stores.alerts.troubles(db)
        opened.close()
        return found

    sentence = shop.refused("backup", str(shop.folder / "nowhere" / "copy.db"))
    assert noted() == {"backup": (shop.clock(), sentence)}
    shop("backup", str(shop.folder / "copy.db"))
    assert noted() == {}


def test_what_the_server_calls_tells_others_so(shop: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("nonsense"))
    assert shop.refused("alert", "hand-over") == (
        "The server calls this by itself: checkout alert test sends a test."
    )  # fmt: skip


def test_a_setting_that_is_no_address_is_refused_without_repeating_it(shop: Console) -> None:
    shop.environ["CHECKOUT_ALERTS"] = "my-secret-token"
    sentence = shop.refused("alert", "list")
    assert "must be addresses such as ntfy://ntfy.sh/topic" in sentence
    assert "my-secret-token" not in sentence

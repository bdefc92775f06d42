from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from checkout.errors import Damaged, StoreError
from tests.world import World


class Ailing:
    """The store, but for what the test breaks."""

    def __init__(self, real: Any, *, trouble: str = "", room: int | None = 10**9) -> None:
        self._real, self._trouble, self._room = real, trouble, room

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def expect_writes(self) -> None:
        if self._trouble:
            raise StoreError(self._trouble)

    def free_bytes(self) -> int | None:
        return self._room


def test_it_is_well_while_the_database_can_be_written(world: World) -> None:
    answer = world.client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_it_is_unwell_while_the_database_cannot_be_written(world: World) -> None:
    store = Ailing(world.store, trouble="The database cannot be written.")
    world.app.extensions["checkout"] = replace(world.parts, store=store)
    answer = world.client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json == {"status": "unavailable", "reason": "The database cannot be written."}


def test_it_is_unwell_when_the_next_payment_would_not_fit(world: World) -> None:
    for room, status in ((1024 * 1024 - 1, 503), (1024 * 1024, 200), (None, 200)):
        world.app.extensions["checkout"] = replace(world.parts, store=Ailing(world.store, room=room))
        assert world.client.get("/healthz").status_code == status


def test_a_look_changes_nothing(world: World) -> None:
    with world.store.read() as db:
        before = db.one("PRAGMA data_version")
        world.client.get("/healthz")
        assert db.one("PRAGMA data_version") == before


def test_it_is_unwell_while_the_database_is_known_to_be_damaged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise Damaged("The database /var/lib/checkout.db is damaged.")

    monkeypatch.setattr(world.store, "expect_sound", broken)
    answer = world.client.get("/healthz")
    assert (answer.status_code, answer.json) == (503, {"status": "unavailable", "reason": "The database is damaged."})

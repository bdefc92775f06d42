"""Backups by the clock; those by hand are tested with their commands."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from checkout import backup
from checkout import store as stores
from checkout.backup import Plan
from checkout.interfaces import Store
from checkout.settings import Settings
from checkout.worker import Worker
from tests.world import START, FakeClock, Outside, World

DAY = 86_400


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(tmp_path / "backups", DAY, 3)


def files(plan: Plan) -> list[str]:
    return sorted(path.name for path in plan.folder.iterdir())


def test_a_backup_is_made_when_none_is_there_and_the_next_one_a_day_later(store: Store, plan: Plan) -> None:
    first = backup.make_due(store, plan, START)
    assert first is not None
    assert first.name == "checkout-20260921T141320Z.db"
    assert first.stat().st_mode & 0o777 == 0o600
    assert plan.folder.stat().st_mode & 0o777 == 0o700
    assert backup.make_due(store, plan, START + DAY - 1) is None
    assert backup.make_due(store, plan, START + DAY) is not None
    assert len(files(plan)) == 2


def test_only_the_newest_are_kept_and_nothing_else_in_the_folder_is_touched(store: Store, plan: Plan) -> None:
    plan.folder.mkdir()
    others = ["notes.txt", "checkout.db", "checkout-20250101T000000Z.db.old", "xcheckout-20250101T000000Z.db"]
    for name in others:
        (plan.folder / name).write_text("mine")
    for day in range(6):
        backup.make_due(store, plan, START + day * DAY)
    assert len(files(plan)) == 3 + len(others)
    assert backup.newest_at(plan) == START + 5 * DAY
    assert all((plan.folder / name).read_text() == "mine" for name in others)


def test_a_backup_holds_what_was_acknowledged_and_comes_back(world: World, plan: Plan, tmp_path: Path) -> None:
    world.beat()
    world.create("N1", "9.90")
    assert world.push("9.90")["code"] == 1
    made = backup.make_due(world.store, plan, world.clock())
    assert made is not None
    settings = Settings(database=str(tmp_path / "new" / "checkout.db"), folder=tmp_path)
    assert backup.restore(settings, made, START) is None
    with closing(sqlite3.connect(settings.database)) as db:
        assert db.execute("SELECT state FROM orders").fetchall() == [("paid",)]


def test_a_failure_is_logged_and_leaves_nothing_behind(
    store: Store, plan: Plan, caplog: pytest.LogCaptureFixture
) -> None:
    plan.folder.write_text("a file where the folder should be")
    with caplog.at_level(logging.ERROR):
        backup.chore(store, plan)(START)
    assert "The backup that was due could not be made" in caplog.text


def test_a_backup_that_fails_is_noted_for_the_owner_until_one_succeeds(store: Store, plan: Plan) -> None:
    def noted() -> list[str]:
        with store.read() as db:
            return list(stores.alerts.troubles(db))

    plan.folder.parent.mkdir(parents=True, exist_ok=True)
    plan.folder.write_text("a file in its place")
    backup.chore(store, plan)(START)
    assert noted() == ["backup"]
    plan.folder.unlink()
    backup.chore(store, plan)(START + 60)
    assert noted() == []


def test_two_servers_make_one_backup(store: Store, plan: Plan, caplog: pytest.LogCaptureFixture) -> None:
    assert backup.make_due(store, plan, START) is not None
    with caplog.at_level(logging.ERROR):
        backup.chore(store, plan)(START)
    assert caplog.text == ""
    assert len(files(plan)) == 1


def test_what_is_missing_or_old_is_told(store: Store, plan: Plan) -> None:
    assert "no backup" in backup.trouble(plan, START)
    backup.make_due(store, plan, START)
    assert backup.trouble(plan, START + DAY + 3600) == ""
    assert "25 hours old" in backup.trouble(plan, START + DAY + 3601)


def test_without_a_folder_and_with_postgresql_there_is_no_plan(settings: Settings, tmp_path: Path) -> None:
    assert backup.plan_of(settings) is None
    assert backup.plan_of(replace(settings, backup_folder=str(tmp_path), database="postgresql://h/d")) is None
    assert backup.plan_of(replace(settings, backup_folder=str(tmp_path), backup_keep=2)) == Plan(tmp_path, DAY, 2)


def test_the_worker_does_chores_and_one_that_fails_does_not_keep_the_next(
    store: Store, clock: FakeClock, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[int] = []

    def fails(now: int) -> None:
        raise RuntimeError("broken")

    worker = Worker(store, {}, outside.exchange, clock, chores=[fails, done.append])
    worker.start()
    worker.stop()
    assert done == [START]
    assert "A chore failed" in caplog.text

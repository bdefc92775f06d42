"""A copy that is made while orders are written is one moment of the database, and passes its promises when restored.
`./dev soak backup` has a million orders and measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkout import backup
from tests.soak import backups


def test_a_restored_copy_holds_all_that_was_acknowledged_before_it_and_keeps_the_promises(tmp_path: Path) -> None:
    report = backups.run(tmp_path, 2000)
    assert report.faults == []
    assert report.backup_s > 0


@pytest.mark.parametrize(
    ("meddle", "fault"),
    [("DELETE FROM payments WHERE id LIKE 'pay_0%'", "settled by exactly one payment"),
     ("DELETE FROM slots; DELETE FROM orders WHERE number = 'W1'", "not the first ones")],
)  # fmt: skip
def test_a_copy_that_lacks_something_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meddle: str, fault: str
) -> None:
    import sqlite3
    from contextlib import closing

    create = backup.create

    def spoilt(db_store: object, target: Path) -> int:
        size = create(db_store, target)  # type: ignore[arg-type]
        with closing(sqlite3.connect(target)) as raw:
            raw.executescript(meddle)
        return size

    monkeypatch.setattr(backup, "create", spoilt)
    assert any(fault in one for one in backups.run(tmp_path, 500).faults)

"""Killed with SIGKILL under load, again and again: nothing that was acknowledged is lost, nothing is done twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak import crash

CYCLES = int(os.environ.get("CHECKOUT_TEST_CRASHES", "8"))


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_what_was_acknowledged_survives_the_death_of_the_server(tmp_path: Path, database: str) -> None:
    report = crash.run(tmp_path, CYCLES, database=database)
    assert report.faults == []
    assert report.orders > CYCLES
    assert report.pushes > CYCLES


@pytest.mark.parametrize(
    ("meddle", "fault"),
    [
        ("DELETE FROM payments", "acknowledged and is not there once"),
        ("UPDATE deliveries SET state = 'delivered', done_at = 1", "heard of it 0 times"),
        ("UPDATE orders SET token = token || 'x' WHERE state = 'pending'", "acknowledged and is not there"),
    ],
)
def test_what_is_lost_is_noticed(tmp_path: Path, meddle: str, fault: str) -> None:
    report = crash.run(tmp_path, 1, deaf=True, meddle=meddle)
    assert any(fault in one for one in report.faults)

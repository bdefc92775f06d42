"""Servers that share one PostgreSQL: amounts, claims and promises hold across them, whatever becomes of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import postgres_server
from tests.soak import many


@pytest.fixture
def database() -> str:
    return postgres_server().emptied()


def test_two_servers_do_everything_once(tmp_path: Path, database: str) -> None:
    report = many.run(tmp_path, database, machines=2, deaths=0, seconds=3)
    assert report.faults == []
    assert report.pushes > 20
    assert report.callbacks > 20


def test_what_several_have_acknowledged_survives_the_death_of_one_and_the_sleep_of_another(
    tmp_path: Path, database: str
) -> None:
    report = many.run(tmp_path, database, machines=3, deaths=4, seconds=6)
    assert report.faults == []
    assert report.pushes > 20

"""Servers on machines of their own: one dies, the cable of another is pulled, and shops and phones lose nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import postgres
from tests.conftest import skip_or_fail
from tests.soak import apart, crash
from tests.soak.network import NotPermitted


@pytest.fixture
def nginx() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        skip_or_fail("nginx", "there is no nginx to put in front")
    return str(found)


def test_a_machine_that_dies_and_one_that_is_cut_off_lose_nothing(tmp_path: Path, nginx: str) -> None:
    report = run(tmp_path, nginx)
    assert report.faults == []
    assert report.pushes > 80


def run(folder: Path, nginx: str) -> crash.Report:
    try:
        return apart.run(folder, nginx, machines=3, rounds=1)
    except NotPermitted as missing:
        skip_or_fail("namespaces", str(missing))
        raise
    except postgres.Missing as missing:
        skip_or_fail("postgres", str(missing))
        raise

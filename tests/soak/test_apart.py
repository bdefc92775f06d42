"""Servers on machines of their own: one dies, the cable of another is pulled, and shops and phones lose nothing."""

from __future__ import annotations

from pathlib import Path

from tests import postgres, proxies
from tests.conftest import skip_or_fail
from tests.soak import apart, crash
from tests.soak.network import NotPermitted


def test_a_machine_that_dies_and_one_that_is_cut_off_lose_nothing(tmp_path: Path) -> None:
    proxies.required("nginx")
    report = run(tmp_path)
    assert report.faults == []
    assert report.pushes > 80


def run(folder: Path) -> crash.Report:
    try:
        return apart.run(folder, machines=3, rounds=1)
    except NotPermitted as missing:
        skip_or_fail("namespaces", str(missing))
        raise
    except postgres.Missing as missing:
        skip_or_fail("postgres", str(missing))
        raise

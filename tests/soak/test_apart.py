"""Servers on machines of their own: one dies, the cable of another is pulled, and shops and phones lose nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import postgres, proxies
from tests.conftest import skip_or_fail
from tests.soak import apart, crash
from tests.soak.network import NotPermitted


@pytest.mark.parametrize("machines", [2, 4])
def test_a_machine_that_dies_and_one_that_is_cut_off_lose_nothing(tmp_path: Path, machines: int) -> None:
    proxies.required("nginx")
    if shutil.which("ip") is None:
        skip_or_fail("ip", "there is no ip that sets up a network (apt install iproute2)")
    report = run(tmp_path, machines)
    assert report.faults == []
    assert report.pushes > 80


def run(folder: Path, machines: int) -> crash.Report:
    try:
        return apart.run(folder, machines=machines, rounds=1)
    except NotPermitted as forbidden:
        pytest.skip(str(forbidden))
    except postgres.Missing as missing:
        skip_or_fail("postgres", str(missing))
        raise

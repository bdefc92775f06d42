"""What synchronous=FULL promises, seen on disks as they may look after a power cut."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import skip_or_fail
from tests.soak import powercut

IMAGES = int(os.environ.get("CHECKOUT_TEST_POWER_CUTS", "300"))


@pytest.fixture(autouse=True)
def needs_strace() -> None:
    if shutil.which("strace") is None:
        skip_or_fail("strace", "there is no strace that records what the server writes (apt install strace)")
    if subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody look at what another program writes")


def test_no_power_cut_loses_what_was_acknowledged(tmp_path: Path) -> None:
    recording = powercut.record(tmp_path, 400)
    calls = {one.call for one in recording.events}
    assert calls == {"write", "sync", "answer"} | calls & {"truncate"}
    report = powercut.cut(recording, tmp_path, IMAGES)
    assert (report.corrupt, report.lost) == ([], [])
    assert report.acknowledged > report.images


def test_the_same_cuts_find_what_a_laxer_setting_loses(tmp_path: Path) -> None:
    report = powercut.cut(powercut.record(tmp_path, 80, synchronous="NORMAL"), tmp_path, 60)
    assert report.lost
    assert report.corrupt == []

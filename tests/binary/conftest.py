"""The one-file program, and a bare Debian without Python, in which it has to do everything by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import skip_or_fail

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("CHECKOUT_TEST_PROGRAM") or ROOT / "dist" / "checkout")
SUITE = os.environ.get("CHECKOUT_TEST_SUITE", "bookworm")


@pytest.fixture(scope="session")
def program() -> Path:
    if not PROGRAM.is_file():
        skip_or_fail("program", "there is no dist/checkout (./dev binary builds it)")
    return PROGRAM


@pytest.fixture(scope="session")
def debian(program: Path) -> Path:
    """Made once with debootstrap and kept in build/; the tests change copies of single folders only."""
    if os.geteuid() != 0 or not shutil.which("debootstrap") or not shutil.which("unshare"):
        skip_or_fail("binary", "only root with debootstrap can make a bare system (apt install debootstrap)")
    root = ROOT / "build" / f"debian-{SUITE}"
    if not (root / "done").is_file():
        shutil.rmtree(root, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", "--include=dbus,systemd,systemd-sysv", SUITE, str(root)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (root / "done").touch()
    assert not list(root.glob("usr/bin/python3*"))
    return root

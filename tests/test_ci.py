"""What CI runs says what it ran on, runs everything to the end, and fails when one part does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers import ROOT

# What takes a run too long, or asks machines that are not always there.
_LEFT_OUT = {"binary", "container", "npm"}
_BY_VARIABLE = {"caddy", "hugo", "jekyll", "nginx"}

_QUERY = """#!/bin/sh
for last; do :; done
case "$*" in
  *Status*) printf 'install ok installed' ;;
  *) shift 2; for one; do printf '  %s 1.2-3\\n' "$one"; done ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose commands only tell that they were called; `fails` names one that fails."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    write(tmp_path / "bin" / "dpkg-query", _QUERY)
    write(tmp_path / "dev", '#!/bin/sh\necho "ran $1"\n[ "$1" != "$FAILS" ]\n')
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def run(folder: Path, fails: str = "") -> tuple[int, str]:
    environ = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "FAILS": fails}
    done = subprocess.run([folder / ".ci" / "run"], env=environ, stdout=subprocess.PIPE, text=True)
    return done.returncode, done.stdout


def test_a_run_says_which_versions_it_ran_on(folder: Path) -> None:
    status, told = run(folder)
    assert status == 0
    named = re.search(r"packages=\(([^)]*)\)", (ROOT / ".ci" / "run").read_text())
    assert named
    for package in named[1].split():
        assert f"  {package} 1.2-3\n" in told
    assert told.startswith("On ")


@pytest.mark.parametrize("fails", ["check", "audit", "coverage", "binary", "test"])
def test_all_run_to_the_end_and_one_that_fails_fails_the_run(folder: Path, fails: str) -> None:
    status, told = run(folder, fails)
    assert status == 1
    assert re.findall("ran ([a-z]+)", told) == ["check", "audit", "coverage", "binary", "test"]


def required() -> set[str]:
    text = (ROOT / ".ci" / "run").read_text()
    return set(",".join(re.findall(r"(?m)^CHECKOUT_TEST_REQUIRE\+?=(\S+)", text)).split(",")) - {""}


def test_no_test_is_skipped_for_want_of_what_the_run_installs() -> None:
    text = (ROOT / ".ci" / "run").read_text()
    for package, what in {
        "caddy": "caddy", "chromium": "browser", "git": "git", "hugo": "hugo", "iproute2": "ip", "jekyll": "jekyll",
        "mandoc": "mandoc", "nginx-light": "nginx", "nodejs": "node", "openssl": "openssl", "php-cli": "php",
        "postgresql": "postgres", "strace": "strace", "systemd": "systemd",
    }.items():  # fmt: skip
        assert re.search(rf"\b{package}\b", text)
        assert what in required()


def test_whatever_a_test_may_lack_is_required_or_left_out_on_purpose() -> None:
    named: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        named |= set(re.findall(r'skip_or_fail\("(\w+)"', path.read_text(encoding="utf-8")))
    assert named - _LEFT_OUT == required() - _BY_VARIABLE

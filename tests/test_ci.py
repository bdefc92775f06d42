"""What CI runs says what it ran on, runs everything to the end, and fails when one part does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import skip_or_fail
from tests.servers import ROOT

# What takes a run too long, or asks machines that are not always there.
_LEFT_OUT = {"binary", "container", "npm"}
_BY_VARIABLE = {"caddy", "hugo", "jekyll", "nginx"}

_QUERY = """#!/bin/sh
case "$2" in
  '--showformat=${Status}') [ -z "$BARE" ] && printf 'install ok installed' ;;
  *) shift 2; for one; do printf 'ii %s 1.2-3\\nrc %s-old 1.1\\n' "$one" "$one"; done; exit 1 ;;
esac
"""
_DEV = """#!/bin/sh
echo "ran $1"
[ "$1" != "$FAILS" ] || { [ -n "$ONCE" ] && ! rm "$ONCE" 2>/dev/null; }
"""
_APT = """#!/bin/sh
case "$*" in *" install "*) what=--simulate ;; esac
exec /usr/bin/apt-get $what "$@"
"""
_APT_CONFIG = """
Dir::State "{place}/state"; Dir::State::status "{place}/status"; Dir::Cache "{place}/cache"; Dir::Etc "{place}/etc";
Dir::Etc::SourceList "{place}/sources"; APT::Sandbox::User "root"; Dir::Log "{place}/log"; Acquire::Languages "none";
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose commands only tell that they were called; `fails` names one that fails."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / ".ci" / "debian.versions").write_text("# as they were\ncaddy 1.2-3\nchromium 1.2-2\n")
    write(tmp_path / "bin" / "dpkg-query", _QUERY)
    write(tmp_path / "dev", _DEV)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def run(folder: Path, fails: str = "", **more: str) -> tuple[int, str]:
    environ = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "FAILS": fails, **more}
    done = subprocess.run([folder / ".ci" / "run"], env=environ, stdout=subprocess.PIPE, text=True)
    return done.returncode, done.stdout


def packages() -> list[str]:
    named = re.search(r"packages=\(([^)]*)\)", (ROOT / ".ci" / "run").read_text())
    assert named
    return named[1].split()


def test_a_run_says_which_versions_it_ran_on_and_which_of_them_are_new(folder: Path) -> None:
    status, told = run(folder)
    assert status == 0
    assert told.startswith("On ")
    for package in packages():
        assert f"  {package} 1.2-3{'' if package == 'caddy' else ' (new)'}\n" in told
    assert "-old" not in told


@pytest.fixture
def bare(folder: Path) -> Path:
    """A machine without any of the packages; its mirror has version 2 of all, and version 1 of some."""
    if not Path("/usr/bin/apt-get").exists():
        skip_or_fail("apt", "there is no apt, with which a run installs what it needs")
    place = folder / "apt"
    for name in ("repository", "state/lists/partial", "cache/archives/partial", "etc/preferences.d", "log"):
        (place / name).mkdir(parents=True)
    (place / "config").write_text(_APT_CONFIG.format(place=place))
    (place / "sources").write_text(f"deb [trusted=yes] file:{place / 'repository'} ./\n")
    (place / "status").write_text("")
    alone = [stanza(name, "2", "") for name in packages() if name != "chromium"]
    parts = [stanza("chromium", version, f"Depends: chromium-common (= {version})\n") for version in "12"]
    parts += [stanza("chromium-common", version, "Source: chromium\n") for version in "12"]
    (place / "repository" / "Packages").write_text("\n".join([*alone, *parts]))
    (folder / ".ci" / "debian.versions").write_text("# as they were\ncaddy 1\nchromium 1\n")
    write(folder / "bin" / "apt-get", _APT)
    write(folder / "bin" / "sudo", '#!/bin/sh\nshift\nexec "$@"\n')
    return folder


def stanza(name: str, version: str, more: str) -> str:
    where = f"Filename: ./{name}_{version}.deb\nSize: 1\nSHA256: {'0' * 64}\n"
    return f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x\nDescription: x\n{where}{more}"


def installed(folder: Path) -> dict[str, str]:
    status, told = run(folder, BARE="1", APT_CONFIG=str(folder / "apt" / "config"))
    assert status == 0, told
    return dict(re.findall(r"(?m)^Inst (\S+) (?:\[\S+\] )?\((\S+) ", told))


def test_what_is_missing_comes_in_the_version_that_passed_or_the_newest_where_that_is_gone(bare: Path) -> None:
    assert installed(bare) == {**dict.fromkeys(packages(), "2"), "chromium": "1", "chromium-common": "1"}


def test_a_version_that_fits_no_more_ends_no_run(bare: Path) -> None:
    has = stanza("chromium-common", "2", "Source: chromium\nStatus: install ok installed\n")
    (bare / "apt" / "status").write_text(has)
    assert installed(bare) == dict.fromkeys(packages(), "2")


def test_the_versions_that_passed_are_in_the_form_that_a_run_prints() -> None:
    first, *lines = (ROOT / ".ci" / "debian.versions").read_text().splitlines()
    assert first.startswith("# ")
    assert lines == sorted(set(lines))
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9.+-]+ [0-9][A-Za-z0-9.+~:-]*", line)] == []


@pytest.mark.parametrize("fails", ["check", "audit", "coverage", "binary", "test"])
def test_all_run_to_the_end_and_one_that_fails_fails_the_run(folder: Path, fails: str) -> None:
    status, told = run(folder, fails)
    assert status == 1
    watched = ["coverage"] * (2 if fails == "coverage" else 1)
    assert re.findall("ran ([a-z]+)", told) == ["check", "audit", *watched, "binary", "test"]


@pytest.mark.parametrize(("fails", "status"), [("coverage", 0), ("check", 1), ("audit", 1), ("binary", 1)])
def test_only_watched_tests_that_failed_once_may_run_once_more(folder: Path, fails: str, status: int) -> None:
    """As the others may, which this knows by what pytest has left."""
    (folder / "once").touch()
    assert run(folder, fails, ONCE=str(folder / "once"))[0] == status


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

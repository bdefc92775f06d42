"""Install, upgrade and the way back under a real systemd in a container: the unit restricts as on a server."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.binary.conftest import PROGRAM
from tests.conftest import skip_or_fail
from tests.servers import free_port

BOOT_S = 100
SCRIPT = """#!/bin/sh
exec 2> /mnt/errors
set -x
say() { echo "$@" >> /mnt/said; }
cd /mnt
./checkout install --yes --no-start --dry-run --base-url http://127.0.0.1:{port} > /mnt/plan
test -e /opt/checkout && say wrote-on-a-dry-run
./checkout install --yes --base-url http://127.0.0.1:{port} --port {port} || say install-failed
sleep 3
say "state $(systemctl is-active checkout)"
say "owner $(stat -c %U:%a /var/lib/checkout)"
say "user $(ps -o user= -C checkout 2>/dev/null | sort -u | head -1)"
./checkout install --yes --base-url http://127.0.0.1:{port} && say installed-twice
checkout merchant add Shop --json > /mnt/merchant
cp checkout new; echo >> new
./new upgrade || say upgrade-failed
./new upgrade && say upgraded-twice
say "state $(systemctl is-active checkout)"
checkout merchant add Second --json > /mnt/second
checkout upgrade --back || say back-failed
say "state $(systemctl is-active checkout)"
checkout merchant list --json > /mnt/merchants
checkout upgrade --back && say back-twice
printf 'no program' > broken; chmod +x broken
checkout upgrade broken && say upgraded-to-nothing
say "state $(systemctl is-active checkout)"
checkout doctor --json > /mnt/doctor
journalctl -u checkout --no-pager > /mnt/journal
say done
systemctl poweroff
"""
UNIT = "[Service]\nType=oneshot\nExecStart=/mnt/script\n"


@pytest.fixture(scope="module")
def told(debian: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the container has left what it saw. Its own disk is a copy in memory."""
    nspawn = shutil.which("systemd-nspawn")
    if nspawn is None:
        skip_or_fail("binary", "there is no systemd-nspawn (apt install systemd-container)")
    assert nspawn
    folder = tmp_path_factory.mktemp("service")
    shutil.copy(PROGRAM, folder / "checkout")
    (folder / "script").write_text(SCRIPT.replace("{port}", str(free_port())))
    (folder / "script").chmod(0o755)
    root = folder / "root"
    subprocess.run(["cp", "-ax", debian, root], check=True)
    units = root / "etc" / "systemd" / "system"
    (units / "try.service").write_text(UNIT)
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    (units / "multi-user.target.wants" / "try.service").symlink_to("../try.service")
    shared = folder / "shared"
    shared.mkdir()
    for name in ("checkout", "script"):
        (folder / name).rename(shared / name)
    command = [nspawn, "--boot", "--quiet", "--register=no", "--keep-unit", "-D", str(root), f"--bind={shared}:/mnt"]
    with (folder / "boot.log").open("wb") as log:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=BOOT_S)
    assert "done" in said(shared), (folder / "boot.log").read_text(errors="replace")[-3000:]
    shutil.rmtree(root)
    return shared


def said(folder: Path) -> list[str]:
    file = folder / "said"
    return file.read_text().splitlines() if file.exists() else []


def parsed(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def test_it_runs_after_installing_upgrading_going_back_and_a_broken_file(told: Path) -> None:
    lines = [line for line in said(told) if not line.startswith("user")]
    assert lines == ["state active", "owner checkout:700", *["state active"] * 3, "done"], (told / "errors").read_text()


def test_the_plan_names_what_would_be_written(told: Path) -> None:
    plan = (told / "plan").read_text()
    for path in ("/opt/checkout", "/etc/checkout/checkout.toml", "/var/lib/checkout", "/usr/local/bin/checkout"):
        assert path in plan, path


def test_nothing_is_lost_by_going_back_where_the_tables_are_the_same(told: Path) -> None:
    assert [one["name"] for one in parsed(told, "merchants")] == ["Shop", "Second"]


def test_the_units_restrictions_stop_nothing_that_the_server_needs(told: Path) -> None:
    findings = {one["check"]: one["status"] for one in parsed(told, "doctor")}
    assert findings["database"] == findings["permissions"] == findings["htmx"] == "ok"
    journal = (told / "journal").read_text()
    for sign in ("Traceback", "EPERM", "not permitted", "SIGSYS"):
        assert sign not in journal

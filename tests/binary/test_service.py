"""Install, reload, crashes, upgrade, the way back and removal under a real systemd in a container: the unit restricts
as on a server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from tests.binary.conftest import PROGRAM
from tests.clients.phone import Phone
from tests.clients.vmq import VmqClient
from tests.clients.wire import to_server
from tests.conftest import skip_or_fail
from tests.journeys.server import Shops
from tests.servers import free_port

BOOT_S = 300
SCRIPT = """#!/bin/bash
exec 2> /mnt/errors
set -x
say() { echo "$@" >> /mnt/said; }
get() { exec 3<>/dev/tcp/127.0.0.1/{port} && printf 'GET %s HTTP/1.0\\r\\n\\r\\n' "$1" >&3 && cat <&3; }
soon() { for _ in {1..300}; do "$@" && return; sleep 0.2; done; say "never: $*"; }
well() { get /healthz | head -1 | grep -q ' 200 '; }
main() { systemctl show --property MainPID --value checkout; }
workers() { cat "/proc/$(main)/task/$(main)/children"; }
cd /mnt
./checkout install --yes --no-start --dry-run --base-url http://127.0.0.1:{port} > /mnt/plan
test -e /opt/checkout && say wrote-on-a-dry-run
./checkout install --yes --base-url http://127.0.0.1:{port} --port {port} || say install-failed
soon well
say "state $(systemctl is-active checkout)"
systemd-analyze security checkout --no-pager > /mnt/exposure
before=$(main); first=$(workers)
echo 'allow_private = true' >> /etc/checkout/checkout.toml
systemctl reload checkout || say reload-failed
renewed() { for pid in $first; do test ! -e "/proc/$pid" || return 1; done; test -n "$(workers)" && well; }
soon renewed
[ "$(main)" = "$before" ] || say main-changed-on-reload
first=$(workers)
kill -9 $first
soon renewed
[ "$(main)" = "$before" ] || say main-changed-with-a-worker
kill -9 "$before"
restarted() { [ "$(systemctl show --property NRestarts --value checkout)" = 1 ] && well; }
soon restarted
say "state $(systemctl is-active checkout)"
say "owner $(stat -c %U:%a /var/lib/checkout)"
say "user $(stat -c %U "/proc/$(main)")"
./checkout install --yes --base-url http://127.0.0.1:{port} && say installed-twice
checkout merchant add Shop --notify-url {notify} --mode compat --json > /mnt/merchant
checkout account add wx-main --method wechat --code wxp://f2f0abcdefghijklmnopqrstuvwxyz --json > /mnt/account
checkout device add phone-1 --json > /mnt/device.part && mv /mnt/device.part /mnt/device
soon test -e /mnt/paid
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
systemctl disable --now checkout
rm -r /etc/systemd/system/checkout.service /usr/local/bin/checkout /opt/checkout
systemctl daemon-reload
systemctl cat checkout > /dev/null 2>&1 && say unit-is-still-there
ss=$(cat /proc/net/tcp | grep -ci ":$(printf %04X {port}) .* 0A ")
say "listening $ss"
say "kept $(ls -A /etc/checkout) $(stat -c %U:%a /var/lib/checkout/checkout.db)"
./checkout install --yes --base-url http://127.0.0.1:{port} --port {port} || say second-install-failed
soon well
checkout merchant list --json > /mnt/merchants-after
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
    port, shop = free_port(), Shop()
    (folder / "script").write_text(SCRIPT.replace("{port}", str(port)).replace("{notify}", f"{shop.address}/n"))
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
        container = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        shop.be_paid(shared, port, container)
        container.wait(timeout=BOOT_S)
    finally:
        container.terminate()
        container.wait()
        shop.close()
    assert "done" in said(shared), (folder / "boot.log").read_text(errors="replace")[-3000:]
    shutil.rmtree(root)
    return shared


class Shop:
    """Outside of the container, on the same loopback: it orders, its buyer pays, and it hears of that."""

    def __init__(self) -> None:
        self._heard = Queue[tuple[str, str, bytes]]()
        self._shops = Shops({"/n": self._hear})
        self.address = self._shops.address
        self.close = self._shops.close

    def _hear(self, method: str, path: str, kind: str, body: bytes) -> bytes:
        self._heard.put((method, self.address + path, body))
        return b"success"

    def be_paid(self, shared: Path, port: int, container: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + BOOT_S
        while not (shared / "device").exists():
            if container.poll() is not None or time.monotonic() > deadline:
                return  # what was said tells why
            time.sleep(0.1)
        wire = to_server(f"http://127.0.0.1:{port}")
        vmq = VmqClient(wire, str(parsed(shared, "merchant")["key"]))
        vmq.create("N1", "9.90")
        app, at = Phone(wire, f"127.0.0.1:{port}/{parsed(shared, 'device')['key']}"), time.time_ns() // 1_000_000
        app.heart(at)
        app.push(1, "9.9", at)
        (shared / "paid").write_text(vmq.callback(*self._heard.get(timeout=60))["payId"])


def said(folder: Path) -> list[str]:
    file = folder / "said"
    return file.read_text().splitlines() if file.exists() else []


def parsed(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def test_it_runs_after_installing_upgrading_going_back_and_a_broken_file(told: Path) -> None:
    states = ["state active"] * 3
    lines = ["state active", "state active", "owner checkout:700", "user checkout", *states]
    removed = ["listening 0", "kept checkout.toml checkout:600"]
    assert said(told) == [*lines, *removed, "done"], (told / "errors").read_text()


def test_an_order_is_paid_and_told_by_a_server_that_was_reloaded_and_killed(told: Path) -> None:
    assert (told / "paid").read_text() == "N1"


def test_the_unit_exposes_little(told: Path) -> None:
    match = re.search(r"exposure level for checkout\.service: ([0-9.]+)", (told / "exposure").read_text())
    assert match
    assert int(match[1].replace(".", "")) <= 15  # 1.5 of 10


def test_removed_and_installed_again_it_knows_everything(told: Path) -> None:
    assert parsed(told, "merchants-after") == parsed(told, "merchants")


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

"""The whole road against the image of deploy/Containerfile; `release/container.sh` builds one and runs this."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from queue import Queue
from typing import Any

import pytest

from tests.clients.phone import Phone
from tests.clients.vmq import VmqClient
from tests.clients.wire import to_server
from tests.conftest import skip_or_fail
from tests.journeys.server import Shops
from tests.servers import ask

IMAGE = os.environ.get("CHECKOUT_TEST_IMAGE", "")
ENGINE = shlex.split(os.environ.get("CHECKOUT_TEST_ENGINE", "podman"))
OPTIONS = shlex.split(os.environ.get("CHECKOUT_TEST_RUN", ""))
ADDRESS = "http://127.0.0.1:8000"
# As docs/deploy says, but for limits that not every machine lets a container have.
AS_DOCUMENTED = ("--read-only", "--tmpfs=/tmp", "--cap-drop", "all", "--security-opt", "no-new-privileges")
GRACE_S = 30
START_S = 120
CODE = "wxp://f2f0abcdefghijklmnopqrstuvwxyz"


def engine(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ENGINE, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def well(*words: str) -> str:
    done = engine(*words)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def is_answering() -> bool:
    try:
        return ask(f"{ADDRESS}/healthz").status == 200
    except OSError:
        return False


class Container:
    """One container after the other over one volume."""

    def __init__(self, name: str) -> None:
        self.name, self.volume = name, f"{name}-data"

    def start(self) -> None:
        settings = ("-e", f"CHECKOUT_BASE_URL={ADDRESS}", "-e", "CHECKOUT_ALLOW_PRIVATE=1")
        where = ("--name", self.name, "--network", "host", "-v", f"{self.volume}:/data")
        well("run", "-d", *where, *AS_DOCUMENTED, *OPTIONS, *settings, IMAGE, "serve")
        deadline = time.monotonic() + START_S
        while not is_answering():
            assert time.monotonic() < deadline, engine("logs", self.name)
            time.sleep(0.1)

    def inside(self, *words: str) -> subprocess.CompletedProcess[str]:
        return engine("exec", self.name, *words)

    def said(self, *words: str) -> Any:
        done = self.inside("checkout", *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def once(self, *words: str) -> str:
        """A command in a container of its own, while none serves."""
        return well("run", "--rm", "--network", "none", "-v", f"{self.volume}:/data", *OPTIONS, IMAGE, *words)

    def stop(self) -> int:
        """The exit code of the server; 137: it had to be killed."""
        well("stop", "-t", str(GRACE_S), self.name)
        code = int(well("inspect", "--format", "{{.State.ExitCode}}", self.name))
        well("rm", self.name)
        return code

    def remove(self) -> None:
        engine("rm", "-f", self.name)
        engine("volume", "rm", "-f", self.volume)


@pytest.fixture
def container() -> Iterator[Container]:
    if not IMAGE:
        skip_or_fail("container", "there is no image of the container (release/container.sh builds it)")
    assert not is_answering(), "port 8000 of this machine must be free"
    made = Container(f"checkout-test-{os.getpid()}")
    try:
        made.start()
        yield made
    finally:
        made.remove()


def test_an_order_is_paid_and_told_and_the_next_container_knows_it(container: Container) -> None:
    heard = Queue[tuple[str, str, bytes]]()

    def notify(method: str, path: str, kind: str, body: bytes) -> bytes:
        heard.put((method, shops.address + path, body))
        return b"success"

    shops = Shops({"/n": notify})
    try:
        container.said("account", "add", "wx-main", "--method", "wechat", "--code", CODE)
        urls = ("--notify-url", f"{shops.address}/n", "--return-url", f"{shops.address}/thanks")
        shop = container.said("merchant", "add", "Shop", *urls, "--mode", "compat")
        phone = container.said("device", "add", "phone-1")
        wire = to_server(ADDRESS)
        vmq, app = VmqClient(wire, str(shop["key"])), Phone(wire, f"127.0.0.1:8000/{phone['key']}")
        order = vmq.create("N1", "9.90", param="user-1")
        assert wire("GET", f"/pay/{order['orderId']}/qr.png", {}, b"").body.startswith(b"\x89PNG")
        at = time.time_ns() // 1_000_000
        assert app.heart(at)["code"] == 1
        assert app.push(1, "9.9", at)["code"] == 1
        assert vmq.callback(*heard.get(timeout=60))["payId"] == "N1"
        assert container.stop() == 0
        assert "checked" in container.once("backup", "/data/before.db")
        assert "is the database now" in container.once("restore", "/data/before.db")
        container.start()
        assert vmq.returned(vmq.check(str(order["orderId"])))["param"] == "user-1"
        assert app.push(1, "9.9", at)["code"] == 1
        assert [one["state"] for one in container.said("order", "list")] == ["paid"]
        assert len(container.said("payment", "list")) == 1
    finally:
        shops.close()


def test_it_has_no_rights_and_writes_nothing_but_its_data(container: Container) -> None:
    assert container.inside("id", "-u").stdout.strip() == "10001"
    status = dict(line.split(":\t", 1) for line in container.inside("cat", "/proc/1/status").stdout.splitlines())
    assert (int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, "1")
    for folder in ("/opt/checkout", "/etc", "/usr/bin", "/"):
        assert container.inside("touch", f"{folder}/something").returncode != 0, folder
    assert container.inside("stat", "-c", "%U:%a", "/data").stdout == "checkout:700\n"
    assert container.inside("checkout", "backup", "/data/now.db").returncode == 0


def test_its_health_check_tells_a_server_that_answers_from_one_that_does_not(container: Container) -> None:
    check = json.loads(well("image", "inspect", "--format", "{{json .Config.Healthcheck.Test}}", IMAGE))
    assert check[0] == "CMD"
    assert container.inside(*check[1:]).returncode == 0
    assert container.stop() == 0
    words = ("run", "--rm", "--network", "none", *AS_DOCUMENTED, *OPTIONS, "--entrypoint", check[1], IMAGE, *check[2:])
    assert engine(*words).returncode != 0

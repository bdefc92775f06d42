"""The acceptance journey against the one-file program: no Python, no rights, nothing writable but its data."""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Queue
from urllib.parse import urlsplit

import pytest

from checkout import qr
from release.binary import needed_glibc
from tests.binary.bare import Bare, bare, here
from tests.clients.phone import Phone
from tests.clients.vmq import VmqClient
from tests.clients.wire import to_server
from tests.journeys.server import Shops
from tests.loopback import answering, ok, serving
from tests.servers import free_port

CODE = "wxp://f2f0abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(params=["this machine", "a bare Debian"])
def system(program: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Bare:
    """The first needs the program only; the second root and debootstrap, so it may be skipped."""
    if request.param == "this machine":
        return bare(here(), tmp_path)
    debian: Path = request.getfixturevalue("debian")
    return bare(debian, tmp_path)


def test_an_order_is_paid_told_and_returned(system: Bare, tmp_path: Path) -> None:
    port, heard = free_port(), Queue[tuple[str, str, bytes]]()

    def notify(method: str, path: str, kind: str, body: bytes) -> bytes:
        heard.put((method, shops.address + path, body))
        return b"success"

    shops = Shops({"/n": notify})
    settings = {"CHECKOUT_BASE_URL": f"http://127.0.0.1:{port}", "CHECKOUT_ALLOW_PRIVATE": "1"}
    try:
        said(system, settings, "account", "add", "wx-main", "--method", "wechat", "--code", CODE)
        urls = ("--notify-url", f"{shops.address}/n", "--return-url", f"{shops.address}/thanks")
        shop = said(system, settings, "merchant", "add", "Shop", *urls, "--mode", "compat")
        phone = said(system, settings, "device", "add", "phone-1")
        with system.serving(port, settings, tmp_path / "log"):
            wire = to_server(f"http://127.0.0.1:{port}")
            vmq = VmqClient(wire, str(shop["key"]))
            order = vmq.create("N1", "9.90", param="user-1")
            picture = wire("GET", f"/pay/{order['orderId']}/qr.png", {}, b"")
            assert picture.body.startswith(b"\x89PNG")
            app = Phone(wire, f"127.0.0.1:{port}/{phone['key']}")
            assert app.heart(time.time_ns() // 1_000_000)["code"] == 1
            assert app.push(1, "9.9", time.time_ns() // 1_000_000)["code"] == 1
            assert vmq.callback(*heard.get(timeout=20))["payId"] == "N1"
            assert vmq.returned(vmq.check(str(order["orderId"])))["param"] == "user-1"
            page = wire("GET", f"/pay/{order['orderId']}", {"Accept": "text/html", "Accept-Language": "zh-CN"}, b"")
            assert page.status == 200
            assert "已付款" in page.body.decode()
    finally:
        shops.close()


def test_a_product_is_sold_and_the_buyer_sent_back_with_a_signature(system: Bare, tmp_path: Path) -> None:
    port = free_port()
    settings = {"CHECKOUT_BASE_URL": f"http://127.0.0.1:{port}"}
    said(system, settings, "account", "add", "wx-main", "--method", "wechat", "--code", CODE)
    said(system, settings, "merchant", "add", "Shop")
    said(
        system,
        settings,
        "product",
        "add",
        "ebook",
        "--title",
        "书",
        "--price",
        "9.90",
        "--return-url",
        "https://me.example/",
    )
    phone = said(system, settings, "device", "add", "phone-1")
    with system.serving(port, settings, tmp_path / "log"):
        wire = to_server(f"http://127.0.0.1:{port}")
        form = re.findall(r'name="form" value="([^"]+)"', wire("GET", "/buy/ebook", {}, b"").body.decode())
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        opened = wire("POST", "/buy/ebook", kind, f"form={form[0]}&method=wechat".encode())
        app = Phone(wire, f"127.0.0.1:{port}/{phone['key']}")
        assert app.push(1, "9.90", time.time_ns() // 1_000_000)["code"] == 1
        page = wire("GET", urlsplit(opened.headers["location"]).path, {"Accept": "text/html"}, b"")
    assert page.status == 200, (tmp_path / "log").read_text()
    assert "https://me.example/?co_order=" in page.body.decode()


def test_the_doctor_runs_and_a_picture_is_read(system: Bare) -> None:
    assert system.run("./checkout", "--version").stdout.startswith("checkout, version ")
    (system.data / "wx.png").write_bytes(qr.png(CODE))
    account = said(system, {}, "account", "add", "wx-main", "--method", "wechat", "--code", "wx.png")
    assert account["code"] == CODE
    checked = system.run("./checkout", "doctor", "--json")
    findings = {finding["check"]: finding["status"] for finding in json.loads(checked.stdout)}
    assert findings["htmx"] == findings["reading rules"] == "ok", checked.stdout


def test_an_alert_reaches_a_service(system: Bare) -> None:
    seen: list[bytes] = []
    with serving(answering(ok(b"{}"), seen=seen)) as service:
        told = system.run(
            "./checkout", "alert", "test", settings={"CHECKOUT_ALERTS": f"json://127.0.0.1:{service.port}/a"}
        )
    assert told.returncode == 0, told.stdout
    assert any(request.startswith(b"POST /a ") for request in seen)


def test_nothing_is_left_in_the_temporary_folder(system: Bare) -> None:
    assert system.run("./checkout", "--version").returncode == 0
    assert not list(system.data.glob("_MEI*"))


def said(system: Bare, settings: Mapping[str, str], *words: str) -> dict[str, object]:
    done = system.run("./checkout", *words, "--json", settings=dict(settings))
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_it_asks_for_no_newer_glibc_than_debian_12_or_its_builder_has(program: Path) -> None:
    needed, built_on = (int(version.split(".")[1]) for version in (needed_glibc(program), platform.libc_ver()[1]))
    assert needed <= max(36, built_on)


def test_it_carries_the_driver_of_postgresql(system: Bare) -> None:
    nobody_listens = {"CHECKOUT_DATABASE": f"postgresql://shop@127.0.0.1:{free_port()}/shop"}
    refused = system.run("./checkout", "merchant", "list", settings=nobody_listens)
    assert (refused.returncode, "cannot be reached" in refused.stderr) == (1, True), refused.stderr


def test_wrong_use_and_refusals_have_their_own_exit_codes(system: Bare) -> None:
    assert system.run("./checkout", "nothing").returncode == 2
    assert system.run("./checkout", "serve", settings={"CHECKOUT_BASE_URL": "nonsense"}).returncode == 1
    refused = system.run("./checkout", "install", "--yes", "--base-url", "nonsense")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr

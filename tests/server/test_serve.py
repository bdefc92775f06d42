"""The server as it is really started: processes, signals, ports, one database."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from checkout import store as stores
from checkout.server import process
from checkout.store import open_store
from tests import loopback
from tests.loopback import answering, ok
from tests.servers import CHECKOUT, ROOT, Server, ask, free_port, serving, until
from tests.world import DEVICE_KEY, MERCHANT_KEY, account, device, md5, merchant

SERVE = (*CHECKOUT, "serve", "--port", "{port}")
SCRIPT = (sys.executable, "-c", "from checkout.cli import main; main()", "serve", "--port", "{port}")
GUNICORN = (
    sys.executable,
    "-m",
    "gunicorn",
    "--no-control-socket",
    "-k",
    "gthread",
    "--threads",
    "4",
    "-b",
    "127.0.0.1:{port}",
)
WSGI = (*GUNICORN, "wsgi:app")
PRELOADED = (*GUNICORN, "-w", "2", "--preload", "wsgi:app")
WORKERS = (*GUNICORN, "-w", "3", "wsgi:app")


@dataclass(frozen=True)
class Shop:
    """A merchant with its phone; `heard` are the callbacks that it got."""

    folder: Path
    heard: list[bytes]

    @property
    def database(self) -> Path:
        return self.folder / "data" / "checkout.db"

    def pays(self, url: str, number: str = "N1") -> str:
        """Opens an order and pushes its money; gives its token."""
        values = {"payId": number, "type": "1", "price": "9.90", "sign": md5(number, "1", "9.90", MERCHANT_KEY)}
        data = json.loads(ask(f"{url}/createOrder", values).text)["data"]
        self.pushes(url, data["reallyPrice"])
        return str(data["orderId"])

    def pushes(self, url: str, amount: str) -> None:
        t = str(time.time_ns() // 1_000_000)
        push = {"t": t, "type": "1", "price": amount, "sign": md5("1", amount, t, DEVICE_KEY)}
        assert json.loads(ask(f"{url}/appPush?{urlencode(push)}").text)["code"] == 1

    def hears_of(self, number: str) -> None:
        deadline = time.monotonic() + 30
        while not any(f"payId={number}&".encode() in request for request in self.heard):
            assert time.monotonic() < deadline, f"the shop never heard of {number}"
            time.sleep(0.02)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "CHECKOUT_DATABASE": str(self.database), "PYTHONPATH": str(ROOT)}
        return subprocess.run([*CHECKOUT, *arguments], env=environ, cwd=self.folder, capture_output=True, text=True)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    heard: list[bytes] = []
    with loopback.serving(answering(ok(), seen=heard)) as receiver:
        made = Shop(tmp_path, heard)
        with closing(open_store(str(made.database))) as store, store.transaction() as db:
            stores.merchants.add(db, merchant(notify_url=f"http://127.0.0.1:{receiver.port}/notify"))
            stores.accounts.add(db, account())
            stores.devices.add(db, device(), ["wx-main"])
        yield made


@pytest.mark.parametrize(
    "command", [SERVE, SCRIPT, WSGI, PRELOADED, WORKERS], ids=["serve", "script", "wsgi", "preload", "3"]
)
def test_every_way_to_start_it_serves_the_same_program_with_the_worker_loop(
    shop: Shop, command: tuple[str, ...]
) -> None:
    with serving(shop.folder, *command) as (server, url):
        shop.pays(url)
        shop.hears_of("N1")
        assert server.stop() == 0, server.log


def test_a_second_server_is_refused_by_the_first_one_s_number(shop: Shop) -> None:
    with serving(shop.folder, *SERVE) as (first, url):
        for command in (SERVE, WSGI):
            port = free_port()
            words = tuple(word.format(port=port) for word in command)
            environ = {"CHECKOUT_DATABASE": str(shop.database)}
            second = Server(words, environ, shop.folder / "second.log", ROOT)
            assert second.ended() != 0
            assert f"Another server (process {first.process.pid}) uses this database" in second.log
        assert ask(f"{url}/healthz").status == 200


def test_the_command_line_works_beside_a_running_server(shop: Shop) -> None:
    with serving(shop.folder, *SERVE) as (_server, url):
        values = {"payId": "N2", "type": "1", "price": "5.00", "sign": md5("N2", "1", "5.00", MERCHANT_KEY)}
        token = json.loads(ask(f"{url}/createOrder", values).text)["data"]["orderId"]
        shown = json.loads(shop.run("order", "show", token, "--json").stdout)
        assert (shown["number"], shown["state"]) == ("N2", "pending")
        confirmed = shop.run("order", "confirm", token, "--amount", "5.00", "--reason", "seen", "--json")
        assert json.loads(confirmed.stdout)["state"] == "paid", confirmed.stderr
        shop.hears_of("N2")
        backup = shop.run("backup", str(shop.folder / "b.db"), "--json")
        assert json.loads(backup.stdout)["checked"] is True


def test_the_worker_alone_tells_the_shops_and_ends_on_a_signal(shop: Shop) -> None:
    with serving(shop.folder, *SERVE) as (server, url):
        os.kill(server.children()[0], 0)
        shop.pays(url)
        shop.hears_of("N1")
    (owed,) = json.loads(shop.run("delivery", "list", "--json").stdout)
    assert owed["state"] == "delivered"
    shop.heard.clear()
    shop.run("delivery", "resend", owed["id"])
    environ = {"CHECKOUT_DATABASE": str(shop.database), "CHECKOUT_ALLOW_PRIVATE": "1"}
    worker = Server((*CHECKOUT, "worker"), environ, shop.folder / "worker.log", shop.folder)
    shop.hears_of("N1")
    assert worker.stop() == 0
    assert "The worker runs" in worker.log


def test_a_server_that_was_killed_can_be_started_again_at_once(shop: Shop) -> None:
    port = free_port()
    with serving(shop.folder, *SERVE, port=port) as (first, url):
        token = shop.pays(url)
        first.process.kill()  # the master only; its workers must go by themselves
        first.process.wait()
        with serving(shop.folder, *SERVE, port=port) as (_second, _url):
            shown = json.loads(shop.run("order", "show", token, "--json").stdout)
            assert shown["state"] == "paid"
            shop.hears_of("N1")


def test_a_worker_that_died_is_replaced_by_the_same_server(shop: Shop) -> None:
    with serving(shop.folder, *SERVE) as (server, url):
        for number in ("N1", "N2"):
            (worker,) = server.children()
            os.kill(worker, signal.SIGKILL)
            server.wait_until_ready(f"{url}/healthz")
            assert worker not in server.children()
            shop.pays(url, number)
            shop.hears_of(number)
        refused = shop.run("serve", "--port", str(free_port()))
        assert f"Another server (process {server.process.pid}) uses this database" in refused.stderr
        assert server.stop() == 0


def test_a_worker_that_cannot_be_replaced_is_tried_again_until_it_can(shop: Shop) -> None:
    data, aside = shop.database.parent, shop.folder / "aside"
    with serving(shop.folder, *SERVE) as (server, url):
        shop.pays(url)
        (worker,) = server.children()
        os.kill(worker, signal.SIGSTOP)  # it must not see what follows
        data.rename(aside)
        data.write_text("a file is no folder")
        os.kill(worker, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while server.log.count("None can take its place") < 2:
            assert time.monotonic() < deadline, server.log
            time.sleep(0.02)
        assert f"A worker (process {worker}) was ended by SIGKILL. None can take its place" in server.log
        assert "Starting gunicorn" not in server.log
        data.unlink()
        aside.rename(data)
        server.wait_until_ready(f"{url}/healthz")
        shop.hears_of("N1")
        assert server.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_system_is_told_when_the_workers_answer(shop: Shop, workers: str) -> None:
    address = f"checkout-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{address}")
        manager.settimeout(60)
        environ = {"NOTIFY_SOCKET": f"@{address}", "CHECKOUT_WORKERS": workers}
        with serving(shop.folder, *SERVE, environ=environ) as (server, _url):
            assert manager.recv(100) == b"READY=1"
            assert len(server.children()) == int(workers)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_start_that_is_refused_leaves_nobody_behind(shop: Shop, workers: str) -> None:
    port = free_port()
    with serving(shop.folder, *SERVE) as (first, _url):
        environ = {"CHECKOUT_DATABASE": str(shop.database), "CHECKOUT_WORKERS": workers}
        words = (*CHECKOUT, "serve", "--port", str(port))
        second = Server(words, environ, shop.folder / "second.log", shop.folder)
        assert second.process.wait(60) == 1
        assert second.children() == []
        assert second.log.splitlines() == [
            f"checkout: Another server (process {first.process.pid}) uses this database; stop it first."
        ]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))


DYING = """
import os, sys
from checkout.cli import main
os.register_at_fork(after_in_child=lambda: os._exit(9))
main(sys.argv[1:])
"""


def test_a_worker_that_dies_without_a_word_ends_the_start(shop: Shop) -> None:
    """The system's manager would wait in vain for a word that the server is ready."""
    words = (sys.executable, "-c", DYING, "serve", "--port", str(free_port()))
    server = Server(words, {"CHECKOUT_DATABASE": str(shop.database)}, shop.folder / "dying.log", shop.folder)
    assert server.process.wait(60) == 1
    assert "could not say why" in server.log


@pytest.mark.parametrize("command", [SERVE, PRELOADED], ids=["serve", "preload"])
def test_the_master_runs_nothing_beside_itself(shop: Shop, command: tuple[str, ...]) -> None:
    """A fork in a process with threads copies the locks that they hold."""
    with serving(shop.folder, *command) as (server, _url):
        assert len(os.listdir(f"/proc/{server.process.pid}/task")) == 1


def test_each_worker_has_a_cpu_of_its_own(shop: Shop) -> None:
    cpus = len(os.sched_getaffinity(0))
    if cpus < 2:
        pytest.skip("one CPU only")
    with serving(shop.folder, *SERVE, environ={"CHECKOUT_WORKERS": "2"}) as (server, url):
        assert ask(f"{url}/healthz").status == 200
        deadline = time.monotonic() + 30
        pinned: list[set[int]] = []
        while len(pinned) < 2 and time.monotonic() < deadline:
            pinned = [where for child in server.children() if len(where := os.sched_getaffinity(child)) == 1]
        assert len(set.union(*pinned)) == 2


def test_a_request_under_way_is_answered_before_the_server_ends(shop: Shop) -> None:
    with serving(shop.folder, *SERVE) as (server, url):
        body = urlencode({"payId": "N1", "type": "1", "price": "9.90", "sign": "0" * 32}).encode()
        kind = "application/x-www-form-urlencoded"
        head = f"POST /createOrder HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}"
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as sock:
            sock.sendall(head.encode() + b"\r\n\r\n" + body[:10])
            time.sleep(0.2)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            sock.sendall(body[10:])
            assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        assert server.ended() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_ends_refuses_newcomers_and_waits_for_no_client_that_stays(shop: Shop, workers: str) -> None:
    body = json.dumps({"payId": "N1", "type": "1", "price": "9.90", "sign": md5(f"N119.90{MERCHANT_KEY}")}).encode()
    head = f"POST /createOrder HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with serving(shop.folder, *SERVE, environ={"CHECKOUT_WORKERS": workers}) as (server, url):
        address = "127.0.0.1", int(url.rpartition(":")[2])
        with socket.create_connection(address, timeout=10) as sock:
            with closing(sqlite3.connect(shop.database, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                sock.sendall(head.encode() + b"\r\n\r\n" + body)
                time.sleep(0.3)
                server.process.send_signal(signal.SIGTERM)
                until(lambda: is_refused(address))
                other.execute("ROLLBACK")
            answer = b"".join(iter(lambda: sock.recv(4096), b""))
        assert b'"code":1' in answer
        assert server.ended() == 0


def is_refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=10).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it waited to be accepted when the server closed its socket
        return False
    return False


def test_a_port_that_is_taken_is_named_in_one_sentence(shop: Shop) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = shop.run("serve", "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "--port" in refused.stderr


def test_a_damaged_database_stops_the_start_and_names_the_way_back(shop: Shop) -> None:
    content = bytearray(shop.database.read_bytes())
    content[4096 * 3 : 4096 * 20] = b"\xff" * (4096 * 17)
    shop.database.write_bytes(content)
    refused = shop.run("serve", "--port", str(free_port()))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "checkout restore FILE" in refused.stderr
    assert "checkout backup" in refused.stderr


def test_neither_keys_nor_signatures_nor_amounts_reach_the_log(shop: Shop) -> None:
    with serving(shop.folder, *SERVE) as (server, url):
        shop.pays(url)
        shop.hears_of("N1")
        port = int(url.rpartition(":")[2])
        for request in (
            f"GET /appPush?price=9.90&sign={DEVICE_KEY} x HTTP/1.1\r\n\r\n",
            f"GET /createOrder?sign={MERCHANT_KEY}\r\n\r\n",
            f"GE\x01T /createOrder?sign={MERCHANT_KEY} HTTP/1.1\r\nHost: x\r\n\r\n",
            f"GET /x?sign={MERCHANT_KEY} HTTP/1.1\r\nHost: x\r\nApp-Secret {MERCHANT_KEY}\r\n\r\n",
            f"GET /{MERCHANT_KEY}?{'a' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
                sock.sendall(request.encode("latin-1"))
                sock.recv(4096)
        server.stop()
    assert "WARNING Invalid request" in server.log, "nothing was logged, so nothing was tested"
    for secret in (MERCHANT_KEY, DEVICE_KEY, "9.90", "payId", "sign="):
        assert secret not in server.log


def test_programs_that_start_at_once_on_a_new_database_migrate_it_once(tmp_path: Path) -> None:
    environ = {"CHECKOUT_DATABASE": str(tmp_path / "new" / "checkout.db")}
    started = [
        Server((*CHECKOUT, "migrate", "--json"), environ, tmp_path / f"{number}.log", tmp_path) for number in range(4)
    ]
    assert [one.ended() for one in started] == [0] * 4, "".join(one.log for one in started)
    with closing(open_store(environ["CHECKOUT_DATABASE"])) as store, store.read() as db:
        names = [row[0] for row in db.all("SELECT name FROM _sqlite_migrations ORDER BY id")]
    assert names == sorted(set(names))


def test_an_answer_in_pieces_does_not_wait_for_the_client() -> None:
    listening = process.listener("127.0.0.1", 0)
    client = socket.create_connection(listening.getsockname())
    accepted, _ = listening.accept()
    with listening, client, accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

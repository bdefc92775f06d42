"""A server that runs, told to read its settings again or to write into another file: nobody outside notices."""

from __future__ import annotations

import fcntl
import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from checkout.store import turnstile
from tests import proxies
from tests.servers import CHECKOUT, Server, ask, serving, until
from tests.soak import crash
from tests.world import MERCHANT_KEY, md5

SERVE = (*CHECKOUT, "serve", "--port", "{port}")
CLIENTS = 4


@dataclass
class Load:
    """What clients saw who asked all the time: half of them over connections that they keep."""

    answers: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def ask(self, url: str, request: tuple[str, str, str | None], *, keep: bool) -> None:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
        while not self.stop.is_set():
            try:
                connection.request(*request, {"Content-Type": "application/x-www-form-urlencoded"})
                answer = connection.getresponse()
                answer.read()
                self.answers[answer.status] += 1
            except (OSError, HTTPException) as error:
                self.failures.append(repr(error))
            if not keep:
                connection.close()
        connection.close()


@contextmanager
def load(url: str, request: tuple[str, str, str | None] = ("GET", "/healthz", None)) -> Iterator[Load]:
    found = Load()
    threads = [
        threading.Thread(target=found.ask, args=(url, request), kwargs={"keep": one % 2 == 0}) for one in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        found.stop.set()
        for thread in threads:
            thread.join()


def name_of_shop(url: str) -> str:
    return ask(f"{url}/").text


def write(folder: Path, text: str) -> dict[str, str]:
    (folder / "checkout.toml").write_text(text)
    return {"CHECKOUT_CONFIG": str(folder / "checkout.toml")}


def workers_are_new(server: Server, old: list[int]) -> bool:
    children = server.children()
    return bool(children) and not set(children) & set(old)


def test_new_settings_take_over_without_a_request_being_cut_or_refused(tmp_path: Path) -> None:
    environ = write(tmp_path, 'shop_name = "First name"\n')
    with serving(tmp_path, *SERVE, environ=environ) as (server, url):
        assert "First name" in name_of_shop(url)
        with load(url) as found:
            for name, workers in (("Second name", 2), ("Third name", 1)):
                old = server.children()
                write(tmp_path, f'shop_name = "{name}"\nworkers = {workers}\n')
                before = found.answers.total()
                server.process.send_signal(signal.SIGHUP)
                until(lambda old=old: workers_are_new(server, old))  # type: ignore[misc]
                until(lambda before=before: found.answers.total() > before + 50)  # type: ignore[misc]
                assert name in name_of_shop(url)
                assert len(server.children()) == workers
        assert found.failures == []
        assert set(found.answers) == {200}
        until(lambda: server.log.count("new workers have taken over") == 2)  # said when the old ones were asked to end
        assert server.stop() == 0


@pytest.mark.parametrize("kind", proxies.KINDS)
def test_behind_a_proxy_that_keeps_its_connections_no_post_is_lost_to_workers_that_leave(
    tmp_path: Path, kind: str
) -> None:
    """A proxy asks again by itself what it may repeat, and answers 502 to a POST whose connection was closed."""
    proxies.required(kind)
    environ = write(tmp_path, "workers = 2\n")
    order = urlencode({"payId": "N1", "type": "1", "price": "1.00", "sign": "0" * 32})
    with (
        serving(tmp_path, *SERVE, environ=environ) as (server, backend),
        proxies.before(kind, tmp_path, backend) as port,
    ):
        crash.set_up(tmp_path / "data" / "checkout.db", "http://127.0.0.1:1/notify")
        with load(f"http://127.0.0.1:{port}", ("POST", "/createOrder", order)) as found:
            for turn in range(3):
                server.process.send_signal(signal.SIGHUP)
                until(lambda turn=turn: server.log.count("new workers have taken over") > turn)  # type: ignore[misc]
                before = found.answers.total()
                until(lambda before=before: found.answers.total() > before + 50)  # type: ignore[misc]
        assert found.failures == []
        assert set(found.answers) == {200}


def test_settings_that_cannot_be_used_change_nothing_and_are_named(tmp_path: Path) -> None:
    environ = write(tmp_path, 'shop_name = "First name"\n')
    with serving(tmp_path, *SERVE, environ=environ) as (server, url):
        children = server.children()
        bad = ("order_ttl = 0\n", "no toml", "[channels.x]\nkind = 'nothing'\n", "log_file = '/nowhere/x/y.log'\n")
        for number, text in enumerate(bad):
            write(tmp_path, text)
            server.process.send_signal(signal.SIGHUP)
            until(lambda number=number: server.log.count("were not taken over") > number)  # type: ignore[misc]
        for word in ("order_ttl", "checkout.toml", "[channels.x]", "log_file"):
            assert word in server.log
        assert server.children() == children
        assert "First name" in name_of_shop(url)
        assert server.stop() == 0


def test_an_order_under_way_is_answered_by_the_worker_that_leaves(tmp_path: Path) -> None:
    with serving(tmp_path, *SERVE) as (server, url):
        old = server.children()
        crash.set_up(tmp_path / "data" / "checkout.db", "http://127.0.0.1:1/notify")
        connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
        body = urlencode({"payId": "N1", "type": "1", "price": "1.00", "sign": "0" * 32})
        connection.putrequest("POST", "/createOrder")
        connection.putheader("Content-Type", "application/x-www-form-urlencoded")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:10].encode())
        until(lambda: ask(f"{url}/healthz").status == 200)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "new workers have taken over" in server.log)
        connection.send(body[10:].encode())
        assert connection.getresponse().status == 200
        until(lambda: workers_are_new(server, old))


def test_workers_of_every_later_application_take_turns_with_the_others(tmp_path: Path) -> None:
    """The kernel's lock is held by another process here, as by a worker that writes."""
    with serving(tmp_path, *SERVE) as (server, url):
        crash.set_up(tmp_path / "data" / "checkout.db", "http://127.0.0.1:1/notify")
        for _ in range(2):
            old = server.children()
            server.process.send_signal(signal.SIGHUP)
            until(lambda old=old: workers_are_new(server, old))  # type: ignore[misc]
        with (tmp_path / "data" / "checkout.db.lock").open("r+") as file, ThreadPoolExecutor(1) as pool:
            fcntl.lockf(file, fcntl.LOCK_EX, 1, turnstile.WRITING)
            values = {"payId": "N1", "type": "1", "price": "9.90", "sign": md5("N1", "1", "9.90", MERCHANT_KEY)}
            asked = pool.submit(ask, f"{url}/createOrder", values)
            with pytest.raises(TimeoutError):
                asked.result(0.5)
            fcntl.lockf(file, fcntl.LOCK_UN, 1, turnstile.WRITING)
            assert '"code":1' in asked.result(60).text
        assert server.stop() == 0


def test_the_worker_alone_reads_its_settings_again(tmp_path: Path) -> None:
    environ = write(tmp_path, "") | {"CHECKOUT_DATABASE": str(tmp_path / "checkout.db")}
    worker = Server((*CHECKOUT, "worker"), environ, tmp_path / "worker.log", tmp_path)
    until(lambda: "The worker runs" in worker.log)
    for text, said in (("order_ttl = 0\n", "order_ttl"), ("order_ttl = 60\n", "The settings were read again")):
        write(tmp_path, text)
        worker.process.send_signal(signal.SIGHUP)
        until(lambda said=said: said in worker.log)  # type: ignore[misc]
    assert worker.stop() == 0


def test_no_line_is_lost_when_the_log_is_moved_away_under_load(tmp_path: Path) -> None:
    path = tmp_path / "log" / "checkout.log"
    path.parent.mkdir()
    environ = {"CHECKOUT_LOG_FORMAT": "json", "CHECKOUT_LOG_LEVEL": "info", "CHECKOUT_LOG_FILE": str(path),
               "CHECKOUT_WORKERS": "2"}  # fmt: skip
    with serving(tmp_path, *SERVE, environ=environ) as (server, url):
        with load(url) as found:
            for number in range(5):
                before = found.answers.total()
                until(lambda before=before: found.answers.total() > before + 50)  # type: ignore[misc]
                path.rename(path.with_name(f"{number}.log"))
            until(path.exists)  # the last lines may all have gone to the one before
        assert found.failures == []
        assert server.stop() == 0
    files = list(path.parent.iterdir())
    assert len(files) == 6
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    asked = [line for line in lines if line["event"] == "request" and line["route"] == "/healthz"]
    # The first questions, until it answered, were not of the load.
    assert 1 <= len(asked) - found.answers.total() <= 5
    assert len({line["request"] for line in asked}) == len(asked)

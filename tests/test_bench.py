"""The measuring itself: drivers that count honestly, buyers who behave as their pages do, figures held to targets."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from bench.__main__ import options_of
from bench.buyers import Buyer, Crowd
from bench.driver import ask, closed_loop, get, open_loop, percentile
from bench.figures import Figure, at_least, at_most, line, median_ratio
from bench.fill import copy_of
from checkout import ids
from checkout.pages import stages
from checkout.store import open_store
from checkout.store.invariants import PROMISES
from tests.browser.site import served
from tests.servers import ROOT

_STALL_S = 0.05


class _Stalling(BaseRequestHandler):
    """Answers one request of a connection after the other, each after a while."""

    def handle(self) -> None:
        while self.request.recv(65536):
            time.sleep(_STALL_S)
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class _Chunking(BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok,\r\n")
        time.sleep(0.02)
        self.request.sendall(b"f\r\n 0\r\n\r\nthen more\r\n0\r\n\r\n")


@pytest.fixture
def stalling() -> Iterator[tuple[str, int]]:
    ThreadingTCPServer.allow_reuse_address = True
    with ThreadingTCPServer(("127.0.0.1", 0), _Stalling) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield ("127.0.0.1", server.server_address[1])
        server.shutdown()
        thread.join()


def test_a_closed_loop_ends_when_the_requests_are_used_up(stalling: tuple[str, int]) -> None:
    outcome = closed_loop(stalling, iter([get("/")] * 5), connections=2, seconds=60, keep_bodies=True)
    assert outcome.statuses == {200: 5}
    assert outcome.bodies == [b"ok"] * 5
    assert min(outcome.latencies) >= _STALL_S


def test_an_open_loop_charges_the_server_for_all_who_had_to_wait(stalling: tuple[str, int]) -> None:
    outcome = open_loop(stalling, itertools.repeat(get("/")), rate=1000, connections=1, seconds=0.005)
    assert outcome.statuses == {200: 5}
    # The fifth should have left after 4 ms and came through after five stalls: a closed loop would tell of one.
    assert max(outcome.latencies) >= 5 * _STALL_S - 0.005


def test_an_open_loop_ends_when_the_requests_are_used_up(stalling: tuple[str, int]) -> None:
    outcome = open_loop(stalling, iter([get("/")] * 3), rate=1000, connections=2, seconds=60)
    assert outcome.statuses == {200: 3}


def test_one_request_is_timed_without_its_connection(stalling: tuple[str, int]) -> None:
    answer, elapsed = ask(stalling, get("/"))
    assert (answer.status, answer.body) == (200, b"ok")
    assert elapsed >= _STALL_S


def test_an_answer_in_chunks_is_one_body() -> None:
    with ThreadingTCPServer(("127.0.0.1", 0), _Chunking) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        answer, _ = ask(("127.0.0.1", server.server_address[1]), get("/"))
        thread.join()
    assert answer.body == b"ok, 0\r\n\r\nthen more"


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3.0, 1.0, 2.0, 4.0], 0.5) == 3.0
    assert percentile([1.0], 0.99) == 1.0


def test_a_target_is_compared_with_the_ratio_where_there_is_one() -> None:
    assert Figure("routes", "poll", 5000, "/s", 1.3, "hello", at_least(1.25)).is_met is True
    assert Figure("routes", "poll", 5000, "/s", 1.2, "hello", at_least(1.25)).is_met is False
    assert Figure("memory", "RSS", 75, "MB", target=at_most(75)).is_met is True
    assert Figure("memory", "RSS", 76, "MB", target=at_most(75)).is_met is False
    assert Figure("memory", "fresh", 76, "MB").is_met is None


def test_a_line_says_what_was_found_and_whether_that_is_enough() -> None:
    words = line(Figure("routes", "poll", 5123.4, "/s", 1.2, "hello", at_least(1.25)))
    assert words.split() == ["routes:", "poll", "5,123", "/s", "1.20", "×", "hello", "≥", "1.25", "NOT", "REACHED"]
    assert line(Figure("start", "hello", 0.2, "s")).split() == ["start:", "hello", "0.20", "s"]


def test_a_ratio_is_the_median_of_neighbours_ratios() -> None:
    assert median_ratio([2.0, 30.0, 2.0], [1.0, 10.0, 1.0]) == 2.0  # while both were slow the ratio was another


def test_buyers_load_their_page_poll_it_and_go_when_it_is_paid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "_BRISK", ((90, 1),))
    with served(tmp_path) as site:
        first, second, third = (site.order(f"N{number}", 990 + 100 * number) for number in range(3))
        ended: list[str] = []

        def another(buyer: Buyer) -> str:
            ended.append(buyer.token)
            return third.token

        crowd = Crowd(("127.0.0.1", site.port), replace=another)
        crowd.open([first.token, second.token], over_s=0.05)
        opened = _until(crowd, "file 200", 6)  # style, script and QR code of each
        site.settle(first)
        polled = _until(crowd, "file 200", 3) + _until(crowd, "poll 204", 1)
        crowd.close()
    assert opened["page 200"] == 2
    assert polled["poll 200"] == 1
    assert ended == [first.token]
    assert polled["page 200"] == 1  # the newcomer's
    assert {name.partition(" ")[2] for name in opened + polled} == {"200", "204"}


def _until(crowd: Crowd, name: str, count: int) -> Counter[str]:
    found = Counter[str]()
    for _ in range(300):
        found += crowd.run(0.1).statuses
        if found[name] >= count:
            return found
    raise AssertionError(found)


def test_buyers_count_what_nobody_should_get(tmp_path: Path) -> None:
    with served(tmp_path) as site:
        crowd = Crowd(("127.0.0.1", site.port))
        crowd.open(["0" * 32], over_s=0)
        found = _until(crowd, "page 404", 1)
        faults = crowd.tally.faults
        crowd.close()
    assert found == {"page 404": 1}
    assert faults == 1


def test_a_database_that_was_made_keeps_the_promises(tmp_path: Path) -> None:
    path = copy_of(60, tmp_path, tmp_path / "copy.db")
    store = open_store(str(path))
    with store.read() as db:
        assert [row[0] for row in db.all("SELECT count(*) FROM orders")] == [60]
        broken = {promise.name for promise in PROMISES if db.all(promise.broken, now=ids.now())}
    store.close()
    assert broken <= {"one amount"}  # the few that wait have none, so that they are in nobody's way


def test_the_table_and_the_file_hold_the_same_figures(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench", "routes", "--rounds", "1", "--seconds", "0.1", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(file.read_text(encoding="utf-8"))
    names = [figure["name"] for figure in document["figures"]]
    assert names[:3] == ["hello", "hello, CPU", "hello, p99"]
    assert all(name in done.stdout for name in names)
    assert {"cpu", "cpus", "python", "sqlite", "commit"} <= set(document["machine"])


def test_without_names_the_short_form_is_measured_and_unknown_names_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert options_of([]).scenario == []
    assert options_of(["push", "routes"]).scenario == ["push", "routes"]
    with pytest.raises(SystemExit):
        options_of(["pull"])
    assert "there is no scenario 'pull'" in capsys.readouterr().err

"""Every server here would be done after three seconds or more, which the deadline must not wait for."""

from __future__ import annotations

import itertools
import socket
import time

import pytest

from checkout.http.client import Answer, Client, Outgoing, Reason, Unreachable
from checkout.http.steps import READ, WRITE, alone
from tests.loopback import Behaviour, answering, dripping, ok, read_request, serving, silent, sipping

HTTP = b"HTTP/1.1 "
SOON = 0.15  # seconds


def send(port: int, *, deadline_s: float, body: bytes = b"") -> Answer:
    request = Outgoing("POST", f"http://127.0.0.1:{port}/", body=body)
    return Client(allow_private=True).send(request, deadline_s=deadline_s)


def why(behave: Behaviour) -> Reason:
    """The reason why there is no answer in time of a server that behaves so."""
    with serving(behave) as server, pytest.raises(Unreachable) as outcome:
        send(server.port, deadline_s=SOON)
    return outcome.value.reason


def test_a_server_that_never_answers_costs_no_more_than_the_deadline() -> None:
    assert why(silent) == Reason.TIMEOUT


def test_a_server_that_drips_its_head_costs_no_more_than_the_deadline() -> None:
    drops = itertools.chain([b"X-A: y\r\n"] * 80, [b"x: y\r\n", b"\r\n"], [b"z"] * 70)
    assert why(dripping(HTTP + b"200 OK\r\n", drops)) == Reason.TIMEOUT


def test_a_server_that_drips_one_header_costs_no_more_than_the_deadline() -> None:
    drops = [*[b"y"] * 150, b"\r\n\r\n"]
    assert why(dripping(HTTP + b"200 OK\r\nX: ", drops)) == Reason.TIMEOUT


@pytest.mark.parametrize("framing", [b"", b"Content-Length: 150\r\n"])
def test_a_server_that_drips_its_body_costs_no_more_than_the_deadline(framing: bytes) -> None:
    head = HTTP + b"200 OK\r\n" + framing + b"\r\n"
    assert why(dripping(head, [b"x"] * 150)) == Reason.TIMEOUT


def test_a_server_that_drips_chunks_costs_no_more_than_the_deadline() -> None:
    head = HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    drops = [*[b"1\r\nx\r\n"] * 150, b"0\r\n\r\n"]
    assert why(dripping(head, drops)) == Reason.TIMEOUT


def test_a_server_that_drips_interim_answers_costs_no_more_than_the_deadline() -> None:
    drops = [*[HTTP + b"103 Early Hints\r\n\r\n"] * 150, ok()]
    assert why(dripping(b"", drops)) == Reason.TIMEOUT


def test_a_server_that_sips_the_request_costs_no_more_than_the_deadline() -> None:
    sips = itertools.count()
    with serving(sipping(sips)) as server:
        with pytest.raises(Unreachable) as outcome:
            send(server.port, deadline_s=SOON, body=b"x" * 20_000_000)
        assert next(sips) < 50  # of more than a hundred that it takes to bring the request into the buffers
    assert outcome.value.reason == Reason.TIMEOUT


def test_the_client_has_a_deadline_of_its_own() -> None:
    with serving(silent) as server, pytest.raises(Unreachable) as outcome:
        Client(allow_private=True, deadline_s=0.05).send(Outgoing("GET", f"http://127.0.0.1:{server.port}/"))
    assert outcome.value.reason == Reason.TIMEOUT


def test_a_deadline_that_has_passed_sends_nothing() -> None:
    with serving(answering(ok())) as server:
        for deadline_s in (0, -1):
            with pytest.raises(Unreachable) as outcome:
                Client(allow_private=True).send(
                    Outgoing("GET", f"http://127.0.0.1:{server.port}/"), deadline_s=deadline_s
                )
            assert outcome.value.reason == Reason.TIMEOUT
        assert server.connections == 0


def test_an_answer_that_came_in_time_is_read_however_late_somebody_looks() -> None:
    with serving(dripping(b"", [ok()], pause_s=SOON / 3)) as server:
        request = Outgoing("POST", f"http://127.0.0.1:{server.port}/")
        steps = Client(allow_private=True).exchange(request, deadline_s=SOON)
        wait = next(steps)
        while wait.event != READ:
            wait = next(steps)
        time.sleep(2 * SOON)
        assert alone(steps).body == b"success"


def test_nothing_is_sent_after_the_deadline() -> None:
    seen: list[bytes] = []

    def behave(sock: socket.socket) -> None:
        time.sleep(SOON)
        seen.append(read_request(sock))

    with serving(behave) as server:
        request = Outgoing("POST", f"http://127.0.0.1:{server.port}/", body=b"x" * 20_000_000)
        steps = Client(allow_private=True).exchange(request, deadline_s=SOON)
        assert next(steps).event == WRITE
        time.sleep(2 * SOON)
        with pytest.raises(Unreachable):
            alone(steps)
    assert seen == []

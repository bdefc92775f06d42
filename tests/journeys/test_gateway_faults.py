"""Gateways that hang, drip, hang up, fail or send elsewhere: buyers, phones and the worker are answered all the same,
no order is paid by it, and nothing is asked at a private address."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from checkout import prompts, store
from checkout.channel import GatewayError
from checkout.channels import make_channels
from checkout.http.client import Answer, Client, Outgoing
from checkout.model.orders import Order, State
from tests.loopback import Behaviour, Loopback, answering, dripping, ok, read_request, serving, silent
from tests.officials import Official, official
from tests.world import account

SECTIONS: dict[str, tuple[str, ...]] = {  # but for alipay_legacy, which nobody can ask
    "alipay": ("gateway",), "wechat": ("gateway",), "wechat_v3": ("gateway",),
    "wechat_2014": ("gateway", "query_gateway", "api"),
}  # fmt: skip
SHOWN = ("alipay", "wechat", "wechat_v3")  # those that are asked for a code by our own page
SOON = 0.4  # seconds for one call, in place of 4


def drips(head: bytes) -> Behaviour:
    return dripping(head, itertools.repeat(b"x"))


def half_closing(sock: socket.socket) -> None:
    """Says that no more will come, in the middle of an answer, and keeps listening."""
    read_request(sock)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
    sock.shutdown(socket.SHUT_WR)
    silent(sock)


FAULTS: dict[str, Behaviour] = {
    "hangs": silent,
    "drips its head": drips(b"HTTP/1.1 200 OK\r\nX: "),
    "drips its body": drips(b"HTTP/1.1 200 OK\r\n\r\n"),
    "half closes": half_closing,
    "hangs up": lambda sock: None,
    "fails": answering(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad"),
    "says nothing": answering(ok(b"")),
    "says too much": answering(ok(b"x" * 300_000)),
}


def lame(folder: Path, database: str, channel: str, port: int) -> Any:
    """A shop whose gateway of this channel is the server at `port`."""
    section = dict.fromkeys(SECTIONS[channel], f"http://127.0.0.1:{port}/gateway.do")
    if channel.startswith("wechat"):
        section = dict.fromkeys(SECTIONS[channel], f"http://127.0.0.1:{port}")
    return official(folder, channel, database=database, **{channel: section})


def was_asked(gateway: Loopback) -> None:
    """It may take a busy machine longer to notice a caller than the caller waited."""
    deadline = time.monotonic() + 30
    while not gateway.connections:
        assert time.monotonic() < deadline, "the gateway was never asked"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits does so for a moment only: a fault would make the tests wait for ever, not a little longer."""
    monkeypatch.setattr(prompts, "ONE_S", SOON)
    send = Client.send

    def sooner(self: Client, request: Outgoing, *, deadline_s: float | None = None) -> Answer:
        return send(self, request, deadline_s=min(deadline_s or SOON, SOON))

    monkeypatch.setattr(Client, "send", sooner)


@pytest.mark.parametrize(
    ("channel", "fault"),
    [*(("alipay", fault) for fault in FAULTS), ("wechat", "hangs"), ("wechat", "drips its body"), ("wechat", "fails"),
     ("wechat_v3", "drips its head"), ("wechat_v3", "fails"), ("wechat_v3", "says too much")],
)  # fmt: skip
def test_the_page_is_answered_and_the_order_still_waits(
    tmp_path: Path, database: str, channel: str, fault: str
) -> None:
    with serving(FAULTS[fault]) as gateway, lame(tmp_path, database, channel, gateway.port) as made:
        order = made.order(channel)
        page = made.world.client.get(f"/pay/{order.token}")
        assert page.status_code < 600
        assert "qr.png" not in page.text
        was_asked(gateway)
        made.question()
        assert made.state(order) is State.PENDING


@pytest.mark.parametrize("fault", ["hangs", "drips its body", "half closes"])
@pytest.mark.parametrize("channel", SECTIONS)
def test_a_question_ends_and_is_asked_again_later(tmp_path: Path, database: str, channel: str, fault: str) -> None:
    with serving(FAULTS[fault]) as gateway, lame(tmp_path, database, channel, gateway.port) as made:
        order = watched(made, channel)
        made.question()
        was_asked(gateway)
        assert made.state(order) is State.PENDING
        with made.world.store.read() as db:
            (due_at,) = (row[0] for row in db.all("SELECT due_at FROM gateway_watch"))
        assert due_at > made.world.clock()


def watched(made: Official, channel: str) -> Order:
    """An order that its gateway knows, and may have been paid there."""
    order = made.order(channel)
    with made.world.store.transaction() as db:
        store.gateways.begin(db, order.token, channel, "qr", made.world.clock())
        store.gateways.watch(db, order.token, channel, made.world.clock())
    return order


def test_phones_and_shops_and_other_buyers_do_not_wait_for_a_gateway_that_hangs(tmp_path: Path, database: str) -> None:
    """The gateway answers nobody before everybody else has been answered."""
    with serving(silent) as gateway, lame(tmp_path, database, "alipay", gateway.port) as made:
        orders = [made.order("alipay", f"N{number}") for number in range(prompts.AT_ONCE + 2)]
        with made.world.store.transaction() as db:
            store.accounts.add(db, account(id="second", code="wxp://f2f0second"))
            db.run("INSERT INTO device_accounts (device, account) VALUES ('phone', 'second')")
        pages = [
            threading.Thread(target=made.world.app.test_client().get, args=(f"/pay/{one.token}",)) for one in orders
        ]
        for page in pages:
            page.start()
        created = made.world.create("V1", "7.00")
        assert made.world.push(str(created["data"]["reallyPrice"]))["code"] == 1
        assert made.world.work() == 1
        assert made.world.client.get("/healthz").status_code == 200
        for page in pages:
            page.join()
        assert made.state(made.world.order(created["data"]["orderId"])) is State.PAID


@pytest.mark.parametrize(
    ("channel", "status"), [("alipay", 301), ("alipay", 307), ("wechat", 302), ("wechat", 308), ("wechat_v3", 307)]
)
def test_a_gateway_that_sends_elsewhere_is_not_followed(
    tmp_path: Path, database: str, channel: str, status: int
) -> None:
    with serving(answering(ok())) as elsewhere:
        to = f"HTTP/1.1 {status} Go\r\nLocation: http://127.0.0.1:{elsewhere.port}/\r\nContent-Length: 0\r\n\r\n"
        with serving(answering(to.encode())) as gateway, lame(tmp_path, database, channel, gateway.port) as made:
            order = made.order(channel)
            assert "qr.png" not in made.world.client.get(f"/pay/{order.token}").text
            was_asked(gateway)
            assert elsewhere.connections == 0


@pytest.mark.parametrize("private", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.100.100.200", "::1"])
def test_a_gateway_whose_name_moves_to_a_private_address_is_not_asked(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, private: str
) -> None:
    """Judged at every call: at the first one the name leads nowhere, at the next one it leads into this machine."""
    answers: list[Any] = [OSError("no such name"), [(0, 0, 0, "", (private, 0))], [(0, 0, 0, "", (private, 0))]]
    asked: list[str] = []
    truly = socket.getaddrinfo

    def resolve(host: str, *more: Any, **options: Any) -> Any:
        if host != "gateway.example":
            return truly(host, *more, **options)
        asked.append(host)
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, OSError):
            raise answer
        return answer

    with serving(answering(ok())) as inside, official(tmp_path, "alipay", database=database) as made:
        channel = _public_alipay(made, inside)
        order = watched(made, "alipay")
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        for _ in range(3):
            with pytest.raises(GatewayError):
                channel.query(order, made.world.clock())
        assert asked == ["gateway.example"] * 3
        assert inside.connections == 0


def _public_alipay(made: Official, inside: Loopback) -> Any:
    """The channel as it is on a public server, where gateways have public addresses alone."""
    settings = made.world.parts.settings
    section = {**settings.channels["alipay"], "gateway": f"https://gateway.example:{inside.port}/gateway.do"}
    return make_channels(replace(settings, allow_private=False, channels={"alipay": section}))["alipay"]

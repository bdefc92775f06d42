from __future__ import annotations

import itertools
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from checkout.http.client import Answer, Client, Outgoing, Reason, Unreachable
from tests.certificates import Authority, authority
from tests.loopback import Behaviour, answering, dripping, ok, serving, silent, sipping

SOON = 0.3  # a deadline in seconds; what is tested against it would take ten times as long


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ours"))


def server_context(files: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


@contextmanager
def shop(
    files: tuple[str, str], behave: Behaviour | None = None, *, context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """The port of a TLS server."""
    with serving(behave or answering(ok()), tls=context or server_context(files)) as server:
        yield server.port


def get(client: Client, port: int, host: str = "shop.example", *, deadline_s: float = 5) -> Answer:
    return client.send(Outgoing("GET", f"https://{host}:{port}/"), deadline_s=deadline_s)


def trusting(ca: Authority | None, client_cert: tuple[str, str] | None = None) -> Client:
    return Client(
        allow_private=True,
        ca_file=str(ca.file) if ca else None,
        client_cert=client_cert,
        resolve=lambda host: ["127.0.0.1"],
    )


def refused(client: Client, port: int, host: str = "shop.example") -> str:
    """The message of the refusal to speak to a server because of its certificate."""
    with pytest.raises(Unreachable) as outcome:
        get(client, port, host)
    assert outcome.value.reason == Reason.TLS
    return outcome.value.message


def test_a_server_with_a_good_certificate_is_called_under_its_name(ours: Authority, tmp_path: Path) -> None:
    named: list[str | None] = []
    files = ours.issue(tmp_path, "shop.example", "127.0.0.1")
    context = server_context(files)
    context.sni_callback = lambda sock, name, _: named.append(name)
    with shop(files, context=context) as port:
        client = trusting(ours)
        assert get(client, port).body == b"success"
        assert get(client, port, "SHOP.example").body == b"success"
        assert get(client, port, "127.0.0.1").body == b"success"
    assert named == ["shop.example", "shop.example", None]


def test_a_certificate_for_another_name_is_refused(ours: Authority, tmp_path: Path) -> None:
    with shop(ours.issue(tmp_path, "other.example")) as port:
        for host in ("shop.example", "sub.other.example", "127.0.0.1"):
            assert host in refused(trusting(ours), port, host)


def test_a_certificate_that_has_expired_is_refused(ours: Authority, tmp_path: Path) -> None:
    with shop(ours.issue(tmp_path, "shop.example", until=int(time.time()) - 60)) as port:
        assert "expired" in refused(trusting(ours), port)


def test_a_certificate_of_an_unknown_authority_is_refused(ours: Authority, tmp_path: Path) -> None:
    namesake = authority(tmp_path)
    with shop(namesake.issue(tmp_path, "shop.example")) as port:
        for client in (trusting(ours), trusting(None)):
            assert refused(client, port).startswith("The certificate of shop.example does not hold: ")


def test_nothing_is_sent_before_the_certificate_was_verified(ours: Authority, tmp_path: Path) -> None:
    seen: list[bytes] = []
    with shop(ours.issue(tmp_path, "other.example"), answering(ok(), seen=seen)) as port:
        refused(trusting(ours), port)
    assert seen == []


def test_a_server_that_speaks_no_tls_is_a_tls_fault(ours: Authority) -> None:
    with serving(dripping(ok(), [], read=False)) as server, pytest.raises(Unreachable) as outcome:
        get(trusting(ours), server.port)
    assert outcome.value.reason == Reason.TLS


def test_the_certificate_files_are_read_once(ours: Authority, tmp_path: Path) -> None:
    with shop(ours.issue(tmp_path, "shop.example")) as port:
        own = tmp_path / "ca.pem"
        own.write_bytes(ours.file.read_bytes())
        client = Client(allow_private=True, ca_file=str(own), resolve=lambda host: ["127.0.0.1"])
        own.unlink()
        assert get(client, port).status == get(client, port).status == 200


def test_a_client_certificate_is_shown_to_a_server_that_asks(ours: Authority, tmp_path: Path) -> None:
    shown: list[object] = []

    def behave(sock: socket.socket) -> None:
        assert isinstance(sock, ssl.SSLSocket)
        shown.append(sock.getpeercert())
        answering(ok())(sock)

    files = ours.issue(tmp_path, "shop.example")
    context = server_context(files)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ours.file)
    with shop(files, behave, context=context) as port:
        assert get(trusting(ours, ours.issue(tmp_path, "merchant")), port).status == 200
        with pytest.raises(Unreachable):
            get(trusting(ours), port)
    assert len(shown) == 1
    assert "merchant" in str(shown[0])


@pytest.mark.parametrize("fault", ["missing", "no PEM", "another key", "a key with a password"])
def test_certificate_files_that_cannot_be_used_are_reported_at_once(
    ours: Authority, tmp_path: Path, fault: str
) -> None:
    certificate, key = ours.issue(tmp_path, "merchant")
    if fault == "missing":
        key = str(tmp_path / "missing.key")
    elif fault == "no PEM":
        Path(key).write_text("nothing")
    elif fault == "another key":
        key = ours.issue(tmp_path, "merchant")[1]
    else:
        key = ours.locked(key)
    with pytest.raises(ValueError, match="cannot be used") as outcome:
        Client(client_cert=(certificate, key))
    assert key in str(outcome.value)


def test_an_authority_file_that_cannot_be_used_is_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ca\.pem"):
        Client(ca_file=str(tmp_path / "ca.pem"))


# The deadline holds over TLS too. Each of these servers would be done after three seconds.


def test_a_server_that_never_shakes_hands_costs_no_more_than_the_deadline(ours: Authority) -> None:
    with serving(silent) as server, pytest.raises(Unreachable) as outcome:
        get(trusting(ours), server.port, deadline_s=SOON)
    assert outcome.value.reason == Reason.TIMEOUT


def test_a_server_that_drips_its_handshake_costs_no_more_than_the_deadline(ours: Authority) -> None:
    hello = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"
    with (
        serving(dripping(hello, [b"\x03"] * 150, read=False)) as server,
        pytest.raises(Unreachable) as outcome,
    ):
        get(trusting(ours), server.port, deadline_s=SOON)
    assert outcome.value.reason == Reason.TIMEOUT


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_server_that_drips_over_tls_costs_no_more_than_the_deadline(
    ours: Authority, tmp_path: Path, head: bytes
) -> None:
    behave = dripping(head, itertools.chain([b"y"] * 150, [b"\r\n\r\n"]))
    with shop(ours.issue(tmp_path, "shop.example"), behave) as port, pytest.raises(Unreachable) as outcome:
        get(trusting(ours), port, deadline_s=SOON)
    assert outcome.value.reason == Reason.TIMEOUT


def test_a_server_that_sips_the_request_over_tls_costs_no_more_than_the_deadline(
    ours: Authority, tmp_path: Path
) -> None:
    sips = itertools.count()
    with shop(ours.issue(tmp_path, "shop.example"), sipping(sips)) as port:
        request = Outgoing("POST", f"https://shop.example:{port}/", body=b"x" * 20_000_000)
        with pytest.raises(Unreachable) as outcome:
            trusting(ours).send(request, deadline_s=SOON)
        assert next(sips) < 50
    assert outcome.value.reason == Reason.TIMEOUT


def test_an_answer_over_tls_is_read_to_its_end_or_to_the_limit(ours: Authority, tmp_path: Path) -> None:
    with shop(ours.issue(tmp_path, "shop.example"), answering(ok(b"x" * 300_000))) as port:
        assert get(trusting(ours), port).body == b"x" * 65536
    with shop(ours.issue(tmp_path, "shop.example"), answering(b"HTTP/1.1 200 OK\r\n\r\nsuccess")) as port:
        assert get(trusting(ours), port).body == b"success"

"""Alerts over real HTTP to loopback servers, through Apprise in its own process."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkout.alerts import messenger
from checkout.alerts.messenger import Handed, hand_over, scrubbed
from tests.loopback import Loopback, answering, ok, serving, silent

REFUSED = b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def seen() -> list[bytes]:
    return []


@pytest.fixture
def server(seen: list[bytes]) -> Iterator[Loopback]:
    with serving(answering(ok(b"{}"), seen=seen)) as running:
        yield running


def test_a_message_reaches_each_service_and_one_that_refuses_hinders_no_other(
    server: Loopback, seen: list[bytes]
) -> None:
    with serving(answering(REFUSED)) as refusing:
        urls = [
            f"json://127.0.0.1:{refusing.port}/in", f"json://127.0.0.1:{server.port}/in", "nosuchservice://a-secret-key",
        ]  # fmt: skip
        handed = hand_over(urls, "小店: 需要您处理", "手机「phone」离线了 <b>{x}</b>\n\nhttps://pay.example/admin")
    assert [(one.service, one.taken) for one in handed] == [("json", False), ("json", True), ("nosuchservice", False)]
    assert "error=403" in handed[0].why
    assert handed[2].why == "Apprise does not know such an address: nosuchservice://…"
    assert b"<b>{x}</b>" in seen[0]
    assert b"\\u624b\\u673a" in seen[0] or "手机".encode() in seen[0]


def test_no_part_of_an_address_is_repeated(seen: list[bytes]) -> None:
    with serving(answering(REFUSED, seen=seen)) as refusing:
        url = f"json://owner:hunter2pass@127.0.0.1:{refusing.port}/a-secret-path"
        (one,) = hand_over([url], "t", "b")
    assert (one.taken, bool(seen)) == (False, True)
    told = repr(one)
    assert not any(part in told for part in ("owner", "hunter2pass", "a-secret-path", "127.0.0.1"))


def test_what_was_logged_is_scrubbed_of_every_part_also_when_it_was_escaped() -> None:
    said = "Failed for bot123:key at host, topic my topic\n"
    assert scrubbed(said, "tgram://bot123:key/my%20topic") == "Failed for …:… at host, topic …"


def test_a_service_that_hangs_is_given_up_and_the_others_count(
    server: Loopback, seen: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child ends by itself; were it to hang, it would be killed."""
    code = "from checkout.alerts import messenger; messenger._DEADLINE_S = 3; messenger.child()"
    monkeypatch.setattr(messenger, "_command", lambda: [sys.executable, "-c", code])
    with serving(silent) as hanging:
        urls = [f"json://127.0.0.1:{hanging.port}/?rto=60", f"json://127.0.0.1:{server.port}/"]
        handed = hand_over(urls, "t", "b")
    assert handed == [Handed("json", False, "The service did not answer in time."), Handed("json", True)]


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "raise SystemExit(3)", "print('no json')"])
def test_a_process_that_hangs_or_fails_is_a_message_not_taken(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messenger, "_command", lambda: [sys.executable, "-c", code])
    monkeypatch.setattr(messenger, "_KILLED_AFTER_S", 1)
    (one,) = hand_over(["ntfy://ntfy.example/secret"], "t", "b")
    assert not one.taken
    assert one.why.startswith("The message could not be handed over")
    assert "secret" not in repr(one)


def test_the_server_does_not_load_apprise() -> None:
    code = "import sys, checkout.app, checkout.alerts.telling, checkout.cli.alerts; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_addresses_stand_in_no_argument_of_the_process() -> None:
    assert messenger._command()[-2:] == ["alert", "hand-over"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_apprise_knows_every_address_of_the_documentation(language: str) -> None:
    import apprise

    text = (Path(__file__).parents[2] / "docs" / f"alerts.{language}.md").read_text(encoding="utf-8")
    schemes = set(re.findall(r"`([a-z]+)://", text))
    assert len(schemes) >= 8
    with warnings.catch_warnings(action="ignore"):  # what its plugins import is not ours
        assert {scheme for scheme in schemes if scheme not in apprise.plugins.N_MGR.schemas()} == set()  # type: ignore[no-untyped-call]

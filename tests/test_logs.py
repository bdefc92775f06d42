from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checkout import logs
from checkout.logs import Json, Redacting, redacted

KEY = "0f" * 32


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("GET /appPush?price=1&sign=abc HTTP/1.1", "GET /appPush?… HTTP/1.1"),
        ("'/n?a=b' and \"/m?c=d\"", "'/n?…' and \"/m?…\""),
        (f"the key {KEY} was sent", "the key … was sent"),
        ("/pay/" + "a1" * 16, "/pay/…"),
        ("no whsec_c2Vj+cmV0/cy0= here", "no … here"),
        ("Invalid request line: 'type=1&token=abc&price=2'", "Invalid request line: 'type=1&…'"),
        ("Is it there? Yes.", "Is it there? Yes."),
        ("msg_01a1fc2cb65de409529542d1ecbf failed", "msg_01a1fc2cb65de409529542d1ecbf failed"),
    ],
)
def test_queries_and_long_numbers_are_taken_out(written: str, left: str) -> None:
    assert redacted(written) == left


def test_a_traceback_is_redacted_too() -> None:
    try:
        raise ValueError(f"bad line /x?sign={KEY}")
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed on %s", ("/y?key=1",), info)
    text = Redacting().format(record)
    assert KEY not in text
    assert "key=1" not in text
    assert "failed on /y?…" in text


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """The log goes to this file, in JSON, with every event."""
    root, level = logging.getLogger(), logging.getLogger("checkout.events").level
    handlers = root.handlers[:]
    root.handlers.clear()
    path = tmp_path / "checkout.log"
    logs.set_up("json", "info", str(path))
    yield path
    root.handlers[0].close()
    root.handlers[:] = handlers
    logging.getLogger("checkout.events").setLevel(level)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_event_is_one_line_of_json_with_what_it_belongs_to(written: Path) -> None:
    with logs.about(request="r1") as known:
        logs.event("order.paid", order="a" * 32, merchant=1001, late=False, why="", device=None)
    logs.event("backup.made", file="x\ny")
    paid, made = lines(written)
    assert (paid["level"], paid["event"], paid["request"]) == ("info", "order.paid", "r1")
    assert (paid["order"], paid["merchant"], paid["late"]) == ("a" * 32, 1001, False)
    assert {"why", "device"}.isdisjoint(paid)
    assert paid["time"].endswith("Z")
    assert known["merchant"] == 1001
    assert made["file"] == "x\ny"
    assert "request" not in made


def test_what_others_log_is_a_message_without_its_secrets(written: Path) -> None:
    try:
        raise ValueError(f"bad line /x?sign={KEY}")
    except ValueError:
        logging.getLogger("apprise").exception("it failed on %s\nand more", f"/y?key={KEY}")
    (line,) = lines(written)
    assert (line["event"], line["level"], line["logger"]) == ("message", "error", "apprise")
    assert line["message"] == "it failed on /y?…\nand more"
    assert "bad line /x?…" in line["exception"]
    assert KEY not in written.read_text()


def test_a_field_that_is_no_name_is_redacted(written: Path) -> None:
    logs.event("message.tried", why=f"no answer to {KEY}", order=KEY)
    (line,) = lines(written)
    assert (line["why"], line["order"]) == ("no answer to …", KEY)


def test_events_are_not_written_at_the_level_of_warnings(written: Path) -> None:
    logs.set_up("text", "warning", str(written))
    logs.event("order.paid", order="a" * 32)
    logging.getLogger("x").warning("look")
    assert "order.paid" not in written.read_text()
    assert "WARNING look" in written.read_text()


def test_as_text_an_event_has_its_fields_behind_it() -> None:
    record = logging.LogRecord("checkout.events", logging.INFO, "f", 1, "order.paid", (), None)
    record.fields = {"order": "a" * 32, "late": True}
    assert Redacting().format(record).endswith(f"INFO order.paid order={'a' * 32} late=True")
    assert json.loads(Json().format(record))["late"] is True


def test_what_a_stranger_wrote_cannot_pass_for_a_line_of_the_log() -> None:
    forged = "x\r\n2026-11-21 10:00:00 [1] INFO order.paid\x1b[2J\u2028"
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "refused: %s", (forged,), None)
    assert Redacting().format(record).splitlines() == [Redacting().format(record)]
    assert "\\r\\n2026" in Redacting().format(record)
    assert Json().format(record).count("\n") == 0

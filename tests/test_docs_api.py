"""docs/api: every operation stands in it, and what it offers for copying does what it says."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from checkout import api_keys
from checkout.protocols.api.operations import OPERATIONS
from checkout.signing import webhook_secret, webhook_signature
from tests.servers import on_loopback
from tests.world import World

DOCS = Path(__file__).resolve().parent.parent / "docs"
SECRET = "whsec_" + "c2VjcmV0" * 5
languages = pytest.mark.parametrize("language", ["en", "zh"])


def page(language: str) -> str:
    return (DOCS / f"api.{language}.md").read_text(encoding="utf-8")


def snippets(language: str, kind: str) -> list[str]:
    return re.findall(rf"(?s)```{kind}\n(.*?)```", page(language))


@pytest.fixture
def server(world: World) -> Iterator[tuple[str, str]]:
    """(address, key) of the shop behind real HTTP."""
    world.beat()
    made = api_keys.add(
        world.store, 1001, "docs", api_keys.USUAL, actor="test", new_id=world.parts.new_id, now=world.clock()
    )
    with on_loopback(world.app) as url:
        yield url, made.secret


@languages
def test_every_operation_stands_in_the_table_and_no_other(language: str) -> None:
    rows = re.findall(r"\| (GET|POST) \| `([^`]+)` \| `([^`]+)` \| ([^|]+) \|", page(language))
    expected = [(one.method, one.path, one.scope.value) for one in OPERATIONS if one.scope]
    assert [row[:3] for row in rows] == expected
    if language == "en":
        assert [row[3] for row in rows] == [one.summary for one in OPERATIONS if one.scope]


@languages
def test_the_request_of_the_page_opens_an_order(language: str, server: tuple[str, str]) -> None:
    (command,) = [text for text in snippets(language, "sh") if text.startswith("curl")]
    words = shlex.split(command.replace("$KEY", server[1]))
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    (url,) = [word for word in words if word.startswith("https://")]
    connection = HTTPConnection(urlsplit(server[0]).netloc, timeout=10)
    connection.request("POST", urlsplit(url).path, words[words.index("-d") + 1], headers)
    answer = connection.getresponse()
    said: dict[str, Any] = json.loads(answer.read())
    connection.close()
    assert answer.status == 201, said
    assert "/pay/" in said["pay_url"]


@languages
def test_the_python_of_the_page_opens_an_order_and_believes_a_message_of_ours_only(
    language: str, server: tuple[str, str], capsys: pytest.CaptureFixture[str], world: World
) -> None:
    asks, receives = snippets(language, "python")
    delivered: list[str] = []
    names: dict[str, Any] = {"KEY": server[1], "SECRET": SECRET, "deliver": delivered.append}
    exec(asks.replace("https://pay.example.com", server[0]), names)  # noqa: S102 - our own page
    assert "/pay/" in capsys.readouterr().out
    exec(receives, names)  # noqa: S102
    order = names["order"].raw
    paid = {"state": "paid", "method": "wechat", "really_price": order["price"], "paid_at": "2026-11-21T00:00:00Z"}
    body = json.dumps({"type": "order.paid", "timestamp": "2026-11-21T00:00:00Z", "data": {**order, **paid}})
    at = int(time.time())
    signed = webhook_signature(webhook_secret(SECRET), "msg_1", at, body.encode())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": signed}
    assert names["receive"](headers, body.encode()) == 204
    assert delivered == ["N2"]
    assert names["receive"](headers, body.replace("990", "1").encode()) == 400
    assert delivered == ["N2"]

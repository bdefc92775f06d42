"""The examples do what they say, with messages that the program itself has made. (The pages: tests/browser.)"""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from checkout.http import Client, Outgoing
from tests.conftest import skip_or_fail
from tests.test_selling import buy, product_of
from tests.world import MERCHANT_KEY, World

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

WORKER = """
import worker from "./worker.mjs"
import { readFileSync } from "node:fs"
const { key, messages } = JSON.parse(readFileSync(0))
const lines = []
console.log = (...words) => lines.push(words.join(" "))
const kept = new Map()
const ORDERS = { get: async (id) => kept.get(id), put: async (id, text) => kept.set(id, text) }
const answers = []
for (const { method, headers, body } of messages) {
  const request = new Request("https://events.example/", { method, headers, ...(method === "POST" && { body }) })
  answers.push((await worker.fetch(request, { CHECKOUT_KEY: key, ORDERS }, {})).status)
}
process.stdout.write(JSON.stringify({ answers, lines }))
"""


@pytest.fixture
def event(world: World) -> Outgoing:
    """What a merchant's server is sent when a product was paid for just now."""
    world.clock.now = int(time.time())
    order = buy(world, product_of(world), ref="user-42")
    world.push("9.90")
    world.work()
    assert world.order(order.token).number == order.number
    (sent,) = world.outside.sent
    return sent


def node() -> str:
    found = shutil.which("node")
    if found is None:
        skip_or_fail("node", "no Node is installed (apt install nodejs)")
    return str(found)


def spoilt(event: Outgoing) -> list[Outgoing]:
    """The event with one thing changed, each."""

    def with_header(**headers: str) -> Outgoing:
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        return Outgoing("POST", event.url, {**event.headers, **changed}, event.body)

    return [
        Outgoing("POST", event.url, event.headers, event.body.replace(b"990", b"991")),
        with_header(webhook_id="msg_other"), with_header(webhook_signature=""),
        with_header(webhook_signature="v1,AAAA"),
        with_header(webhook_timestamp=str(int(time.time()) - 301)), with_header(webhook_timestamp="1e9"),
        with_header(webhook_signature="v1a," + event.headers["webhook-signature"][3:]),
    ]  # fmt: skip


def test_the_worker_takes_each_event_once_and_nothing_else(event: Outgoing, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "cloudflare-worker" / "worker.js", tmp_path / "worker.mjs")
    (tmp_path / "run.mjs").write_text(WORKER)
    messages = [event, event, *spoilt(event), Outgoing("GET", event.url)]
    asked = [{"method": one.method, "headers": dict(one.headers), "body": one.body.decode()} for one in messages]
    done = subprocess.run(
        [node(), "run.mjs"], cwd=tmp_path, input=json.dumps({"key": MERCHANT_KEY, "messages": asked}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["answers"] == [204, 204, *[401] * len(spoilt(event)), 405]
    (line,) = found["lines"]
    assert line.startswith("paid ")
    assert line.endswith(" ebook user-42 990")


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("CHECKOUT_KEY", MERCHANT_KEY)
    handler = runpy.run_path(str(EXAMPLES / "python-receiver" / "receiver.py"))["Receiver"]
    handler.log_message = lambda *words: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/checkout"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_python_receiver_takes_each_event_once_and_nothing_else(
    event: Outgoing, receiver: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client = Client(allow_private=True, ports=None)

    def status(one: Outgoing) -> int:
        return client.send(Outgoing("POST", receiver, one.headers, one.body)).status

    assert [status(event), status(event)] == [204, 204]
    assert [status(one) for one in spoilt(event)] == [401] * len(spoilt(event))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(" ebook user-42 990")


def test_the_hexo_tag_writes_a_link_and_escapes_what_it_is_given() -> None:
    script = f"""
        const tags = {{}}
        globalThis.hexo = {{ config: {{ checkout: "https://pay.example.net" }}, extend: {{
          tag: {{ register: (name, write) => tags[name] = write }},
          injector: {{ register: (place, write) => tags[place] = write }} }} }}
        require({json.dumps(str(EXAMPLES / "hexo" / "scripts" / "checkout.js"))})
        const written = [tags.checkout(["ebook", "立即", "购买"]), tags.checkout(['"><b>']), tags.body_end()]
        console.log(JSON.stringify(written))
    """
    done = subprocess.run([node(), "-e", script], capture_output=True, text=True, check=True)
    link, evil, tail = json.loads(done.stdout)
    assert link == '<a href="https://pay.example.net/buy/ebook" data-checkout="ebook">立即 购买</a>'
    assert "<b>" not in evil
    assert tail == '<script src="https://pay.example.net/static/checkout.js" async></script>'


@pytest.mark.parametrize("path", ["hugo/layouts/shortcodes/checkout.html", "jekyll/_includes/checkout.html"])
def test_templates_of_other_tools_hold_the_link_and_the_script(path: str) -> None:
    text = (EXAMPLES / path).read_text()
    assert "/static/checkout.js" in text
    assert "data-checkout=" in text
    assert "/buy/" in text

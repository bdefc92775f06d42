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

from checkout.http.client import Client, Outgoing
from tests.conftest import skip_or_fail
from tests.test_selling import buy, product_of
from tests.world import MERCHANT_KEY, World

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

# Each road feeds the messages to a receiver as its platform does, and answers with the statuses.
ROADS = {
    "cloudflare-worker/worker.js": """
        const { default: worker } = await import(process.argv[2])
        const kept = new Map()
        const ORDERS = { get: async (id) => kept.get(id), put: async (id, text) => kept.set(id, text) }
        receive = async ({ method, headers, body }) => (await worker.fetch(
          new Request("https://events.example/", { method, headers, ...(method === "POST" && { body }) }),
          { CHECKOUT_KEY: key, ORDERS }, {})).status
    """,
    "vercel/api/checkout.js": """
        const { POST } = await import(process.argv[2])
        receive = async ({ method, headers, body }) => method !== "POST" ? 405 : // Vercel answers by itself
          (await POST(new Request("https://example.vercel.app/api/checkout", { method, headers, body }))).status
    """,
    "aliyun-fc/index.js": """
        const { handler } = createRequire(process.argv[2])(process.argv[2])
        receive = async ({ method, headers, body }, number) => (await handler(Buffer.from(JSON.stringify({
          version: "v1", headers: titled(headers), requestContext: { http: { method, path: "/" } },
          isBase64Encoded: number % 2 === 1, body: number % 2 ? Buffer.from(body).toString("base64") : body,
        })))).statusCode
    """,
    "tencent-scf/index.js": """
        const { main_handler } = createRequire(process.argv[2])(process.argv[2])
        receive = async ({ method, headers, body }) => (await main_handler({
          httpMethod: method, path: "/", headers: titled(headers), isBase64Encoded: false, body })).statusCode
    """,
}
RUN = """
import { createRequire } from "node:module"
import { readFileSync } from "node:fs"
const { key, messages } = JSON.parse(readFileSync(0))
process.env.CHECKOUT_KEY = key
const titled = (headers) => Object.fromEntries(Object.entries(headers).map(
  ([name, value]) => [name.replace(/\\b[a-z]/g, (letter) => letter.toUpperCase()), value]))
const lines = []
console.log = (...words) => lines.push(words.join(" "))
let receive
%s
const answers = []
for (const [number, message] of messages.entries()) answers.push(await receive(message, number))
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


@pytest.mark.parametrize("receiver", ROADS)
def test_a_serverless_receiver_takes_an_event_of_ours_and_nothing_else(
    event: Outgoing, tmp_path: Path, receiver: str
) -> None:
    """The worker has a place to keep ids, so it takes each event once; the others say where to put one."""
    suffix = ".cjs" if "exports." in (EXAMPLES / receiver).read_text(encoding="utf-8") else ".mjs"
    code = shutil.copy(EXAMPLES / receiver, tmp_path / f"receiver{suffix}")
    (tmp_path / "run.mjs").write_text(RUN % ROADS[receiver], encoding="utf-8")
    messages = [event, event, *spoilt(event), Outgoing("GET", event.url)]
    asked = [{"method": one.method, "headers": dict(one.headers), "body": one.body.decode()} for one in messages]
    done = subprocess.run(
        [node(), "run.mjs", str(code)], cwd=tmp_path, input=json.dumps({"key": MERCHANT_KEY, "messages": asked}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["answers"] == [204, 204, *[401] * len(spoilt(event)), 405]
    assert len(found["lines"]) == (1 if "worker" in receiver else 2)
    for line in found["lines"]:
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


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        skip_or_fail(name, f"no {name} is installed (apt install {name})")
    return str(found)


def built(folder: Path, *command: str) -> str:
    """The page that a site generator makes of `folder`."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "out" / "index.html").read_text(encoding="utf-8")


def sold_once_by_script(html: str, *texts: str) -> None:
    """The page loads the script once, from the site's own checkout, and holds a link for each text."""
    base = "https://pay.example.net"
    assert html.count(f'<script src="{base}/static/checkout.js" async></script>') == 1
    for text in texts:
        assert f'<a href="{base}/buy/ebook" data-checkout="ebook">{text}</a>' in html


def test_hugo_builds_the_shortcode(tmp_path: Path) -> None:
    hugo = tool("hugo")
    shutil.copytree(EXAMPLES / "hugo" / "layouts", tmp_path / "layouts")
    (tmp_path / "layouts" / "index.html").write_text("<!doctype html>{{ .Content }}")
    (tmp_path / "content").mkdir()
    page = '{{< checkout ebook "立即购买" >}} and {{< checkout ebook >}} and {{< checkout ebook "a <b>" >}}'
    (tmp_path / "content" / "_index.md").write_text(f"---\ntitle: x\n---\n{page}\n", encoding="utf-8")
    (tmp_path / "config.toml").write_text(
        'baseURL = "https://me.example/"\ndisableKinds = ["taxonomy", "term", "RSS", "sitemap"]\n'
        '[params]\ncheckout = "https://pay.example.net"\n'
    )
    html = built(tmp_path, hugo, "--destination", "out", "--quiet")
    sold_once_by_script(html, "立即购买", "购买", "a &lt;b&gt;")


def test_jekyll_builds_the_include(tmp_path: Path) -> None:
    jekyll = tool("jekyll")
    shutil.copytree(EXAMPLES / "jekyll" / "_includes", tmp_path / "_includes")
    page = "{% include checkout.html product='ebook' text='立即购买' %} {% include checkout.html product='ebook' %}"
    page += " {% include checkout.html product='ebook' text='a <b>' %}"
    (tmp_path / "index.html").write_text(f"---\n---\n{page}\n", encoding="utf-8")
    (tmp_path / "_config.yml").write_text("checkout: https://pay.example.net\n")
    html = built(tmp_path, jekyll, "build", "--destination", "out", "--disable-disk-cache", "--quiet")
    sold_once_by_script(html, "立即购买", "购买", "a &lt;b&gt;")


def test_the_vitepress_component_holds_the_link_and_loads_the_script_once() -> None:
    theme = EXAMPLES / "vitepress" / ".vitepress" / "theme"
    component, registered = (theme / "Checkout.vue").read_text(), (theme / "index.js").read_text()
    assert '<a :href="`${base}/buy/${product}`" :data-checkout="product"><slot>购买</slot></a>' in component
    assert "window.Checkout ||" in component
    assert 'app.component("Checkout", Checkout)' in registered

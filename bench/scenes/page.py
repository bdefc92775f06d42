"""What a buyer's browser loads until the QR code is there, and how long that takes on a slow connection.

A real Chromium, its network slowed as its own developer tools do it ("Slow 3G", "Slow 4G"); htmx from the server, as a
shop without the CDN has it.
"""

from __future__ import annotations

import gzip
import statistics
from collections.abc import Iterator
from typing import Any, NamedTuple

from bench import servers
from bench.driver import ask
from bench.figures import Figure, Plan, at_most, say
from bench.shop import Shop
from tests.browser.site import CHROMIUM_ARGS, chromium

_SIZE_KB, _REQUESTS = 25, 5


class Network(NamedTuple):
    """As Network.emulateNetworkConditions has it."""

    name: str
    latency_ms: float
    bytes_a_second: float


_NETWORKS = (
    Network("unslowed", 0, -1),
    Network("slow 4G (1.4 Mbit/s, 560 ms)", 562.5, 180_000),
    Network("slow 3G (400 kbit/s, 2 s)", 2000, 50_000),
)
# Resolves once the code can be seen; requestAnimationFrame runs when something is about to be painted.
_WATCH = """
window.codeSeen = new Promise((seen) => {
  const look = () => {
    const code = document.querySelector("#code img");
    if (code && code.complete && code.naturalWidth && code.getBoundingClientRect().height) {
      requestAnimationFrame(() => seen(performance.now()));
    } else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
});
"""


class Load(NamedTuple):
    code_ms: float
    until_code: int  # requests that had begun before the code was there
    requests: int
    body_bytes: float  # compressed, as they came
    wire_bytes: float  # with headers


def run(plan: Plan) -> Iterator[Figure]:
    with servers.checkout(cpus=servers.all_cpus(), htmx="local") as server:
        shop = Shop(server).furnish()
        yield from _weight(server.address, shop)
        path = chromium()
        if path is None:
            say("  page: no Chromium is installed (apt install chromium), so nothing is loaded in a browser")
            return
        yield from _in_browser(path, server.address, shop, 5 if plan.is_full else 2)


def _weight(address: tuple[str, int], shop: Shop) -> Iterator[Figure]:
    """Of the HTML, as the server sends it and as a proxy that compresses would."""
    answer, _ = ask(address, shop.pages(1)[0])
    yield Figure("page", "HTML as it is sent", len(answer.body) / 1024, "KB")
    yield Figure("page", "HTML, gzip", len(gzip.compress(answer.body, 6)) / 1024, "KB")


def _in_browser(path: str, address: tuple[str, int], shop: Shop, rounds: int) -> Iterator[Figure]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        _load(browser, address, shop, _NETWORKS[0])  # the first one starts half of the browser
        for network in _NETWORKS:
            loads = [_load(browser, address, shop, network) for _ in range(rounds)]
            if network is _NETWORKS[0]:
                size = statistics.median(load.body_bytes for load in loads) / 1024
                yield Figure("page", "everything, compressed", size, "KB", target=at_most(_SIZE_KB))
                size = statistics.median(load.wire_bytes for load in loads) / 1024
                yield Figure("page", "everything, with the answers' headers", size, "KB")
                begun = max(load.until_code for load in loads)
                yield Figure("page", "requests begun before the code is there", begun, "", target=at_most(_REQUESTS))
                yield Figure("page", "requests in all", max(load.requests for load in loads), "")
            seen = statistics.median(load.code_ms for load in loads)
            yield Figure("page", f"code to be seen, {network.name}", seen, "ms")
        browser.close()


def _load(browser: Any, address: tuple[str, int], shop: Shop, network: Network) -> Load:
    """A first visit, nothing cached."""
    token = shop.opened(1)[0]["orderId"]
    context = browser.new_context(viewport={"width": 375, "height": 667}, locale="zh-CN")
    page = context.new_page()
    page.add_init_script(_WATCH)
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    rates = {"downloadThroughput": network.bytes_a_second, "uploadThroughput": network.bytes_a_second}
    wire.send("Network.emulateNetworkConditions", {"offline": False, "latency": network.latency_ms, **rates})
    bodies: list[int] = []
    answers: list[float] = []
    wire.on("Network.dataReceived", lambda event: bodies.append(event["encodedDataLength"]))
    wire.on("Network.loadingFinished", lambda event: answers.append(event["encodedDataLength"]))
    page.goto(f"http://127.0.0.1:{address[1]}/pay/{token}", wait_until="load", timeout=120_000)
    code_ms = page.evaluate("window.codeSeen")
    began = page.evaluate("performance.getEntriesByType('resource').map((it) => it.startTime)")
    context.close()
    until_code = 1 + sum(at < code_ms for at in began)
    return Load(code_ms, until_code, len(answers), sum(bodies), sum(answers))

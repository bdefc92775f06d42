"""A served shop and a watched browser: what the tests in this folder are played on."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from msgspec.structs import replace
from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request, Route, ViewportSize
from werkzeug.serving import BaseWSGIServer, make_server

from checkout import ids
from checkout.app import create_app
from checkout.model.orders import Order
from checkout.pages.assets import HTMX_CDN, HTMX_LOCAL
from checkout.settings import Settings
from tests.pages.shop import closed, opened, settled
from tests.world import FakeClock, Outside, World

STATIC = Path(__file__).resolve().parents[2] / "static"
CHROMIUM_ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 375, "height": 667}
ANDROID = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
WECHAT = f"{ANDROID} MicroMessenger/8.0.50"


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class Site:
    """The application behind a real server on a free port."""

    world: World
    port: int
    _app: Flask
    _server: BaseWSGIServer | None = None
    _thread: threading.Thread | None = None
    _fd: int | None = None  # of a socket that listens already, where the port had to be known before

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = make_server("127.0.0.1", self.port, self._app, threaded=True, fd=self._fd)
        self.port = int(self._server.socket.getsockname()[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def order(self, number: str = "N1", price: int = 990, method: str = "wechat", **more: Any) -> Order:
        return opened(self.world, number, price, method, **more)

    def page_of(self, order: Order, query: str = "") -> str:
        return f"{self.url}/pay/{order.token}{query}"

    def settle(self, order: Order) -> None:
        settled(self.world, order)

    def close(self, order: Order) -> None:
        closed(self.world, order)


@contextlib.contextmanager
def served(folder: Path, **changes: Any) -> Iterator[Site]:
    """A site with the standard shop; `changes` are settings."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    settings = Settings(database=str(folder / "data" / "checkout.db"), folder=folder, allow_private=True)
    clock, outside = FakeClock(), Outside()
    app = create_app(replace(settings, **changes), clock=clock, new_id=ids.new_id, send=outside.send, work=False)
    world = World.set_up(app, clock, outside)
    site = Site(world, 0, app)
    site.start()
    yield site
    site.stop()
    world.store.close()


@dataclass
class Watch:
    """What a page said and asked for, so that a test can insist on silence."""

    faults: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def on(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", self._dialog)
        page.on("request", self._request)

    def polls(self) -> int:
        return sum("/poll" in url for url in self.requests)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not request.url.startswith("data:"):
            self.requests.append(request.url)


def wake(page: Page) -> None:
    """The buyer comes back to the window: the page asks at once, as soon as htmx is there to ask."""
    page.wait_for_load_state()
    page.evaluate("dispatchEvent(new Event('focus'))")


def with_cdn(context: BrowserContext) -> None:
    """Serves the CDN's file from the local copy: tests need no network."""
    script = (STATIC / HTMX_LOCAL).read_bytes()
    headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "application/javascript"}

    def answer(route: Route) -> None:
        route.fulfill(body=script, headers=headers)

    context.route(HTMX_CDN, answer)

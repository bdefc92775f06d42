"""Somebody's static site, on another host name than the checkout: where the script tag stands."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from checkout import catalogue, ids
from checkout.catalogue import Draft
from checkout.merchants import Reach
from tests.browser.site import Site

STRICT = (
    "default-src 'none'; script-src 'self' {checkout}; style-src 'self'; frame-src {checkout}; connect-src {checkout}"
)
EVENTS = "open pending paid expired review close error fallback"
# A static site's own script: notes every event of the checkout where a test can read it.
NOTES = f"""
for (const type of "{EVENTS}".split(" ")) document.addEventListener("checkout:" + type, (event) => {{
  document.documentElement.dataset.events = (document.documentElement.dataset.events || "") + " " + type
  document.documentElement.dataset.last = JSON.stringify(event.detail)
  if (document.documentElement.dataset.keep === type) event.preventDefault()
}})
"""


@dataclass
class Host:
    """Static pages on `http://<name>:<port>`; `name` is another site than the checkout's for a browser."""

    name: str
    port: int = 0
    pages: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://{self.name}:{self.port}"

    def write(self, path: str, body: str, **headers: str) -> str:
        """Puts a page there, with the checkout's script left to `body`; gives its address."""
        kind = "text/javascript" if path.endswith(".js") else "text/html; charset=utf-8"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = (body, {"Content-Type": kind, **named})
        return self.origin + path

    def page(self, site: Site, body: str, path: str = "/", **headers: str) -> str:
        """A page with the script tag; gives its address."""
        self.write("/notes.js", NOTES)
        head = f'<script src="{site.url}/static/checkout.js" async></script><script src="/notes.js"></script>'
        return self.write(path, f"<!doctype html><title>Site</title>{head}<h1>Site</h1>{body}", **headers)


@contextlib.contextmanager
def hosted(name: str = "localhost") -> Iterator[Host]:
    host = Host(name)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, headers = host.pages.get(
                self.path.partition("?")[0], ("<h1>Thanks</h1>", {"Content-Type": "text/html"})
            )
            self.send_response(200)
            for header, value in headers.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    host.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield host
    server.shutdown()
    thread.join()
    server.server_close()


def sell(site: Site, host: Host | None = None, product: str = "ebook", **wanted: Any) -> str:
    """A product that `host` may frame; gives the address of its page."""
    origins = (host.origin,) if host else ()
    draft = Draft(**{"title_zh": "电子书", "title_en": "E-book", "price": 990, "add_origins": origins, **wanted})
    world = site.world
    catalogue.add(world.store, product, draft, Reach(True), actor="test", new_id=ids.new_id, now=world.clock())
    return f"{site.url}/buy/{product}"

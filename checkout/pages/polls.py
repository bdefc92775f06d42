"""Polls that find nothing new, answered before Flask sees them: most of what a server with waiting buyers is asked.

A request costs Flask four times what the look at the order costs. Whatever is not plainly such a poll (something is
new, an unknown order, odd parameters, an address that asks too often) goes on to the route, which says the same. The
server's loop asks here too, without a thread (`checkout.inline`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask

from checkout import inline, live
from checkout.errors import StoreError
from checkout.pages import links, pay
from checkout.pages.stages import Look
from checkout.rates import POLL
from checkout.web import Parts, client_address

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_PATH = re.compile(r"/pay/([0-9a-f]{32})/poll")
_QUERY = re.compile(r"rev=([\w.-]+)((?:&(?:lang|theme|embed)=[\w.-]*)*)(?:&asked=([0-9]{1,12}))?", re.ASCII)


class Polls:
    """WSGI: stands between `Front` and Flask. `headers` go with every answer."""

    def __init__(self, app: Flask, headers: Iterable[tuple[str, str]]) -> None:
        self._app, self._onwards = app, app.wsgi_app
        self._headers = list(headers)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        at = self._nothing_new(environ)
        if at is None:
            inline.need_desk()
            return self._onwards(environ, start_response)
        start_response("204 No Content", [("Checkout-Left", str(at.left)), *self._headers])
        return ()

    def _nothing_new(self, environ: WSGIEnvironment) -> Look | None:
        path, query = _PATH.fullmatch(environ.get("PATH_INFO", "")), _QUERY.fullmatch(environ.get("QUERY_STRING", ""))
        if path is None or query is None or environ.get("REQUEST_METHOD") != "GET":
            return None
        live.follow(self._app)
        shop: Parts = self._app.extensions["checkout"]
        now = shop.clock()
        try:
            at = pay.glance(shop, path[1], links.moment(query[3] or ""), now)
        except StoreError:
            return None
        if at is None or at.rev != query[1] or shop.pace.buyers.wait(client_address(environ), POLL, now):
            return None
        return at

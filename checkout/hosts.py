"""The names that this server answers to.

A page anywhere may lead its own name to our address (DNS rebinding) and ask through the browser of whoever looks at it:
to the browser we are that page's server then. The name in Host gives it away. Addresses and names that no stranger can
have in the public DNS need no list: phones, proxies and containers ask by them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.exceptions import HTTPException

from checkout.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

Refuse = Callable[[int, str, "WSGIEnvironment", "StartResponse"], Iterable[bytes]]

# RFC 6761, 6762 and 8375, ICANN's .internal, and what routers call their own networks.
_PRIVATE = (".localhost", ".local", ".internal", ".home.arpa", ".test", ".lan")
_LABEL = "[A-Za-z0-9_-]{1,63}"
_HOST = re.compile(rf"(\[[0-9A-Fa-f:.]{{2,45}}\]|{_LABEL}(?:\.{_LABEL}){{0,126}})\.?(?::([0-9]{{0,5}}))?")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
_REPORTS = ("monitor_", "channels.notify", "channels.product")  # how endpoints that take them begin
_MOST = 256  # spellings that are known at a glance
_MOST_TOLD = 100

_BAD = "The Host header is missing, doubled or malformed: it names one host, such as pay.example.com or 192.0.2.7:8000."
_FOREIGN = (
    "This server does not answer to the name that it was asked by. Use the address in base_url; a further name of this"
    " shop its owner adds to trusted_hosts (CHECKOUT_TRUSTED_HOSTS)."
)


class Hosts:
    """WSGI: lets requests pass that name this server, and requests of before HTTP/1.1 that name none, as health checks
    are. Others get what `refuse` says: 421 for a name, 400 for what is none. X-Forwarded-Host is nobody's word.

    `is_report` tells which paths take reports of money. They prove themselves by a key and are never refused for a
    name: a phone that was set up with one that is not listed would cost the shop what it reports.
    """

    def __init__(
        self, app: WSGIApplication, settings: Settings, refuse: Refuse, is_report: Callable[[str], bool]
    ) -> None:
        self._app, self._refuse, self._is_report = app, refuse, is_report
        self._is_own = own_names(settings)
        self._seen, self._told = set[str](), set[str]()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("HTTP_HOST") not in self._seen or environ.get("RAW_URI", "/")[:1] != "/":
            wrong = self._wrong(environ)
            if wrong:
                return self._refuse(*wrong, environ, start_response)
        return self._app(environ, start_response)

    def _wrong(self, environ: WSGIEnvironment) -> tuple[int, str] | None:
        host = _host_of(environ)
        if host is None:
            return None if environ.get("SERVER_PROTOCOL", "HTTP/1.0") == "HTTP/1.0" else (400, _BAD)
        name = _name_of(host)
        if name is None:
            return 400, _BAD
        if self._is_own(name):
            if len(self._seen) < _MOST:
                self._seen.add(host)
            return None
        if self._is_report(environ.get("PATH_INFO", "")):
            return None
        self._tell(name)
        return 421, _FOREIGN

    def _tell(self, name: str) -> None:
        if name not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(name)
            log.warning("Refused: a request that names %s. If this shop has that name, add it to trusted_hosts.", name)


def reports_of(app: Flask) -> Callable[[str], bool]:
    """Whether a path of `app` takes reports of money, from phones or gateways."""
    routes = app.url_map.bind("")

    def is_report(path: str) -> bool:
        try:
            endpoint, _ = routes.match(path, method="POST")
        except HTTPException:
            return False
        return str(endpoint).startswith(_REPORTS)

    return is_report


def own_names(settings: Settings) -> Callable[[str], bool]:
    """Whether a name (lower case, no port, no dot at its end) is one of this server's. Without a public address in
    base_url and without a list nobody knows its names yet, and every one is."""
    if settings.is_local and not settings.trusted_hosts:
        return lambda name: True
    own = urlsplit(settings.base_url).hostname or ""
    exact = {own, *(host.removeprefix(".") for host in settings.trusted_hosts)}
    below = (*_PRIVATE, *(host for host in settings.trusted_hosts if host.startswith(".")))
    return lambda name: name in exact or "." not in name or name.endswith(below) or _is_address(name)


def _host_of(environ: WSGIEnvironment) -> str | None:
    """What a client asks for. A target that is a whole address counts instead of Host (RFC 9112, 3.2.2), also for
    whoever comes after us."""
    if found := _ABSOLUTE.match(environ.get("RAW_URI", "/")):
        environ["HTTP_HOST"] = found[1]
    return environ.get("HTTP_HOST")


def _name_of(host: str) -> str | None:
    """The name or address in `host[:port]`; None for what is neither."""
    found = _HOST.fullmatch(host)
    if found is None or int(found[2] or 1) not in range(1, 65_536):
        return None
    name = found[1].lower()
    return name if name[0] != "[" or _is_address(name) else None


def _is_address(name: str) -> bool:
    try:
        IPv6Address(name[1:-1]) if name[0] == "[" else IPv4Address(name)
    except ValueError:
        return False
    return True

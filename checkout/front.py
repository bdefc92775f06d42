"""What stands in front of the application: trusted proxies, and the path that a client really asks for."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import request

from checkout import inline
from checkout.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SLASHES = re.compile("/{2,}")


def client_address(environ: Mapping[str, Any] | None = None) -> str:
    """The buyer's address; behind a configured proxy, the one that the proxy reports."""
    return str((environ or request.environ).get("REMOTE_ADDR", ""))


class Front:
    """WSGI: believes `X-Forwarded-*` from configured proxies only, removes the base URL's path prefix where the proxy
    has not, and treats doubled slashes as one, as clients join `https://host/` and `/pay`.

    `knows` tells whether a path is one of ours: below `https://host/pay`, the address `/pay/<token>` has lost its
    prefix already, `/pay/pay/<token>` has not.
    """

    def __init__(
        self, app: WSGIApplication, settings: Settings, knows: Callable[[str], bool] = lambda path: True
    ) -> None:
        self._app, self._knows = app, knows
        self._proxies = [ip_network(proxy) for proxy in settings.trusted_proxies]
        self._prefix = urlsplit(settings.base_url).path.rstrip("/")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._proxies:
            self._believe(environ)
        path = environ.get("PATH_INFO", "")
        if "//" in path:
            path = environ["PATH_INFO"] = _SLASHES.sub("/", path)
        if self._prefix and (path == self._prefix or path.startswith(self._prefix + "/")):
            rest = path[len(self._prefix) :] or "/"
            if self._knows(rest) or not self._knows(path):
                environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + self._prefix
                environ["PATH_INFO"] = rest
        return self._app(environ, start_response)

    def _believe(self, environ: WSGIEnvironment) -> None:
        """The client is the last address in the chain that is not a proxy of ours: anybody can have written those
        before it. The scheme is what the nearest proxy says."""
        address = _address(environ.get("REMOTE_ADDR", ""))
        if address is None or not self._is_proxy(address):
            return
        for link in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            before = _address(link.strip())
            if before is None:
                break
            address = before
            if not self._is_proxy(before):
                break
        environ["REMOTE_ADDR"] = str(address)
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme

    def _is_proxy(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._proxies)


class Later:
    """WSGI: paths below `path` are answered by an application of their own, which `make` returns at the first such
    request. A server that shows none of its pages starts sooner and stays smaller."""

    def __init__(self, app: WSGIApplication, path: str, make: Callable[[], WSGIApplication]) -> None:
        self._app, self._path, self._make = app, path, make
        self._made: WSGIApplication | None = None
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not is_below(environ.get("PATH_INFO", ""), self._path):
            return self._app(environ, start_response)
        inline.need_thread()
        made = self._made or self._made_once()
        return made(environ, start_response)

    def _made_once(self) -> WSGIApplication:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made


def joined(answer: Iterable[bytes]) -> bytes:
    """The whole body of what a WSGI application returned; closes it (PEP 3333)."""
    try:
        return b"".join(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()


def is_below(path: str, place: str) -> bool:
    """Whether a path is the place itself (`/admin`) or below it; `/administration` is neither."""
    return path == place or path.startswith(f"{place}/")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An IP address; an IPv4-mapped one, as a dual-stack socket reports it, becomes the IPv4 address."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return (found.ipv4_mapped if isinstance(found, IPv6Address) else None) or found

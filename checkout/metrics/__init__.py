"""GET /metrics: how the shop stands, for monitoring: with a token. Programs on this machine need none where nobody
outside reaches the server, or the owner says so: a proxy on this machine has the same address."""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from checkout.errors import Code, Refusal
from checkout.settings import names_this_machine
from checkout.web import client_address, parts

_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Real-IP", "Via")


def blueprint() -> Blueprint:
    page = Blueprint("metrics", __name__)
    page.add_url_rule("/metrics", view_func=metrics)
    return page


def metrics() -> Response:
    """Refused: FORBIDDEN."""
    if not (_has_token() or _is_of_this_machine()):
        raise Refusal(
            Code.FORBIDDEN,
            "/metrics answers those that send metrics_token as a bearer token; programs on this machine need none while"
            " base_url is an address of this machine, or with metrics_loopback.",
        )
    from checkout.metrics.shop import text_of  # prometheus_client takes longer to load than most servers need it

    return Response(text_of(parts()), content_type=_FORMAT)


def _has_token() -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    expected = parts().settings.metrics_token
    return bool(expected) and scheme == "Bearer" and hmac.compare_digest(token.encode(), expected.encode())


def _is_of_this_machine() -> bool:
    """Most proxies say that they pass something on, but not all; so their silence is not enough for a public server."""
    settings = parts().settings
    if not (settings.metrics_loopback or settings.is_local) or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ip_address(client_address()).is_loopback and _is_meant()
    except ValueError:
        return False


def _is_meant() -> bool:
    """A page may have led its own name to this machine, and asks through the browser of who looks at it."""
    return names_this_machine(urlsplit(f"//{request.host}").hostname or "")

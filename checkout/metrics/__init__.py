"""GET /metrics: how the shop stands, for monitoring; to this machine, or with a token."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from flask import Blueprint, Response, request

from checkout.errors import Code, Refusal
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
            "/metrics answers programs on this machine, and those that send metrics_token as a bearer token.",
        )
    from checkout.metrics.shop import text_of  # prometheus_client takes longer to load than most servers need it

    return Response(text_of(parts()), content_type=_FORMAT)


def _has_token() -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    expected = parts().settings.metrics_token
    return bool(expected) and scheme == "Bearer" and hmac.compare_digest(token.encode(), expected.encode())


def _is_of_this_machine() -> bool:
    """A proxy on this machine has the same address, but says that it passes something on."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ip_address(client_address()).is_loopback
    except ValueError:
        return False

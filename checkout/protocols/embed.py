"""Orders that buyers open on our own pages: the embedded checkout of static sites.

There is no request of a merchant to read. Its server, often a serverless function, is told with the native event, and
the buyer returns with the native signed parameters: see `native`.
"""

from __future__ import annotations

from flask import Blueprint

from checkout.protocols.native import acknowledged, callback, return_params

__all__ = ["NAME", "acknowledged", "callback", "return_params", "routes"]

NAME = "embed"


def routes() -> Blueprint:
    """`/buy` and `/pay` are pages: see `checkout.pages`."""
    return Blueprint(NAME, __name__)

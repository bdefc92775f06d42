"""Orders that buyers open on our own pages: the embedded checkout of static sites.

There is no request of a merchant to read. Its server, often a serverless function, is told with the native event
format: POST of JSON, signed by Standard Webhooks (the headers that ride beside every callback); any 2xx acknowledges.
The buyer returns with the native signed parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint

from checkout import events
from checkout.http import Answer, Outgoing
from checkout.model import Merchant, Order

NAME = "embed"


def routes() -> Blueprint:
    """`/buy` and `/pay` are pages: see `checkout.pages`."""
    return Blueprint(NAME, __name__)


def callback(order: Order, merchant: Merchant, url: str, now: int, receipt: str = "") -> Outgoing:
    headers = {"Content-Type": "application/json"}
    return Outgoing("POST", url.partition("#")[0], headers, events.body("order.paid", order, receipt, now))


def acknowledged(answer: Answer) -> bool:
    return 200 <= answer.status < 300


def return_params(order: Order, merchant: Merchant, now: int) -> Mapping[str, str] | None:
    return None

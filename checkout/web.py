"""What all routes share: the wired parts, errors → HTTP, the addresses that merchants name.

Flask ends here: the rules below know nothing of it. Reading requests is in `fields`, proxies in `front`; routes import
all of it from here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from flask import current_app
from msgspec import Struct, field

from checkout import merchants
from checkout.amounts import Limits
from checkout.channel import Channels
from checkout.errors import Code
from checkout.fields import MAX_BODY, BadField, fields
from checkout.front import Front, client_address
from checkout.http import targets
from checkout.interfaces import AtOnce, Clock, Dialects, NewId, Send, Store
from checkout.merchants import Reach
from checkout.model.merchants import Merchant
from checkout.orders import Rules
from checkout.prompts import Gates, Till
from checkout.rates import Pace
from checkout.settings import Settings
from checkout.strangers import Strangers

__all__ = [
    "MAX_BODY",
    "STATUS",
    "BadField",
    "Front",
    "Parts",
    "check_merchant_url",
    "client_address",
    "fields",
    "is_known_host",
    "parts",
    "rules_of",
    "url_for_buyers",
]

STATUS: dict[Code, int] = {
    Code.BAD_REQUEST: 400,
    Code.BAD_AMOUNT: 400,
    Code.ZERO_AMOUNT: 400,
    Code.BAD_URL: 400,
    Code.BAD_SIGNATURE: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.DUPLICATE: 409,
    Code.NOT_ALLOWED: 409,
    Code.CONFLICT: 409,
    Code.NO_ACCOUNT: 503,
    Code.PHONE_OFFLINE: 503,
    Code.GATEWAY: 502,
    Code.BUSY: 503,
    Code.DISK_FULL: 503,
    Code.LIMITED: 429,
}


class Parts(Struct, frozen=True):
    """Everything that routes use, wired once in `create_app`."""

    settings: Settings
    rules: Rules
    store: Store
    dialects: Dialects
    clock: Clock
    new_id: NewId
    send: Send
    wake: Callable[[], None]  # tells the worker that a delivery has become due
    at_once: AtOnce  # sends what has become due in a transaction right after it
    channels: Channels  # official gateways by the names of their sections
    gates: Gates = field(default_factory=Gates)  # what this process knows of them
    strangers: Strangers = field(default_factory=Strangers)  # phones with wrong keys
    pace: Pace = field(default_factory=Pace)  # how often who may ask

    @property
    def till(self) -> Till:
        """What hands out the codes and links that orders are paid with."""
        return Till(self.store, self.channels, self.rules, self.settings.base_url, self.gates)


def parts() -> Parts:
    return cast(Parts, current_app.extensions["checkout"])


def rules_of(settings: Settings) -> Rules:
    limits = Limits(settings.order_ttl, settings.grace, settings.rest)
    return Rules(limits, settings.device_offline_after, settings.min_free_disk)


def url_for_buyers(path: str) -> str:
    """The public address of one of our paths (`/pay/…`)."""
    return parts().settings.base_url + path


def check_merchant_url(url: str, what: str) -> None:
    """Refused (BAD_URL): an address that could never be called or followed, judged by its text."""
    merchants.check_url(url, what, Reach.of(parts().settings))


def is_known_host(url: str, merchant: Merchant) -> bool:
    """Whether an address is on one of the merchant's own hosts or on its list."""
    known = {_host(merchant.notify_url), _host(merchant.return_url), *map(str.lower, merchant.allow_hosts)}
    return (_host(url) or "") in known


def _host(url: str) -> str | None:
    try:
        return targets.parsed(url).host
    except ValueError:
        return None

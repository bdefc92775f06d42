"""Static codes: a QR code for a product, not for an order; the gateway asks for the price when it is scanned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from msgspec import Struct

from checkout.channel import Raw, Reply, Start


class ProductCall(Struct, frozen=True):
    """A buyer has scanned a code; `(product, openid, nonce)` is the same when the gateway asks again.

    `product` is a product's id or, where codes of orders work alike (the 2014 form), an order's token.
    """

    product: str
    openid: str
    nonce: str
    now: int


# The order of a call, opened once for each; raises `Refusal` when there is nothing to sell.
OpenOrder = Callable[[ProductCall], Start]


@runtime_checkable
class SellsByCode(Protocol):
    """A channel whose buyers may scan a static code."""

    def product_code(self, product: str, now: int) -> str:
        """What the QR code says. ValueError: the gateway takes no such product id."""
        ...

    def answer_product(self, raw: Raw, open_order: OpenOrder) -> Reply:
        """Answers the gateway's question, whatever it is; never raises for what was asked."""
        ...

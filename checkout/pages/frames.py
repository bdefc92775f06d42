"""Our pages inside other people's pages: who may frame them, and whom they speak to.

`?embed=<origin>` names the page around; only an origin that the owner has listed is spoken to, and the same list
becomes `frame-ancestors`. Without it a page can be framed by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable

from flask import Response, request
from msgspec import Struct

from checkout import checklist, selling, store
from checkout.model.merchants import Merchant
from checkout.model.orders import Order
from checkout.model.products import Product
from checkout.web import parts

_NOBODY = "frame-ancestors 'none'"


class Frame(Struct, frozen=True):
    """`origin`: the page around, "" where there is none, or none that may be. `origins`: all that may."""

    origin: str = ""
    origins: tuple[str, ...] = ()


def asked() -> str:
    """The origin that the address names, "" for none and for what is no origin."""
    named = request.args.get("embed", "")
    return named if named and selling.origin(named) == named else ""


def within(origins: Iterable[str]) -> Frame:
    """The frame that this request asks for, if `origins` has it."""
    listed, named = tuple(origins), asked()
    return Frame(named, listed) if named and named in listed else Frame()


def origins_of(merchant: Merchant) -> list[str]:
    """The sites of a merchant that opens orders by itself: its own addresses, and the hosts it has allowed."""
    own = [selling.origin(url) for url in (merchant.notify_url, merchant.return_url) if url]
    return list(dict.fromkeys(filter(None, [*own, *(f"https://{host}" for host in merchant.allow_hosts)])))


def of_order(order: Order, product: Product | None) -> Frame:
    """The frame for the pages of an order: the product's sites, or those of the merchant that opened it."""
    if not asked():
        return Frame()
    if product is not None:
        return within(product.origins)
    with parts().store.read() as db:
        merchant = store.merchants.get(db, order.merchant)
    return within(origins_of(merchant)) if merchant else Frame()


def product_of(order: Order) -> Product | None:
    """What the order is for, where that is a product of ours."""
    if not order.product:
        return None
    with parts().store.read() as db:
        return store.products.get(db, order.product)


def allowed(answer: Response, frame: Frame) -> Response:
    """`answer` with the headers that let the frame's origins show it."""
    if frame.origin:
        checklist.note_embed(parts().store, frame.origin, parts().clock())
        policy = answer.headers["Content-Security-Policy"]
        answer.headers["Content-Security-Policy"] = policy.replace(
            _NOBODY, f"frame-ancestors {' '.join(frame.origins)}"
        )
        isolated(answer)
    return answer


def isolated(answer: Response) -> Response:
    """`answer`, so that pages that isolate themselves (COEP) let it into their frames; redirects need it, too."""
    answer.headers["Cross-Origin-Embedder-Policy"] = "require-corp"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer

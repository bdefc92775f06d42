"""Products: looked at and listed. They are set up by their owner."""

from __future__ import annotations

from checkout import store
from checkout.errors import Code, Refusal
from checkout.products import PRODUCT_ID
from checkout.protocols.api import models, paging, shapes
from checkout.protocols.api.entry import Call
from checkout.protocols.api.models import ProductFilter


def get(call: Call, product: str) -> tuple[int, models.Product]:
    with call.store.read() as db:
        found = store.products.get(db, product) if PRODUCT_ID.fullmatch(product) else None
        if found is None or found.merchant != call.merchant.id:
            raise Refusal(Code.NOT_FOUND, "There is no such product.")
        return 200, shapes.product(db, found, call.now)


def listed(call: Call) -> tuple[int, models.Products]:
    wanted: ProductFilter = call.query
    _, after = paging.position(wanted.cursor) or (0, "")
    with call.store.read() as db:
        found = store.products.of_merchant(db, call.merchant.id, after=after, limit=wanted.limit + 1)
        page = found[: wanted.limit]
        more = paging.cursor(0, page[-1].id) if len(found) > len(page) else None
        return 200, models.Products([shapes.product(db, one, call.now) for one in page], more)

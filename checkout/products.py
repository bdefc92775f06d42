"""Selling without a shop: who may buy what, and what is handed over once it is paid. No Flask, no SQL."""

from __future__ import annotations

import hashlib
import hmac
import re

from msgspec import Struct

from checkout import ids, store
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows
from checkout.model.orders import Order
from checkout.model.products import Product, Receipt
from checkout.money import yuan
from checkout.rates import household
from checkout.refunds import money_back

PRODUCT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MAX_REF = 200


class Wish(Struct, frozen=True):
    """What a buyer asks for on /buy. `amount` (fen) only for products whose price the buyer names."""

    quantity: int = 1
    amount: int | None = None
    ref: str = ""  # the site's label for the buyer: shown, passed on, never trusted
    client: str = ""


class Caps(Struct, frozen=True):
    """How many amounts the unpaid orders of buyers may hold at once, so that nobody can use them all up."""

    per_address: int = 5
    per_product: int = 60
    in_all: int = 80

    def within(self, pool: int) -> Caps:
        """These caps where only `pool` amounts can be given out: a fifth of them stays for the merchant's own."""
        in_all = max(1, min(self.in_all, pool * 4 // 5))
        per_product = max(1, min(self.per_product, pool * 3 // 5))
        return Caps(min(self.per_address, per_product), per_product, in_all)


def get(db: Rows, product_id: str) -> Product:
    """The product, also when it is no longer sold. Refused: NOT_FOUND."""
    product = store.products.get(db, product_id) if PRODUCT_ID.fullmatch(product_id) else None
    if product is None:
        raise Refusal(Code.NOT_FOUND, "There is no such product.")
    return product


def price_of(product: Product, wish: Wish) -> int:
    """What the wish costs, in fen. Refused (BAD_AMOUNT, BAD_REQUEST): outside the product's bounds."""
    if not 1 <= wish.quantity <= product.max_quantity:
        raise Refusal(Code.BAD_REQUEST, f"The quantity must be from 1 to {product.max_quantity}.")
    if wish.amount is None:
        return product.price * wish.quantity
    if product.lowest is None or product.highest is None:
        raise Refusal(Code.BAD_AMOUNT, "The price of this product is fixed.")
    if not product.lowest <= wish.amount <= product.highest:
        bounds = f"{yuan(product.lowest)} to {yuan(product.highest)}"
        raise Refusal(Code.BAD_AMOUNT, f"The amount must be from {bounds} yuan.")
    return wish.amount * wish.quantity


def check(db: Rows, product: Product, wish: Wish, now: int) -> None:
    """Whether the wish may become an order now. Refused: NOT_ALLOWED (no longer sold, sold out, over the limit)."""
    if product.disabled_at is not None:
        raise Refusal(Code.NOT_ALLOWED, "This product is no longer sold.")
    left = pieces_left(db, product, now)
    if left is not None and left < wish.quantity:
        raise Refusal(Code.NOT_ALLOWED, "Sold out." if left <= 0 else f"Only {left} left.")
    if product.per_buyer is not None:
        has = store.products.bought_by(db, product.id, wish.ref, wish.client, now)
        if has + wish.quantity > product.per_buyer:
            raise Refusal(Code.NOT_ALLOWED, f"At most {product.per_buyer} for each buyer.")


def check_caps(db: Rows, product: Product, wish: Wish, method: str, caps: Caps, *, since: int, now: int) -> None:
    """Whether buyers' orders hold few enough amounts of the method. Older orders than `since` hold none any more.

    Refused: LIMITED, with the seconds until one of the amounts in question is free.
    """
    held = store.products.holding(db, method, since, now)
    groups = (
        ([one for one in held if wish.client and one.client == wish.client], caps.per_address),
        ([one for one in held if one.product == product.id], caps.per_product),
        (held, caps.in_all),
    )
    for group, cap in groups:
        if len(group) >= cap:
            wait = max(1, min(one.free_at for one in group) - now)
            raise Refusal(Code.LIMITED, f"Too many orders wait for payment; try again in {wait} s.", retry_after=wait)


def pieces_left(db: Rows, product: Product, now: int) -> int | None:
    """Pieces that can still be sold; None: as many as you like."""
    left = [] if product.stock is None else [product.stock - store.products.taken(db, product.id, now)]
    if product.deliver == "keys":
        waiting = store.products.waiting_pieces(db, product.id, now)
        left.append(store.products.keys_left(db, product.id) - waiting)
    return min(left) if left else None


def fulfil(db: Rows, order: Order, now: int) -> Receipt:
    """Writes the receipt of an order that was paid just now, with its goods, in the transaction that pays it.

    When keys have run out (money that came late) the receipt says how many are owed; the order is paid all the same.
    """
    product = store.products.get(db, order.product) if order.product else None
    deliver, goods, short = "return", "", 0
    if product is not None:
        deliver, goods = product.deliver, product.goods
        if deliver == "keys":
            keys = store.products.take_keys(db, product.id, order.token, order.quantity, now)
            goods, short = "\n".join(keys), order.quantity - len(keys)
    receipt = Receipt(ids.new_token(), order.token, deliver, goods, short, now)
    store.receipts.add(db, receipt)
    store.receipts.settle_claims(db, order.token, now)
    return receipt


def add_keys(db: Rows, product: Product, keys: list[str], now: int) -> tuple[int, int]:
    """Adds licence keys, first to the receipts that still miss some. Gives (added, handed over at once)."""
    added, handed = store.products.add_keys(db, product.id, keys, now), 0
    for receipt in store.receipts.short(db, product.id):
        if _is_refunded(db, receipt):
            continue
        more = store.products.take_keys(db, product.id, receipt.order_token, receipt.short, now)
        goods = "\n".join(filter(None, [receipt.goods, *more]))
        store.receipts.supply(db, receipt.token, goods, receipt.short - len(more))
        handed += len(more)
    return added, handed


def keys_to_block(db: Rows, order: Order) -> list[str]:
    """The licence keys that the buyer still knows, though all of the order's money went back."""
    receipt = store.receipts.of_order(db, order.token)
    if receipt is None or receipt.deliver != "keys" or not money_back.of(db, order).is_whole:
        return []
    return receipt.goods.splitlines()


def _is_refunded(db: Rows, receipt: Receipt) -> bool:
    order = store.orders.get(db, receipt.order_token)
    return order is not None and money_back.of(db, order).is_whole


def client_digest(secret: str, address: str) -> str:
    """Who is asking, without keeping the address."""
    return hmac.digest(secret.encode(), f"client:{household(address)}".encode(), hashlib.sha256).hex()[:32]

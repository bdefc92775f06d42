"""A buyer takes a product: the order is opened, or the one that the same form has already opened is found."""

from __future__ import annotations

import hashlib
import hmac

from msgspec import Struct
from msgspec.structs import replace

from checkout import opening, products, store
from checkout.errors import Code, Refusal
from checkout.http import targets
from checkout.interfaces import Rows, Store
from checkout.model.accounts import PERSONAL, Method
from checkout.model.merchants import Merchant
from checkout.model.orders import Order, State
from checkout.model.products import Product
from checkout.money import yuan
from checkout.opening import Ask
from checkout.orders import Rules
from checkout.products import Caps, Wish
from checkout.store.accounts import Watched

DIALECT = "embed"
RENEW_WITHIN_S = 86_400
_NO_BOUND = 1_000_000


class Purchase(Struct, frozen=True):
    """A product, what the buyer wants of it, and how the money comes."""

    product: Product
    wish: Wish
    method: str
    number: str  # the same for every sending of one form, and nobody can guess it
    language: str
    return_url: str = ""  # instead of the product's own
    without: frozenset[str] = frozenset()  # accounts that do not serve it


def open_order(db_store: Store, purchase: Purchase, rules: Rules, caps: Caps, now: int) -> Order:
    """The order for the purchase; the same one when its form is sent twice, whatever became of it.

    Refused: NOT_ALLOWED (closed, sold out, over the limit), BAD_AMOUNT, BAD_REQUEST, BAD_URL, LIMITED and BUSY (both
    with `retry_after`), NO_ACCOUNT, PHONE_OFFLINE, DISK_FULL.
    """
    with db_store.read() as db:
        before = store.orders.by_number(db, purchase.product.merchant, purchase.number)
    if before is not None:
        return before
    ask = _ask(db_store, purchase)
    try:
        return opening.open_order(db_store, ask, rules, now, check=lambda db: _check(db, purchase, rules, caps, now))
    except Refusal as refusal:
        if refusal.code is not Code.DUPLICATE:
            raise
    with db_store.read() as db:  # the form was sent twice at once
        before = store.orders.by_number(db, purchase.product.merchant, purchase.number)
    assert before is not None
    return before


def renew(db_store: Store, order: Order, rules: Rules, caps: Caps, now: int) -> Order | None:
    """Another attempt at an order that has ended unpaid; if one waits or was paid already, that one.

    None: it cannot be bought again as it was (another price, no longer sold), so the buyer starts again at the product.
    Refused as `open_order`, and NOT_ALLOWED where the buyer may not (`may_renew`)."""
    with db_store.read() as db:
        latest = store.orders.by_number(db, order.merchant, order.number) or order
        merchant = store.merchants.get(db, order.merchant)
        product = store.products.get(db, latest.product) if latest.product else None
        is_allowed = may_renew(db, latest, now)
    assert merchant is not None
    if latest.state_at(now) in (State.PENDING, State.PAID):
        return latest
    if not is_allowed:
        raise Refusal(Code.NOT_ALLOWED, "There is no new code for this order; start again at the shop.")
    if product is not None:
        wish = _wish_again(product, latest)
        if product.disabled_at is not None or products.price_of(product, wish) != latest.price:
            return None
        again = Purchase(product, wish, latest.method, latest.number, "")
        return opening.open_order(
            db_store, _same(latest, replace(merchant, reuse=True)), rules, now,
            check=lambda db: _check(db, again, rules, caps, now),
        )  # fmt: skip
    return opening.open_order(db_store, _same(latest, merchant), rules, now)


def may_renew(db: Rows, latest: Order, now: int) -> bool:
    """Whether the buyer may try again to pay an order whose latest attempt has ended unpaid.

    The price of a product is looked up again. What a shop has asked for by itself it may have closed, and its price is
    that of its day: a buyer who could renew it for ever would wait until it is cheap."""
    merchant = store.merchants.get(db, latest.merchant)
    if merchant is None or merchant.disabled_at is not None:
        return False
    if latest.product:
        return True
    is_over = latest.state_at(now) is State.EXPIRED
    return merchant.reuse and is_over and now < store.orders.first_asked_at(db, latest) + RENEW_WITHIN_S


def number_of(secret: str, product_id: str, form: str) -> str:
    """The order number that belongs to a form."""
    return hmac.digest(secret.encode(), f"order:{product_id}:{form}".encode(), hashlib.sha256).hex()[:20]


def methods(db: Rows) -> tuple[Method, ...]:
    """The methods for which some account could take money."""
    return tuple(method for method in Method if any(map(_is_ready, store.accounts.open_for(db, method))))


def pool(db: Rows, method: str) -> int:
    """How many orders of one price the method's accounts can hold at once. Accounts on one phone share their
    amounts."""
    size, counted = 0, set[str]()
    for one in store.accounts.open_for(db, method):
        if one.account.channel != PERSONAL:
            return _NO_BOUND  # a gateway needs no amount of its own
        if one.account.id not in counted:
            size += one.account.max_offset + 1
            counted.update(store.accounts.neighbours(db, one.account.id))
    return size


def _is_ready(one: Watched) -> bool:
    return bool(one.account.code) or one.account.channel != PERSONAL


def origin(url: str) -> str:
    """`scheme://host[:port]` of an address, as browsers write it; "" for anything but a plain http(s) address."""
    try:
        target = targets.parsed(url)
    except ValueError:
        return ""
    return f"{'https' if target.tls else 'http'}://{target.authority}"


def may_return_to(product: Product, url: str) -> bool:
    """Whether a buyer may be sent to an address that a page has named: only on the product's own sites."""
    own = origin(product.return_url) if product.return_url else ""
    return origin(url) in {*product.origins, own} - {""}


def check_return(product: Product, url: str) -> None:
    """Refused (BAD_URL): an address on none of the product's own sites."""
    if not may_return_to(product, url):
        raise Refusal(Code.BAD_URL, "The return address is on no site that this product is sold on.")


def _check(db: Rows, purchase: Purchase, rules: Rules, caps: Caps, now: int) -> None:
    """Called in the transaction that opens the order: of two buyers of the last piece, only one gets it."""
    products.check(db, purchase.product, purchase.wish, now)
    size = pool(db, purchase.method)
    caps = caps.within(size) if size < _NO_BOUND else replace(caps, per_product=size, in_all=size)
    since = now - rules.limits.order_ttl - rules.limits.grace
    products.check_caps(db, purchase.product, purchase.wish, purchase.method, caps, since=since, now=now)


def _wish_again(product: Product, order: Order) -> Wish:
    named = product.lowest is not None
    return Wish(order.quantity, order.price // order.quantity if named else None, order.buyer, order.client)


def _same(order: Order, merchant: Merchant) -> Ask:
    return Ask(
        merchant=merchant, dialect=order.dialect, number=order.number, price=order.price, price_text=order.price_text,
        method=order.method, title=order.title, content=order.content, param=order.param, buyer=order.buyer,
        notify_url=order.notify_url, return_url=order.return_url, extra=order.extra, product=order.product,
        quantity=order.quantity, ttl=order.expires_at - order.created_at, client=order.client, asked=order.asked,
    )  # fmt: skip


def _ask(db_store: Store, purchase: Purchase) -> Ask:
    product, wish = purchase.product, purchase.wish
    if purchase.return_url:
        check_return(product, purchase.return_url)
    with db_store.read() as db:
        merchant = store.merchants.get(db, product.merchant)
    assert merchant is not None
    if merchant.disabled_at is not None:
        raise Refusal(Code.NOT_ALLOWED, "This product is no longer sold.")
    price = products.price_of(product, wish)
    title = product.title(purchase.language)
    return Ask(
        merchant=merchant, dialect=DIALECT, number=purchase.number, price=price, price_text=yuan(price),
        method=purchase.method, title=title if wish.quantity == 1 else f"{title} × {wish.quantity}",
        buyer=wish.ref, return_url=purchase.return_url or product.return_url, product=product.id,
        quantity=wish.quantity, client=wish.client, without=purchase.without,
    )  # fmt: skip

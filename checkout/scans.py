"""Static codes: a buyer has scanned a product's QR code, and the gateway asks what is to be paid. No Flask, no SQL."""

from __future__ import annotations

from msgspec import Struct

from checkout import gateways, orders, products, selling, store
from checkout.channel import Channel, Scene, Start
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows
from checkout.model.orders import Order, State
from checkout.products import Caps, Wish
from checkout.prompts import Till
from checkout.selling import Purchase


class Scan(Struct, frozen=True):
    """One question from a gateway; the same `(product, openid, nonce)` is the same question again.

    `product` is a product's id, or the token of an order whose code works the same way (WeChat's form of 2014).
    """

    product: str
    openid: str
    nonce: str
    now: int


def begin(till: Till, channel: Channel, scan: Scan, secret: str, client_ip: str) -> Start:
    """The order that the scan opens, one for each question, noted as begun at the channel's gateway.

    Refused as `selling.open_order`, NOT_FOUND (no such product), NOT_ALLOWED (the buyer has to name a price, the order
    has ended, or no account takes its money through this channel).
    """
    with till.store.read() as db:
        order = store.orders.get(db, scan.product)
    if order is None:
        order = _opened(till, channel, scan, secret)
    if order.channel != channel.name or order.state_at(scan.now) is not State.PENDING:
        raise Refusal(Code.NOT_ALLOWED, "This order does not wait for payment; scan the code again.")
    order = orders.show(till.store, order, till.rules.limits, scan.now)
    gateways.begin(till.store, order, channel, Scene.QR, scan.now)
    return Start(
        order, Scene.QR, order.title or order.number, client_ip, scan.openid, f"{till.site}/notify/{channel.name}",
        f"{till.site}/pay/{order.token}", scan.now,
    )  # fmt: skip


def _opened(till: Till, channel: Channel, scan: Scan, secret: str) -> Order:
    with till.store.read() as db:
        product = products.get(db, scan.product)
        others = _other_accounts(db, channel)
    if product.lowest is not None:
        raise Refusal(Code.NOT_ALLOWED, "The price of this product is the buyer's; a code cannot name it.")
    number = selling.number_of(secret, product.id, f"{channel.name}:{scan.openid}:{scan.nonce}")
    wish = Wish(client=products.client_digest(secret, scan.openid))
    purchase = Purchase(product, wish, channel.method, number, "zh", without=others)
    return selling.open_order(till.store, purchase, till.rules, Caps(), scan.now)


def _other_accounts(db: Rows, channel: Channel) -> frozenset[str]:
    """The accounts that cannot receive the money of this code. Refused: NOT_ALLOWED."""
    found = [one.account for one in store.accounts.open_for(db, channel.method)]
    others = frozenset(account.id for account in found if account.channel != channel.name)
    if len(others) == len(found):
        raise Refusal(Code.NOT_ALLOWED, f"No account takes money through {channel.name}: checkout account add.")
    return others

"""When paying does not go as it should: another method, "I have paid", a new code, giving up.

Plain forms that lead back to the page of the order. Nothing here books a payment: a buyer's word waits for the owner.
"""

from __future__ import annotations

from flask import Blueprint, Response
from msgspec import Struct

from checkout import claims, orders, selling, store, switching
from checkout.errors import Code, Refusal
from checkout.model.orders import Order, State
from checkout.pages import answers, links
from checkout.products import Caps
from checkout.web import Parts, fields, parts


class Aid(Struct, frozen=True):
    """What the buyer can do about an order."""

    methods: tuple[str, ...] = ()  # to switch to
    newer: str = ""  # token of the attempt that waits now, where this one has ended
    can_renew: bool = False
    can_cancel: bool = False
    has_said: bool = False  # a claim waits for the owner


def routes(blueprint: Blueprint) -> None:
    """Below the page of an order."""
    for name, view in (("check", check), ("claim", claim), ("renew", renew), ("cancel", cancel)):
        blueprint.add_url_rule(f"/pay/<token>/{name}", name, view, methods=["POST"])


def aid(shop: Parts, order: Order, now: int) -> Aid:
    """What the page of the order offers its buyer at `now`."""
    state = order.state_at(now)
    if state is State.PAID:
        return Aid()
    is_ours = order.dialect in switching.DIALECTS
    with shop.store.read() as db:
        said = store.receipts.claim_of(db, order.token) is not None
        if state is State.PENDING:
            others = tuple(m for m in selling.methods(db) if m != order.method) if is_ours and order.method else ()
            return Aid(methods=others, can_cancel=bool(order.product), has_said=said)
        latest = store.orders.by_number(db, order.merchant, order.number) or order
        newer = latest.token if latest.state_at(now) is State.PENDING else ""
        may = not newer and selling.may_renew(db, latest, now)
    return Aid(newer=newer, can_renew=may, has_said=said)


def paid_attempt(shop: Parts, order: Order, now: int) -> Order:
    """The attempt of the same number that was paid meanwhile, else `order`: late money may come to any attempt."""
    if order.state_at(now) not in (State.EXPIRED, State.CLOSED):
        return order
    with shop.store.read() as db:
        found = store.orders.by_number(db, order.merchant, order.number)
    return found if found is not None and found.state is State.PAID else order


def check(token: str) -> Response:
    """The buyer says they have paid: the page asks more often for a while, then offers to tell the shop."""
    _order(token)
    return answers.see(links.path("pay", token, asked=str(parts().clock())) + "#help")


def claim(token: str) -> Response:
    """The buyer tells the shop of a payment that was not seen."""
    given = fields(known=("amount", "paid_around", "last_digits", "note"))
    order, now = _order(token), parts().clock()
    try:
        claims.file(
            parts().store, order, amount=given.get("amount", ""), paid_around=given.get("paid_around", ""),
            last_digits=given.get("last_digits", ""), note=given.get("note", ""), new_id=parts().new_id, now=now,
        )  # fmt: skip
    except Refusal as refusal:
        if refusal.code is not Code.CONFLICT:  # the page says that the message is here
            raise
    return answers.see(links.path("pay", token))


def renew(token: str) -> Response:
    """A new code for an order that has ended unpaid."""
    order = _order(token)
    found = selling.renew(parts().store, order, parts().rules, Caps(), parts().clock())
    return answers.see(links.path("pay", found.token) if found else links.path("buy", order.product))


def cancel(token: str) -> Response:
    """The buyer gives up an order that was opened on our own page; those of merchants are theirs to close."""
    order = _order(token)
    if not order.product:
        raise Refusal(Code.NOT_ALLOWED, "This order is closed by the shop that opened it.")
    if order.state_at(parts().clock()) is State.PENDING:
        orders.close(parts().store, token, parts().rules.limits, parts().clock())
    return answers.see(links.path("pay", token))


def _order(token: str) -> Order:
    with parts().store.read() as db:
        order = store.orders.get(db, token)
    if order is None:
        raise Refusal(Code.NOT_FOUND, "There is no such order.")
    return order

"""checkout order: what merchants asked to be paid."""

from __future__ import annotations

from typing import Any

import click

from checkout import audit, channels, inquiries, money, orders, products, settlement, store
from checkout.amounts import Limits
from checkout.cli import deliveries, payments
from checkout.cli import refunds as refund_lines
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, details, show, table, when
from checkout.cli.section import Section
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows
from checkout.model.deliveries import Delivery
from checkout.model.orders import Order, State
from checkout.model.refunds import Refund
from checkout.money import yuan
from checkout.refunds import ledger, money_back
from checkout.store.orders import Filter

_amount = click.option("--amount", required=True, metavar="9.90")
_reason = click.option("--reason", required=True, metavar="R", help="Why; it is kept in the audit log.")


@click.group(cls=Section)
def order() -> None:
    """What merchants asked to be paid."""


@order.command("list")
@click.option("--state", type=click.Choice([state.value for state in State]))
@click.option("--merchant", type=int, metavar="ID")
@click.option("--search", metavar="TEXT", help="The token or the merchant's number, exactly.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
@click.pass_obj
def list_(desk: Desk, state: str | None, merchant: int | None, search: str | None, limit: int, as_json: bool) -> None:
    """List orders, the newest first."""
    now = desk.clock()
    with desk.store.read() as db:
        found = store.orders.listed(db, Filter(merchant=merchant, state=state, text=search, limit=limit))
        shapes = [shape(db, one, now) for one in found]
    rows = [
        (one.token, one.merchant, one.number, one.method, _due(one), _state(one, now), when(one.created_at))
        for one in found
    ]
    heads = ("TOKEN", "MERCHANT", "NUMBER", "METHOD", "AMOUNT", "STATE", "MADE")
    show(shapes, as_json, lambda: table(heads, rows, "No orders."))


@order.command("show")
@click.argument("token")
@as_json
@click.pass_obj
def show_(desk: Desk, token: str, as_json: bool) -> None:
    """Show an order with its payments, deliveries and refunds."""
    _answer(desk, token, as_json)


@order.command()
@click.argument("token")
@_amount
@_reason
@as_json
@click.pass_obj
def confirm(desk: Desk, token: str, amount: str, reason: str, as_json: bool) -> None:
    """Book an order as paid because you have seen the money; the merchant is told."""
    settlement.confirm(desk.store, token, amount=money.fen(amount), reason=reason, **desk.by)
    _answer(desk, token, as_json)


@order.command()
@click.argument("token")
@as_json
@click.pass_obj
def close(desk: Desk, token: str, as_json: bool) -> None:
    """Close an order that waits for payment."""
    limits = Limits(desk.preferred.order_ttl, desk.preferred.grace, desk.preferred.rest)
    by = desk.by
    orders.close(desk.store, token, limits, by["now"])
    with desk.store.transaction() as db:
        audit.note(db, by["actor"], "order.close", token, {}, by["new_id"], by["now"])
    _answer(desk, token, as_json)


@order.command()
@click.argument("token")
@as_json
@click.pass_obj
def ask(desk: Desk, token: str, as_json: bool) -> None:
    """Ask the gateway of an official account how an order stands; money that it reports is booked."""
    gates = channels.make_channels(desk.settings)
    inquiries.ask_now(desk.store, gates, token, new_id=desk.by["new_id"], now=desk.by["now"])
    _answer(desk, token, as_json)


@order.command()
@click.argument("token")
@click.option("--amount", metavar="1.00", help="How much goes back; without it all that is left.")
@click.option("--reason", required=True, metavar="R", help="Kept in the audit log; the buyer may be shown it.")
@click.option("--number", default="", metavar="N", help="Your own for this refund: the same again sends nothing again.")
@click.option("--by-hand", is_flag=True, help="You have sent the money yourself; only record it.")
@as_json
@click.pass_obj
def refund(desk: Desk, token: str, amount: str | None, reason: str, number: str, by_hand: bool, as_json: bool) -> None:
    """Send money back to the buyer.

    Through the gateway that the order was paid by; what came to a personal code you send back in the app, and it is
    recorded here.
    """
    given = None if amount is None else money.fen(amount)
    with desk.store.read() as db:
        paid = store.orders.get(db, token)
        is_personal = paid is not None and money_back.is_by_hand(money_back.channel_of(db, paid))
    if by_hand or is_personal:
        ledger.by_hand(desk.store, token, amount=given, reason=reason, number=number, **desk.by)
        _answer(desk, token, as_json)
        return
    gates = channels.make_channels(desk.settings)  # before anything is written: a key may be missing
    asked = ledger.ask(desk.store, token, gates, amount=given, reason=reason, number=number, **desk.by)
    after = refund_lines.send_back(desk, gates, asked)
    _answer(desk, token, as_json)
    refund_lines.told(after)


def shape(db: Rows, one: Order, now: int) -> dict[str, Any]:
    """The JSON of an order."""
    delivery = _delivery(db, one)
    back, under_way = store.refunds.sums(db, one.token)
    return {
        "token": one.token, "merchant": one.merchant, "dialect": one.dialect, "number": one.number,
        "method": one.method or None, "account": one.account or None, "price": yuan(one.price),
        "really_price": None if one.really_price is None else yuan(one.really_price),
        "state": one.state_at(now).value, "late": one.late, "created_at": one.created_at,
        "expires_at": one.expires_at, "paid_at": one.paid_at, "closed_at": one.closed_at,
        "refunded": yuan(back), "refunding": yuan(under_way),
        "delivery": delivery and {"state": delivery.state.value, "attempts": delivery.attempts},
    }  # fmt: skip


def _delivery(db: Rows, one: Order) -> Delivery | None:
    """The message that tells the merchant that the order was paid."""
    paid = (delivery for delivery in store.deliveries.of_order(db, one.token) if delivery.event == "order.paid")
    return next(paid, None)


def _answer(desk: Desk, token: str, as_json: bool) -> None:
    now = desk.clock()
    with desk.store.read() as db:
        one = store.orders.get(db, token)
        if one is None:
            raise Refusal(Code.NOT_FOUND, "There is no such order: checkout order list.")
        found = store.refunds.of_order(db, token)
        data = shape(db, one, now) | {
            "title": one.title, "param": one.param, "notify_url": one.notify_url, "return_url": one.return_url,
            "pay_url": f"{desk.settings.base_url}/pay/{one.token}",
            "payments": [payments.shape(payment) for payment in store.payments.of_order(db, token)],
            "deliveries": [deliveries.shape(delivery) for delivery in store.deliveries.of_order(db, token)],
            "keys_to_block": products.keys_to_block(db, one),
            "refunds": [refund_lines.shape(refund) for refund in found],
        }  # fmt: skip
    show(data, as_json, lambda: _told(one, data, found, now))


def _told(one: Order, data: dict[str, Any], found: list[Refund], now: int) -> str:
    told = data["delivery"]
    pairs = [
        ("token", one.token),
        ("number", f"{one.number} of merchant {one.merchant} ({one.dialect})"),
        ("state", _state(one, now)),
        ("price", yuan(one.price)),
        ("to be sent", data["really_price"]),
        ("received on", f"{one.method} {one.account}".strip()),
        ("title", one.title),
        ("param", one.param),
        ("made", when(one.created_at)),
        ("expires", when(one.expires_at)),
        ("paid", when(one.paid_at)),
        ("refunded", data["refunded"] if data["refunds"] else ""),
        ("refunding", data["refunding"] if data["refunding"] != "0.00" else ""),
        *((f"refund {entry.state.value}", refund_lines.line(entry)) for entry in found),
        *(("block this key", key) for key in data["keys_to_block"]),
        ("merchant told", f"{told['state']} after {told['attempts']} tries" if told else ""),
        ("page", data["pay_url"]),
        *((f"payment {entry['judgement']}", f"{entry['amount']} {entry['id']}") for entry in data["payments"]),
    ]
    return details(pairs)


def _due(one: Order) -> str:
    return yuan(one.price if one.really_price is None else one.really_price)


def _state(one: Order, now: int) -> str:
    return one.state_at(now).value + (" late" if one.late else "")

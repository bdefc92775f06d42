"""Our records in the form of the native API's models."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from checkout import orders, products, store
from checkout.interfaces import Rows
from checkout.model.accounts import PERSONAL
from checkout.model.orders import Order, State
from checkout.model.payments import Payment
from checkout.model.products import Product
from checkout.model.refunds import Refund
from checkout.outbox import events
from checkout.protocols.api import models
from checkout.refunds import money_back
from checkout.store.gateways import StoredPrompt
from checkout.web import url_for_buyers


def order(db: Rows, one: Order, now: int) -> models.Order:
    """As in the events, with what only its merchant may know."""
    extra = extra_of(one)
    receipt = store.receipts.of_order(db, one.token) if one.state is State.PAID else None
    shown: dict[str, Any] = {
        **events.order_data(one, now),
        "dialect": one.dialect,
        "refunded": events.money(money_back.of(db, one).back),
        "closed_at": _time(one.closed_at),
        "notify_url": one.notify_url or None,
        "return_url": one.return_url or None,
        "pay_url": url_for_buyers(f"/pay/{one.token}"),
        "receipt": receipt.token if receipt else None,
        "scene": extra.get("scene"),
        "prompt": _prompt(db, one, extra.get("scene"), now),
    }
    return msgspec.convert(shown, models.Order)


def refund(one: Refund) -> models.Refund:
    return models.Refund(
        refund=one.id, order=one.order_token, number=one.number, amount=_money(one.amount), reason=one.reason,
        state=one.state, error=one.error, created_at=events.rfc3339(one.created_at), done_at=_time(one.done_at),
    )  # fmt: skip


def product(db: Rows, one: Product, now: int) -> models.Product:
    return models.Product(
        product=one.id, title_zh=one.title_zh, title_en=one.title_en, price=_money(one.price),
        lowest=_money(one.lowest) if one.lowest is not None else None,
        highest=_money(one.highest) if one.highest is not None else None, max_quantity=one.max_quantity,
        left=products.pieces_left(db, one, now), deliver=one.deliver, active=one.disabled_at is None,
        buy_url=url_for_buyers(f"/buy/{one.id}"), created_at=events.rfc3339(one.created_at),
    )  # fmt: skip


def payment(one: Payment) -> models.Payment:
    """Without the phone's message, which names the payer."""
    shown = {
        "payment": one.id,
        "order": one.order_token or None,
        "channel": one.channel,
        "method": one.method or None,
        "amount": events.money(one.amount) if one.amount is not None else None,
        "judgement": one.judgement.value,
        "note": one.note,
        "happened_at": events.rfc3339(one.happened_at),
        "received_at": events.rfc3339(one.received_at),
        "judged_at": _time(one.judged_at),
    }
    return msgspec.convert(shown, models.Payment)


def prompt(found: StoredPrompt) -> models.Prompt:
    """What a gateway gave us to show."""
    shown = {"kind": found.kind, "text": found.text, "params": dict(found.params), "amount_typed": False}
    return msgspec.convert(shown, models.Prompt)


def extra_of(one: Order) -> dict[str, Any]:
    """What the native API keeps of an order beside its columns; nothing of an order of another dialect."""
    found: dict[str, Any] = json.loads(one.extra) if one.dialect == "api" else {}
    return found


def _prompt(db: Rows, one: Order, scene: str | None, now: int) -> models.Prompt | None:
    """Only while the order waits: the amount of one that has ended may be another order's by now. Only what was shown
    already: a question must not change from when on an amount has to rest."""
    if scene is None or one.state_at(now) is not State.PENDING or one.shown_at is None:
        return None
    if one.channel == PERSONAL:
        code, is_typed = orders.code_of(db, one)
        return models.Prompt(kind="qr", text=code, params={}, amount_typed=is_typed)
    found = store.gateways.prompt(db, one.token, one.channel, scene)
    return prompt(found) if found else None


def _money(fen: int) -> models.Money:
    return models.Money(fen, "CNY")


def _time(at: int | None) -> str | None:
    return events.rfc3339(at) if at is not None else None

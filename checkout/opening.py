"""Opening an order, or finding the one that was asked for before: what every dialect comes to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial

from msgspec import Struct

from checkout import accounts, ids, locks, logs, orders, store
from checkout.amounts import Limits
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows, Store
from checkout.locks import Held
from checkout.model.accounts import PERSONAL
from checkout.model.merchants import Merchant
from checkout.model.orders import Order, State
from checkout.orders import Rules


class Ask(Struct, frozen=True):
    """What a merchant asks for. The signature holds, the addresses are checked, `price` is fen."""

    merchant: Merchant
    dialect: str
    number: str
    price: int  # fen, of the whole quantity
    price_text: str  # as the merchant spelt it, which gets it back so
    method: str = ""  # "": the buyer chooses
    title: str = ""
    content: str = ""
    param: str = ""
    buyer: str = ""
    notify_url: str = ""
    return_url: str = ""
    extra: str = "{}"  # a JSON object of the dialect's own
    product: str = ""
    quantity: int = 1
    ttl: int | None = None  # seconds; None: the setting
    shown: bool = False  # the answer itself carries the QR code
    client: str = ""  # keyed digest of the buyer's address, where a buyer opens the order
    detail: str = ""  # what else tells a retry from another order
    without: frozenset[str] = frozenset()  # accounts that do not serve what is asked for
    asked: str = ""  # where a buyer renews an order: its digest, as it is the same order to the shop

    def digest(self) -> str:
        """Tells a retry (same digest) from another order under the same number."""
        if self.asked:
            return self.asked
        same = (self.dialect, self.method, self.price, self.param, self.buyer, self.notify_url, self.return_url)
        detail = [self.detail] if self.detail else []
        return hashlib.sha256(json.dumps([*same, self.product, self.quantity, *detail]).encode()).hexdigest()


class Opened(Struct, frozen=True):
    """The order that answers an `Ask`. `code`: as `orders.code_of` gives it, where the answer carries one of ours."""

    order: Order
    is_new: bool
    code: tuple[str, bool] | None


def open_order(
    db_store: Store, ask: Ask, rules: Rules, now: int, *, check: Callable[[Rows], None] | None = None
) -> Order:
    """Opens the order, or gives back the pending one that was asked for before in the same words.

    Refused: DUPLICATE, NO_ACCOUNT, PHONE_OFFLINE, BUSY (with `retry_after`), DISK_FULL, and by `check`, which looks
    at the database in the transaction of a new order. `StoreError`: it cannot be used, or is known to be damaged.
    """
    return open_with_code(db_store, ask, rules, now, check=check).order


def open_with_code(
    db_store: Store, ask: Ask, rules: Rules, now: int, *, check: Callable[[Rows], None] | None = None
) -> Opened:
    """As `open_order`, with the code that the answer carries: it costs less in the same transaction than after it."""
    db_store.expect_sound()
    room = db_store.free_bytes()
    if room is not None and room < rules.min_free_disk:
        raise Refusal(Code.DISK_FULL, "The disk is nearly full, so no new orders are taken; payments still are.")
    opened = db_store.locked(
        lambda db: _keys_of(db, ask, rules, now), lambda db, held: _opened(db, ask, rules, now, check, held)
    )
    order = opened.order
    if opened.is_new:
        event = partial(logs.event, "order.opened", order=order.token, merchant=order.merchant, account=order.account)
        db_store.afterwards(event)
    return opened


def _opened(
    db: Rows, ask: Ask, rules: Rules, now: int, check: Callable[[Rows], None] | None, held: Held
) -> Opened:  # fmt: skip
    before = store.orders.by_number(db, ask.merchant.id, ask.number)
    if before and _answers(before, ask, now):
        order, is_new = orders.mark_shown(db, before, rules.limits, now, held) if ask.shown else before, False
    else:
        order, is_new = _added(db, ask, rules, now, check, held, attempt=before.attempt + 1 if before else 1), True
    code = orders.code_of(db, order) if ask.shown and order.channel == PERSONAL else None
    return Opened(order, is_new, code)


def _added(
    db: Rows, ask: Ask, rules: Rules, now: int, check: Callable[[Rows], None] | None, held: Held, *, attempt: int
) -> Order:  # fmt: skip
    if check:
        check(db)
    order = _new_order(ask, rules.limits, now, attempt)
    if ask.method:
        order = orders.reserve_amount(
            db, order, ask.method, rules, now, shown=ask.shown, without=ask.without, held=held
        )
    store.orders.add(db, order)
    return order


def _keys_of(db: Rows, ask: Ask, rules: Rules, now: int) -> list[str]:
    """The lock keys of opening the order."""
    keys = [locks.number(ask.merchant.id, ask.number)]
    if ask.product:
        keys += [locks.product(ask.product), locks.buyers(ask.method)]
    if ask.method:
        keys += accounts.likely_keys(db, ask.method, rules.offline_after_s, now, without=ask.without)
    return keys


def _answers(before: Order, ask: Ask, now: int) -> bool:
    """Whether the earlier order under this number is the answer; False: a new attempt may be opened."""
    state = before.state_at(now)
    if not ask.merchant.reuse or state is State.PAID:
        raise Refusal(Code.DUPLICATE, "The merchant's order number exists already.")
    if state is not State.PENDING:
        return False
    if before.asked != ask.digest():
        raise Refusal(Code.DUPLICATE, "The merchant's order number exists already, with other details.")
    return True


def _new_order(ask: Ask, limits: Limits, now: int, attempt: int) -> Order:
    return Order(
        token=ids.new_token(), merchant=ask.merchant.id, dialect=ask.dialect, number=ask.number,
        attempt=attempt, state=State.PENDING, late=False, method="", account="", channel="", price=ask.price,
        really_price=None, title=ask.title, content=ask.content, param=ask.param, buyer=ask.buyer,
        price_text=ask.price_text, notify_url=ask.notify_url, return_url=ask.return_url, extra=ask.extra,
        asked=ask.digest(), product=ask.product, quantity=ask.quantity, rev=0, created_at=now,
        expires_at=now + (ask.ttl or limits.order_ttl), shown_at=None, paid_at=None, closed_at=None,
        client=ask.client,
    )  # fmt: skip

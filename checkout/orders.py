"""The life of an order: opened, shown, closed, expired. (Paid: `settlement`; moved to another method: `switching`.)

Every use case reads the clock once and runs in one transaction. States move only through the store's guarded
updates; whoever gets no row back was second.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Collection

from msgspec import Struct
from msgspec.structs import replace

from checkout import accounts, amounts, announcements, logs, store, turns
from checkout.amounts import Limits
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows, Store
from checkout.model.merchants import Merchant
from checkout.model.orders import Order, State
from checkout.turns import ALONE, Turn

_ALL = 1_000_000
_BATCH = 50  # in one transaction: each may be told to twenty endpoints, and phones wait meanwhile


class Ask(Struct, frozen=True):
    """What a merchant asks for. The signature holds, the addresses are checked, `price` is fen."""

    merchant: Merchant
    dialect: str
    number: str
    price: int
    price_text: str
    method: str = ""  # "": the buyer chooses
    title: str = ""
    content: str = ""
    param: str = ""
    buyer: str = ""
    notify_url: str = ""
    return_url: str = ""
    extra: str = "{}"
    product: str = ""
    quantity: int = 1
    ttl: int | None = None  # seconds; None: the setting
    shown: bool = False  # the answer itself carries the QR code
    client: str = ""  # keyed digest of the buyer's address, where a buyer opens the order
    detail: str = ""  # what else tells a retry from another order
    without: frozenset[str] = frozenset()  # accounts that do not serve what is asked for
    asked: str = ""  # the digest of the order that its buyer asks for again: to the shop it is the same

    def digest(self) -> str:
        """Tells a retry (same digest) from another order under the same number."""
        if self.asked:
            return self.asked
        same = (self.dialect, self.method, self.price, self.param, self.buyer, self.notify_url, self.return_url)
        detail = [self.detail] if self.detail else []
        return hashlib.sha256(json.dumps([*same, self.product, self.quantity, *detail]).encode()).hexdigest()


class Opened(Struct, frozen=True):
    """The order that answers an `Ask`. `code`: as `code_of`, where the answer carries a code of the account's own."""

    order: Order
    is_new: bool
    code: tuple[str, bool] | None


class Rules(Struct, frozen=True):
    """The settings that the life of an order depends on."""

    limits: Limits = Limits()
    offline_after_s: int = 180
    min_free_disk: int = 50 * 1024 * 1024


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
    opened = db_store.in_turn(
        lambda db: _words_of(db, ask, rules, now), lambda db, turn: _opened(db, ask, rules, now, check, turn)
    )
    order = opened.order
    if opened.is_new:
        logs.event("order.opened", order=order.token, merchant=order.merchant, account=order.account)
    return opened


def _opened(
    db: Rows, ask: Ask, rules: Rules, now: int, check: Callable[[Rows], None] | None, turn: Turn
) -> Opened:  # fmt: skip
    before = store.orders.by_number(db, ask.merchant.id, ask.number)
    if before and _answers(before, ask, now):
        order, is_new = _noted_as_shown(db, before, rules.limits, now, turn) if ask.shown else before, False
    else:
        order, is_new = _added(db, ask, rules, now, check, turn, attempt=before.attempt + 1 if before else 1), True
    code = code_of(db, order) if ask.shown and order.channel == accounts.PERSONAL else None
    return Opened(order, is_new, code)


def _added(
    db: Rows, ask: Ask, rules: Rules, now: int, check: Callable[[Rows], None] | None, turn: Turn, *, attempt: int
) -> Order:  # fmt: skip
    if check:
        check(db)
    order = _new_order(ask, rules.limits, now, attempt)
    if ask.method:
        order = with_amount(db, order, ask.method, rules, now, shown=ask.shown, without=ask.without, turn=turn)
    store.orders.add(db, order)
    return order


def show(db_store: Store, order: Order, limits: Limits, now: int) -> Order:
    """Notes that the QR code leaves the house; from now on the amount has to wait for late payers.

    Gives the order as it is now: one that ended meanwhile must not be shown any more."""
    if order.shown_at is not None or order.state_at(now) is not State.PENDING or order.really_price is None:
        return order
    return db_store.in_turn(
        lambda db: [turns.number(order.merchant, order.number), *turns.accounts([order.account])],
        lambda db, turn: _noted_as_shown(db, order, limits, now, turn),
    )


def close(db_store: Store, token: str, limits: Limits, now: int) -> Order:
    """Closes a pending order. Refused: NOT_FOUND, NOT_ALLOWED."""
    with db_store.transaction() as db:
        closed = store.orders.close(db, token, now)
        if closed is None:
            existing(db, token)
            raise Refusal(Code.NOT_ALLOWED, "Only an order that waits for payment can be closed.")
        _rest_after_end(db, closed, limits, now)
        store.gateways.end(db, token, now)
        announcements.of_order(db, closed, "order.closed", now=now)
    logs.event("order.closed", order=token, merchant=closed.merchant)
    return closed


def expire_due(db_store: Store, now: int, limit: int = 500) -> int:
    """Expires the orders whose time is over; gives their number. Their slots know their time already."""
    with db_store.read() as db:
        if not store.orders.any_expiring(db, now):
            return 0
    expired, batch = 0, _BATCH
    while expired < limit and batch == _BATCH:
        with db_store.transaction() as db:
            batch = _expire(db, now, min(_BATCH, limit - expired))
        expired += batch
    if expired:
        logs.event("orders.expired", count=expired)
    return expired


def with_amount(
    db: Rows, order: Order, method: str, rules: Rules, now: int, *, shown: bool, without: Collection[str] = (),
    turn: Turn = ALONE,
) -> Order:  # fmt: skip
    """The order with an account and an amount that no other waiting order has.

    Orders whose time is over are written down as expired first: should the clock step back afterwards, none of them
    waits again for an amount that stands for another order by then. Refused as `accounts.take_slot`."""
    if store.orders.any_expiring(db, now):
        turn.expect_alone()
        _expire(db, now, _ALL)
    rest = amounts.rest_of_shown(order.expires_at, rules.limits) if shown else amounts.rest_of_unshown(order.expires_at)
    account, amount = accounts.take_slot(
        db, method, order.price, order.token, rest, rules.offline_after_s, now, without=without, turn=turn
    )
    return replace(
        order, method=method, account=account.id, channel=account.channel, really_price=amount,
        shown_at=now if shown else None,
    )  # fmt: skip


def code_of(db: Rows, order: Order) -> tuple[str, bool]:
    """(content of the QR code to show, whether the buyer types the amount). A fixed-amount code is used only when
    it carries exactly the really price."""
    assert order.really_price is not None
    found = store.accounts.code_for(db, order.account, order.really_price)
    assert found is not None
    return found


def words_of(order: Order) -> list[str]:
    """What booking money to an order touches: all attempts at its number, its account, what is left of its product."""
    account = turns.accounts([order.account]) if order.account else []
    sold = [turns.product(order.product)] if order.product else []
    return [turns.number(order.merchant, order.number), *account, *sold]


def number_of(db: Rows, token: str) -> list[str] | None:
    """The word of an order's number; None where there is no such order."""
    order = store.orders.get(db, token)
    return [turns.number(order.merchant, order.number)] if order else None


def existing(db: Rows, token: str) -> Order:
    """The order of a token. Refused: NOT_FOUND."""
    order = store.orders.get(db, token)
    if order is None:
        raise Refusal(Code.NOT_FOUND, "There is no such order.")
    return order


def _words_of(db: Rows, ask: Ask, rules: Rules, now: int) -> list[str]:
    """What opening the order touches."""
    words = [turns.number(ask.merchant.id, ask.number)]
    if ask.product:
        words += [turns.product(ask.product), turns.buyers(ask.method)]
    if ask.method:
        words += accounts.likely(db, ask.method, rules.offline_after_s, now, without=ask.without)
    return words


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
        token=secrets.token_hex(16), merchant=ask.merchant.id, dialect=ask.dialect, number=ask.number,
        attempt=attempt, state=State.PENDING, late=False, method="", account="", channel="", price=ask.price,
        really_price=None, title=ask.title, content=ask.content, param=ask.param, buyer=ask.buyer,
        price_text=ask.price_text, notify_url=ask.notify_url, return_url=ask.return_url, extra=ask.extra,
        asked=ask.digest(), product=ask.product, quantity=ask.quantity, rev=0, created_at=now,
        expires_at=now + (ask.ttl or limits.order_ttl), shown_at=None, paid_at=None, closed_at=None,
        client=ask.client,
    )  # fmt: skip


def _expire(db: Rows, now: int, limit: int) -> int:
    expired = store.orders.expire(db, now, limit)
    announcements.of_orders(db, expired, "order.expired", now=now)
    return len(expired)


def _noted_as_shown(db: Rows, order: Order, limits: Limits, now: int, turn: Turn) -> Order:
    shown = store.orders.show(db, order.token, now) if order.really_price is not None else None
    if shown is None:
        return existing(db, order.token)
    assert shown.really_price is not None
    turn.expect(turns.accounts([shown.account]))
    rest = amounts.rest_of_shown(shown.expires_at, limits)
    store.slots.set_rest(db, shown.token, shown.account, shown.really_price, rest)
    return shown


def _rest_after_end(db: Rows, order: Order, limits: Limits, now: int) -> None:
    """A buyer who switched the method may have seen the code of the one before, whose amount rests as planned."""
    store.slots.release(db, order.token, order.expires_at, now)
    if order.shown_at is not None and order.really_price is not None:
        rest = amounts.rest_of_shown(now, limits)
        store.slots.set_rest(db, order.token, order.account, order.really_price, rest)

"""Finding orders as an owner looks for them: by what a buyer says, by state, by time; page by page, and fast however
many orders there are.

What no index covers (the method, lateness) is looked for among ten thousand orders at a time; where that is not enough,
the page says how far it has looked, and the next one continues there.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from checkout import store
from checkout.errors import Refusal
from checkout.interfaces import Rows
from checkout.model.orders import Order
from checkout.money import fen
from checkout.store.merchant_orders import Wanted
from checkout.store.orders import Filter

FOR_EVER = 1 << 62
LATE = "late"  # a state of its own for those who look: paid after its end
_LOOKED_AT = 10_000
_AT_ONCE = 200

Key = tuple[int, str]  # (created_at, token)


class Search(Struct, frozen=True):
    """What to look for; "" and None match anything. Times are Unix seconds and limit when the order was opened."""

    text: str = ""  # token, merchant's number, reference of the buyer, or amount in yuan
    state: str = ""  # one of State, or LATE
    method: str = ""
    merchant: int | None = None
    since: int = 0
    until: int = FOR_EVER
    before: Key | None = None
    limit: int = 50


class Found(Struct, frozen=True):
    """Orders, newest first; `then` is where the next page begins, None at the end."""

    orders: list[Order]
    then: Key | None


def find(db: Rows, wanted: Search, now: int) -> Found:
    """One page of the orders that were looked for."""
    if wanted.text:
        return _cut([order for order in _named(db, wanted, now) if _fits(order, wanted, now)], wanted.limit)
    if wanted.method or wanted.state == LATE:
        return _picked(db, wanted, now)
    return _cut(_page(db, replace(wanted, limit=wanted.limit + 1), now), wanted.limit)


def _picked(db: Rows, wanted: Search, now: int) -> Found:
    """By what no index covers, among the next ten thousand orders."""
    before = min(wanted.before or (wanted.until, ""), (wanted.until, ""))
    floor = store.orders.far_back(db, before, _LOOKED_AT)
    since = wanted.since if floor is None else max(wanted.since, floor)
    found = store.orders.picked(
        db, method=wanted.method, late=wanted.state == LATE, state="" if wanted.state == LATE else wanted.state,
        merchant=wanted.merchant, since=since, before=before, now=now, limit=wanted.limit + 1,
    )  # fmt: skip
    if len(found) > wanted.limit or floor is None or floor <= wanted.since:
        return _cut(found, wanted.limit)
    return Found(found, (floor, ""))


def _page(db: Rows, wanted: Search, now: int) -> list[Order]:
    """One page by what the indexes cover: state, merchant and time."""
    if not wanted.state and wanted.merchant is None and (wanted.since, wanted.until) == (0, FOR_EVER):
        return store.orders.listed(db, Filter(before=wanted.before, limit=wanted.limit))
    like = Wanted(
        0, state=wanted.state, since=wanted.since, until=wanted.until, before=wanted.before, limit=wanted.limit
    )  # fmt: skip
    lists = (store.merchant_orders.listed(db, replace(like, merchant=owner), now) for owner in _owners(db, wanted))
    return _newest(order for orders in lists for order in orders)[: wanted.limit]


def _named(db: Rows, wanted: Search, now: int) -> list[Order]:
    """The newest orders that the text may refer to."""
    found: dict[str, Order] = {}
    if exact := store.orders.get(db, wanted.text):
        found[exact.token] = exact
    for owner in _owners(db, wanted):
        like = Wanted(owner, before=wanted.before, limit=wanted.limit + 1)
        for one in (replace(like, number=wanted.text), replace(like, ref=wanted.text)):
            found |= {order.token: order for order in store.merchant_orders.listed(db, one, now)}
    if amount := _amount(wanted.text):
        like_amount = store.orders.of_amount(db, amount, before=wanted.before, limit=_AT_ONCE)
        found |= {order.token: order for order in like_amount}
    return _newest(order for order in found.values() if wanted.before is None or _key(order) < wanted.before)


def _fits(order: Order, wanted: Search, now: int) -> bool:
    is_state = not wanted.state or (order.late if wanted.state == LATE else order.state_at(now) == wanted.state)
    is_method = not wanted.method or order.method == wanted.method
    is_owner = wanted.merchant is None or order.merchant == wanted.merchant
    return is_state and is_method and is_owner and wanted.since <= order.created_at < wanted.until


def _cut(found: list[Order], limit: int) -> Found:
    shown = found[:limit]
    return Found(shown, _key(shown[-1]) if len(found) > limit else None)


def _owners(db: Rows, wanted: Search) -> list[int]:
    if wanted.merchant is not None:
        return [wanted.merchant]
    return store.merchants.ids(db)


def _newest(orders: Iterable[Order]) -> list[Order]:
    return sorted(orders, key=_key, reverse=True)


def _key(order: Order) -> Key:
    return order.created_at, order.token


def _amount(text: str) -> int | None:
    try:
        return fen(text.lstrip("¥￥").strip())
    except Refusal:
        return None

"""Finding payments as an owner looks for them: by what a bill or a buyer says, by what was made of them, by time; page
by page, and fast however many payments there are.

What no index covers (account, phone, words of the message) is looked for among ten thousand payments at a time; where
that is not enough, the page says how far it has looked, and the next one continues there.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from checkout import store
from checkout.errors import Refusal
from checkout.interfaces import Rows
from checkout.model.payments import Judgement, Payment
from checkout.money import fen
from checkout.store.merchant_orders import Wanted
from checkout.store.payment_lists import Filter, Key, key, newest

FOR_EVER = 1 << 62
REVIEW = "review"  # those that wait for a person
STATES: dict[str, tuple[Judgement, ...]] = {
    "": (),
    REVIEW: (Judgement.SUSPECTED, Judgement.UNMATCHED, Judgement.UNREADABLE),
    "matched": (Judgement.MATCHED,), "late": (Judgement.LATE,), "linked": (Judgement.LINKED,),
    "ignored": (Judgement.IGNORED,),
}  # fmt: skip
_LOOKED_AT = 10_000


class Search(Struct, frozen=True):
    """What to look for; "" matches anything. Times are Unix seconds and limit when the payment was reported here."""

    text: str = ""  # amount in yuan, reference, id, order's number or token, or words of the message
    state: str = ""  # one of STATES
    account: str = ""
    device: str = ""
    since: int = 0
    until: int = FOR_EVER
    before: Key | None = None
    limit: int = 50

    @property
    def end(self) -> Key:
        return min(self.before or (self.until, ""), (self.until, ""))


class Found(Struct, frozen=True):
    """Payments, newest first; `then` is where the next page begins, None at the end."""

    payments: list[Payment]
    then: Key | None


def find(db: Rows, wanted: Search) -> Found:
    """One page of the payments that were looked for."""
    if wanted.text and (named := _named(db, wanted)) is not None:
        return _cut([one for one in named if _fits(one, wanted) and key(one) < wanted.end], wanted.limit)
    if wanted.text or wanted.account or wanted.device:
        return _picked(db, wanted)
    more = wanted.limit + 1
    if not wanted.state:
        found = store.payments.listed(db, review=False, before=wanted.end, limit=more)
    else:
        owners = (0, *store.merchants.ids(db))
        found = store.payments.of_merchants(db, owners, STATES[wanted.state], before=wanted.end, limit=more)
    return _cut([one for one in found if one.received_at >= wanted.since], wanted.limit)


def _picked(db: Rows, wanted: Search) -> Found:
    floor = store.payment_lists.far_back(db, wanted.end, _LOOKED_AT)
    since = wanted.since if floor is None else max(wanted.since, floor)
    like = replace(_filter(wanted), since=since)
    found = store.payment_lists.picked(db, like, wanted.text, wanted.end, wanted.limit + 1)
    if len(found) > wanted.limit or floor is None or floor <= wanted.since:
        return _cut(found, wanted.limit)
    return Found(found, (floor, ""))


def _named(db: Rows, wanted: Search) -> list[Payment] | None:
    """The payments that the text names; the newest ones if it is an amount; None if it names none."""
    exact = store.payments.get(db, wanted.text)
    found = [*([exact] if exact else []), *store.payment_lists.of_reference(db, wanted.text)]
    for token in _tokens(db, wanted.text):
        found += store.payments.of_order(db, token)
    amount = _amount(wanted.text)
    if amount is not None:
        found += store.payment_lists.of_amount(db, amount, _filter(wanted), wanted.end, wanted.limit + 1)
    return newest(found) if found or amount is not None else None


def _tokens(db: Rows, text: str) -> Iterable[str]:
    """The orders whose token or merchant's number the text is."""
    yield text
    for owner in store.merchants.ids(db):
        for order in store.merchant_orders.listed(db, Wanted(owner, number=text), 0):
            yield order.token


def _fits(payment: Payment, wanted: Search) -> bool:
    is_state = not wanted.state or payment.judgement in STATES[wanted.state]
    is_account = wanted.account in ("", payment.account)
    return is_state and is_account and wanted.device in ("", payment.device) and payment.received_at >= wanted.since


def _filter(wanted: Search) -> Filter:
    return Filter(tuple(one.value for one in STATES[wanted.state]), wanted.account, wanted.device, wanted.since)


def _cut(found: list[Payment], limit: int) -> Found:
    shown = found[:limit]
    return Found(shown, key(shown[-1]) if len(found) > limit else None)


def _amount(text: str) -> int | None:
    try:
        return fen(text.lstrip("¥￥").strip())
    except Refusal:
        return None

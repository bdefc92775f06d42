"""What a new shop still lacks before it can be paid. Each step turns green when it has really happened, never by a
tick.
"""

from __future__ import annotations

import secrets

from msgspec import Struct

from checkout import merchants, opening, store
from checkout.errors import Code, Refusal
from checkout.interfaces import NewId, Rows, Store
from checkout.merchants import Reach, Wish
from checkout.model.accounts import PERSONAL
from checkout.model.orders import Order
from checkout.opening import Ask
from checkout.orders import Rules

TEST_PRICE = 1  # fen
_TESTER, _EMBED_SEEN = "seen.tester", "seen.embed"  # notes among the preferences; no settings are called so


class Step(Struct, frozen=True):
    """`name` chooses the words; `optional`: only some shops need it."""

    name: str
    done: bool
    optional: bool = False


def steps(db: Rows) -> list[Step]:
    """All steps in the order in which an owner takes them, as they stand now."""
    accounts = [account for account in store.accounts.all_of(db) if account.disabled_at is None]
    devices = [device for device in store.devices.all_of(db) if device.revoked_at is None]
    told = store.sales.was_told(db)
    sells = any(product.disabled_at is None for product in store.products.all_of(db))
    noted = store.preferences.all_of(db)
    return [
        Step("account", bool(accounts)),
        Step("code", any(account.code or account.channel != PERSONAL for account in accounts)),
        Step("phone", any(device.beat_at is not None for device in devices)),
        Step("payment", _TESTER in noted and store.sales.has_paid(db, int(noted[_TESTER]))),
        Step("callback", told, optional=sells),
        Step("product", sells, optional=told),
        Step("embed", _EMBED_SEEN in noted, optional=told or not sells),
    ]


def test_order(db_store: Store, rules: Rules, reach: Reach, *, actor: str, new_id: NewId, now: int) -> Order:
    """An order of 0.01 that the owner pays with a phone of their own; no shop hears of it.

    Refused: NOT_FOUND (no merchant yet), and as `opening.open_order`."""
    tester = _tester(db_store, reach, actor=actor, new_id=new_id, now=now)
    with db_store.read() as db:
        merchant = store.merchants.get(db, tester)
    if merchant is None:
        raise Refusal(Code.NOT_FOUND, "There is no merchant for test payments.")
    ask = Ask(
        merchant=merchant, dialect="embed", number=f"test-{secrets.token_hex(6)}", price=TEST_PRICE,
        price_text="0.01", title="Test",
    )  # fmt: skip
    return opening.open_order(db_store, ask, rules, now)


def note_embed(db_store: Store, origin: str, now: int) -> None:
    """Notes that the checkout was seen inside a page that may show it. Written once."""
    with db_store.read() as db:
        if _EMBED_SEEN in store.preferences.all_of(db):
            return
    with db_store.transaction() as db:
        store.preferences.put(db, _EMBED_SEEN, origin, now)


def _tester(db_store: Store, reach: Reach, *, actor: str, new_id: NewId, now: int) -> int:
    """The merchant of test payments, of which nobody is told. Never the first merchant, whom old shops call."""
    with db_store.read() as db:
        known, default = store.preferences.all_of(db).get(_TESTER), store.merchants.default_id(db)
    if known is not None:
        return int(known)
    if default is None:
        raise Refusal(Code.NOT_ALLOWED, "Add a merchant first: test payments must not become the first one.")
    made = merchants.add(db_store, Wish(name="Test"), reach, actor=actor, new_id=new_id, now=now)
    with db_store.transaction() as db:
        store.preferences.put(db, _TESTER, str(made.id), now)
    return made.id

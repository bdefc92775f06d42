"""Managing receiving accounts and their QR codes: what the command line and the admin pages share.

Every change is audited.
"""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from checkout import audit, code_kinds, store
from checkout.errors import Code, Conflict, Refusal
from checkout.interfaces import NewId, Rows, Store, Value
from checkout.model.accounts import PERSONAL, Account, FixedCode, Method
from checkout.money import fen, yuan

MAX_OFFSET = 10_000  # fen; every amount up to it is looked at for each order
_ID = re.compile(r"[\w.-]{1,64}")
_MAX_CODE = 1024
_ZERO = re.compile(r"0(?:\.0{1,2})?")


class Wish(Struct, frozen=True):
    """What an owner wants to set; None leaves a field as it is. Amounts in fen."""

    code: str | None = None
    channel: str | None = None
    offset: str | None = None  # up | down | nearest
    max_offset: int | None = None
    offline: str | None = None  # block | warn | sell
    weight: int | None = None
    daily_cap: int | None = None  # 0: no cap
    enabled: bool | None = None


def add(
    db_store: Store, name: str, method: Method, wish: Wish, channels: frozenset[str], *,
    actor: str, new_id: NewId, now: int,
) -> Account:  # fmt: skip
    """A new account; `channels` are the sections of checkout.toml.

    Refused: BAD_REQUEST (with what is wrong), DUPLICATE.
    """
    if not _ID.fullmatch(name):
        raise Refusal(Code.BAD_REQUEST, "An account's name has letters, digits, dots, - and _ only, such as wx-main.")
    fresh = Account(
        id=name, method=method, channel=PERSONAL, code="", offset="up", max_offset=100, offline="warn",
        weight=1, daily_cap=None, disabled_at=None, created_at=now,
    )  # fmt: skip
    account = _with(fresh, wish, channels, now)
    if account.channel == PERSONAL and not account.code:
        raise Refusal(Code.BAD_REQUEST, "A personal account needs its QR code: --code with its text or its picture.")
    with db_store.transaction() as db:
        try:
            store.accounts.add(db, account)
        except Conflict as error:
            why = f"There is an account {name} already: checkout account set changes it."
            raise Refusal(Code.DUPLICATE, why) from error
        audit.note(db, actor, "account.add", name, {"method": method.value, **_public(account)}, new_id, now)
    return account


def change(
    db_store: Store, name: str, wish: Wish, channels: frozenset[str], *, actor: str, new_id: NewId, now: int
) -> Account:
    """Sets what the wish names. Refused: NOT_FOUND, BAD_REQUEST."""
    with db_store.transaction() as db:
        before = _existing(db, name)
        after = _with(before, wish, channels, now)
        if after != before:
            store.accounts.update(db, after)
            old, new = _public(before), _public(after)
            changed = {field: value for field, value in new.items() if old[field] != value}
            audit.note(db, actor, "account.set", name, changed, new_id, now)
        return after


def add_code(db_store: Store, name: str, price: int, code: str, *, actor: str, new_id: NewId, now: int) -> FixedCode:
    """A code that carries the amount `price` (fen); an earlier one is replaced. Refused: as `change`."""
    with db_store.transaction() as db:
        account = _existing(db, name)
        check_code(account.method, code)
        fixed = FixedCode(name, price, code, now)
        store.accounts.set_code(db, fixed)
        audit.note(db, actor, "code.add", name, {"price": yuan(price), "code": code}, new_id, now)
        return fixed


def remove_code(db_store: Store, name: str, price: int, *, actor: str, new_id: NewId, now: int) -> None:
    """Refused: NOT_FOUND."""
    with db_store.transaction() as db:
        _existing(db, name)
        if not store.accounts.remove_code(db, name, price):
            raise Refusal(Code.NOT_FOUND, f"The account {name} has no code for {yuan(price)}.")
        audit.note(db, actor, "code.remove", name, {"price": yuan(price)}, new_id, now)


def existing(db_store: Store, name: str) -> Account:
    """Refused: NOT_FOUND."""
    with db_store.read() as db:
        return _existing(db, name)


def offset_fen(text: str) -> int:
    """`1.00` as fen; 0 is allowed here and means: only the exact price."""
    return 0 if _ZERO.fullmatch(text) else fen(text)


_FORMS = {  # how the payment codes of each method begin, in lower case
    Method.WECHAT: ("wxp://", "https://payapp.weixin.qq.com/", "weixin://"),
    Method.ALIPAY: ("https://qr.alipay.com/", "alipays://", "https://render.alipay.com/"),
}
_CONTACT_CARDS = (
    "https://u.wechat.com/",
    "http://u.wechat.com/",
    "http://weixin.qq.com/r/",
    "https://weixin.qq.com/r/",
)


def check_code(method: Method, code: str) -> None:
    """Refused (BAD_REQUEST): not the text of a QR code, clearly not a code to pay to, or clearly the other method's."""
    if not 1 <= len(code) <= _MAX_CODE or not code.isprintable():
        raise Refusal(Code.BAD_REQUEST, f"The text of a QR code has 1 to {_MAX_CODE} printable characters.")
    for other, forms in _FORMS.items():
        if other is not method and code.lower().startswith(forms):
            raise Refusal(
                Code.BAD_REQUEST,
                f"This is the code of {_NAMES[other]}, not of {_NAMES[method]}: --method {other.value},"
                f" or take the picture of your {_NAMES[method]} payment code.",
            )
    if refusal := code_kinds.kind(code).refusal:
        raise Refusal(Code.BAD_REQUEST, refusal)


def doubts(method: Method, code: str) -> list[str]:
    """What speaks against a code that is not refused, one sentence each."""
    if code.lower().startswith(_CONTACT_CARDS):
        return [f"This looks like a contact card, not like a payment code: {_TRY}"]
    if not code.lower().startswith(_FORMS[method]):
        known = " or ".join(_FORMS[method][:2])
        website = code.lower().startswith(("http://", "https://"))
        return [
            *(["This is the address of a website, hardly a payment code."] if website else []),
            f"A {_NAMES[method]} code begins with {known}, this one does not: {_TRY}",
        ]
    return []


_NAMES = {Method.WECHAT: "WeChat", Method.ALIPAY: "Alipay"}
_TRY = "scan it once and see that it asks for money."


def _with(account: Account, wish: Wish, channels: frozenset[str], now: int) -> Account:
    names = ("code", "channel", "offset", "max_offset", "offline", "weight")
    changes = {name: getattr(wish, name) for name in names if getattr(wish, name) is not None}
    if wish.daily_cap is not None:
        changes["daily_cap"] = wish.daily_cap or None
    if wish.enabled is not None:
        changes["disabled_at"] = None if wish.enabled else account.disabled_at or now
    after = replace(account, **changes)
    _check(after, wish, channels)
    return after


def _check(account: Account, wish: Wish, channels: frozenset[str]) -> None:
    if wish.code:
        check_code(account.method, wish.code)
    if account.channel != PERSONAL and account.channel not in channels:
        known = ", ".join([PERSONAL, *sorted(channels)])
        raise Refusal(Code.BAD_REQUEST, f"There is no {account.method} channel {account.channel}; known: {known}.")
    if not 0 <= account.max_offset <= MAX_OFFSET:
        raise Refusal(Code.BAD_REQUEST, f"The largest offset lies between 0.00 and {yuan(MAX_OFFSET)}.")
    if not 1 <= account.weight <= 1000:
        raise Refusal(Code.BAD_REQUEST, "The weight lies between 1 and 1000.")


def _existing(db: Rows, name: str) -> Account:
    account = store.accounts.get(db, name)
    if account is None:
        raise Refusal(Code.NOT_FOUND, f"There is no account {name}: checkout account list.")
    return account


def _public(account: Account) -> dict[str, Value]:
    return {
        "channel": account.channel, "code": account.code, "offset": account.offset,
        "max_offset": yuan(account.max_offset), "offline": account.offline, "weight": account.weight,
        "daily_cap": account.daily_cap and yuan(account.daily_cap), "disabled_at": account.disabled_at,
    }  # fmt: skip

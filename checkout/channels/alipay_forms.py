"""Alipay's notices and returns, of both generations: a form or a query string with a signature over its values.

What is signed are the decoded bytes: `k=v` sorted by name and joined by `&`, without `sign` and `sign_type`. Working
on bytes, no charset has to be guessed before the signature is known to hold. Nothing but the body of a notice counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import unquote_to_bytes

from checkout.beijing import BEIJING
from checkout.channel import Heard, Notice, NoticeRefused, Paid
from checkout.errors import Refusal
from checkout.money import fen

MAX_BODY = 65536
PAID = frozenset({"TRADE_SUCCESS", "TRADE_FINISHED"})
CLOSED = "TRADE_CLOSED"
WAITING = "WAIT_BUYER_PAY"

_UNSIGNED = frozenset({b"sign", b"sign_type"})
_NAME = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_MAX_FIELDS = 200
_COUNTING = (
    b"app_id", b"seller_id", b"seller_email", b"out_trade_no", b"trade_no", b"trade_status", b"total_amount",
    b"total_fee", b"notify_id", b"gmt_payment", b"gmt_refund", b"refund_fee", b"out_biz_no", b"charset",
)  # fmt: skip

Fields = Mapping[bytes, bytes]
Holds = Callable[[str, bytes], bool]  # whether a base64 signature holds for a message


def fields_of(encoded: bytes) -> Fields:
    """The values of a form, decoded once. Refused: too long, doubled names, broken percent signs, anything odd."""
    if len(encoded) > MAX_BODY:
        raise NoticeRefused("The message is longer than 64 KiB.")
    pairs = [pair.partition(b"=") for pair in encoded.split(b"&")] if encoded else []
    if len(pairs) > _MAX_FIELDS or _BROKEN.search(encoded):
        raise NoticeRefused("The message is not a form.")
    found: dict[bytes, bytes] = {}
    for written, border, value in pairs:
        name = _decoded(written)
        if not border or not _NAME.fullmatch(name) or name in found:
            raise NoticeRefused("The message is not a form in which every name occurs once.")
        found[name] = _decoded(value)
    return found


def signed_text(fields: Fields, *, blanks: bool) -> bytes:
    kept = ((k, v) for k, v in sorted(fields.items()) if k not in _UNSIGNED and (v or blanks))
    return b"&".join(k + b"=" + v for k, v in kept)


def verified(fields: Fields, holds: Holds, *, blanks: tuple[bool, ...] = (True, False)) -> dict[str, str]:
    """The values as text, once the signature holds, with or without the blank ones as `blanks` says.

    `NoticeRefused`: a missing, empty or wrong signature; a text that could be cut into other values of the fields
    that count, because somebody wrote `&total_amount=` into a title.
    """
    sign = fields.get(b"sign", b"").decode("ascii", "replace")
    if not sign:
        raise NoticeRefused("The message is not signed.")
    for keep in blanks:
        text = signed_text(fields, blanks=keep)
        if holds(sign, text):
            break
    else:
        raise NoticeRefused("The signature of the message does not hold.")
    read = {name for name, value in fields.items() if value or keep}
    if any((b"&" + text).count(b"&" + name + b"=") != (name in read) for name in _COUNTING):
        raise NoticeRefused("The message could be read in two ways.")
    charset = "gb18030" if fields.get(b"charset", b"").lower().startswith(b"gb") else "utf-8"
    return {name.decode(): value.decode(charset, "replace") for name, value in fields.items()}


def notice_of(values: Mapping[str, str], *, amount: str, mismatch: str, now: int) -> Notice:
    """What verified values say; `amount` names the field with the price. `NoticeRefused`: a payment without substance.

    A partial refund repeats the payment's status, so its notice is the same evidence again, under the same number.
    """
    status, token = values.get("trade_status", ""), values.get("out_trade_no", "")
    text = stored(values)
    if status in PAID:
        heard = Heard.REFUND if values.get("gmt_refund") else Heard.PAID
        paid = paid_by(values, amount=amount, at=values.get("gmt_payment", ""), now=now)
        number, refunded = values.get("out_biz_no", ""), _refunded(values.get("refund_fee", ""))
        return Notice(heard, token, text, paid, number, refunded, mismatch)
    heard = Heard.CLOSED if status == CLOSED and not mismatch else Heard.NOTHING
    return Notice(heard, token, text, mismatch=mismatch)


def paid_by(values: Mapping[str, str], *, amount: str, at: str, now: int) -> Paid:
    """The evidence of a notice or an answer; `NoticeRefused` where it has no proper number, order or amount."""
    reference, token = values.get("trade_no", ""), values.get("out_trade_no", "")
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", reference) or not token:
        raise NoticeRefused("The message names no transaction or no order.")
    try:
        return Paid(token, reference, fen(values.get(amount, "")), moment(at, now))
    except Refusal:
        raise NoticeRefused("The message holds no proper amount.") from None


def _refunded(text: str) -> int:
    """What went back so far, in fen: `refund_fee` counts all refunds of the trade."""
    try:
        return fen(text) if text else 0
    except Refusal:
        return 0


def stored(values: Mapping[str, str]) -> str:
    """The message as it is stored: without its signature."""
    shown = {name: value for name, value in values.items() if name not in ("sign", "sign_type")}
    return json.dumps(shown, ensure_ascii=False)


def moment(text: str, otherwise: int) -> int:
    """Unix seconds of `2017-11-24 12:18:09` in Beijing, also with a fraction; `otherwise` for anything else."""
    if not re.fullmatch(r"20[0-9]{2}(-[0-9]{2}){2} [0-9]{2}(:[0-9]{2}){2}(\.[0-9]+)?", text):
        return otherwise
    try:
        return int(datetime.strptime(text[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING).timestamp())
    except ValueError:
        return otherwise


def _decoded(written: bytes) -> bytes:
    return unquote_to_bytes(written.replace(b"+", b" "))

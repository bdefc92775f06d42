"""The V免签 phone app and its kin.

Configured by one text, `host[:port]/key`. The app calls `/appHeart` every 30 to 50 s (`md5(t+key)`) and `/appPush` for
each receipt (`md5(type+price+t+key)`), `t` being its clock in milliseconds. Each device has a key of its own; the
device is found by trying the keys. Every well-signed push is answered with success, whatever became of the money:
the app would only repeat it. `(device, type, fen, t)` is the idempotency key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from flask import Blueprint, Response

from checkout import payments, store
from checkout.errors import Code, Refusal
from checkout.model import Device
from checkout.money import fen_from_phone
from checkout.payments import Report
from checkout.protocols import family
from checkout.signing import signed_by
from checkout.web import fields, parts

NAME = "vmq"

# A fixed length leaves only one way to cut `type+price+t` into its parts.
_TIME_MS = re.compile(r"[0-9]{13}")
_MAX_PRICE = 32


def routes() -> Blueprint:
    blueprint = Blueprint("monitor_vmq", __name__)
    for path, view in (("/appHeart", heart), ("/appPush", push)):
        blueprint.add_url_rule(path, view.__name__, _spoken(view), methods=["GET", "POST"])
    return blueprint


def heart() -> Response:
    values = fields()
    now = parts().clock()
    device = _device(values, _time(values), now=now)
    with parts().store.transaction() as db:
        store.devices.beat(db, device.id, now)
    return family.success()


def push() -> Response:
    values = fields()
    now = parts().clock()
    kind, price, t = values.get("type", ""), values.get("price", ""), _time(values)
    if kind not in family.METHODS:
        raise family.Spoken(Code.BAD_REQUEST, "支付方式错误=>1|微信 2|支付宝")
    if not price or len(price) > _MAX_PRICE:
        raise family.Spoken(Code.BAD_REQUEST, "请传入订单金额")
    device = _device(values, kind, price, t, now=now)
    _check_window(int(t) // 1000, now)
    outcome = payments.receive(
        parts().store, _report(device, kind, price, t, values), new_id=parts().new_id, now=now
    )
    if outcome.order is not None:
        parts().wake()
    return family.success()


def pairing(base_url: str, device: Device) -> str:
    """The text that is typed into the app, or scanned as a QR code: `host[:port]/key`, no scheme, one slash."""
    return f"{base_url.partition('://')[2].partition('/')[0]}/{device.key}"


def _report(device: Device, kind: str, price: str, t: str, values: Mapping[str, str]) -> Report:
    raw = json.dumps({name: value for name, value in values.items() if name != "sign"}, ensure_ascii=False)
    try:
        amount: int | None = fen_from_phone(price)
        note = ""
    except Refusal as refusal:
        amount, note = None, refusal.message
    reference = f"{device.id}:{kind}:{price if amount is None else amount}:{t}"
    return Report(device, family.METHODS[kind], amount, reference, raw, int(t) // 1000, note)


def _device(values: Mapping[str, str], *signed: str, now: int) -> Device:
    sign = values.get("sign", "")
    with parts().store.read() as db:
        devices = store.devices.working(db, NAME)
    for device in devices:
        if signed_by(sign, device.keys(now), *signed):
            return device
    raise Refusal(Code.BAD_SIGNATURE, "No device of ours has signed this.")


def _time(values: Mapping[str, str]) -> str:
    t = values.get("t", "")
    if not _TIME_MS.fullmatch(t):
        raise family.Spoken(Code.BAD_REQUEST, "参数t错误：应为13位毫秒时间戳")
    return t


def _check_window(sent_at: int, now: int) -> None:
    """Off by default: the clocks of phones and servers differ in practice."""
    window = parts().settings.push_window_s
    if window and now - sent_at > window:
        raise family.Spoken(Code.BAD_REQUEST, "客户端时间错误")


def _spoken(view: Callable[[], Response]) -> Callable[[], Response]:
    def speaking() -> Response:
        try:
            return view()
        except Refusal as refusal:
            text = "签名校验不通过" if refusal.code is Code.BAD_SIGNATURE else family.sentence(refusal)
            return family.answer(-1, text)

    return speaking

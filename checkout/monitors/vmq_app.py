"""The V免签 phone app and its kin.

Configured by one text, `host[:port]/key`. The app calls `/appHeart` every 30 to 50 s (`md5(t+key)`) and `/appPush`
for each receipt (`md5(type+price+t+key)`), `t` being its clock in milliseconds. Each device has a key of its own;
the device is found by trying the keys. Every well-signed push is answered with success, whatever became of the
money: the app would only repeat it. `(device, type, fen, t)` is the idempotency key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from flask import Blueprint, Response

from checkout import payments, presence, store
from checkout.errors import Code, Refusal
from checkout.fields import of_form
from checkout.model.devices import Device
from checkout.money import fen_from_phone
from checkout.monitors import proofs
from checkout.payments import Report
from checkout.plain import Plain, Steps
from checkout.protocols import words
from checkout.protocols.family import METHODS
from checkout.protocols.words import Spoken
from checkout.signing import signed_by
from checkout.web import Parts, fields, parts

NAME = "vmq"
FAILURE = -1

# What else an app may send (texts of notifications, say) is nobody's business here, however it is written.
_KNOWN = frozenset({"t", "type", "price", "sign", "force_push"})
# Thirteen digits, and one for the type, leave only one way to cut `type+price+t` into its parts.
_TIME_MS = re.compile(r"[0-9]{13}")


def routes() -> Blueprint:
    blueprint = Blueprint("monitor_vmq", __name__)
    for path, view in (("/appHeart", heart), ("/appPush", push)):
        blueprint.add_url_rule(path, view.__name__, _spoken(view), methods=["GET", "POST"])
    return blueprint


def heart() -> Response:
    values = fields(known=_KNOWN)
    shop, now = parts(), parts().clock()
    t = _time(values)
    device = _signer(shop, values, t, now=now)
    _check_window(shop, t, now)
    presence.beat(shop.store, device, now)
    return words.success()


def push() -> Response:
    _book(parts(), _reported(parts(), fields(known=_KNOWN)))
    return words.success()


def plain_push(shop: Parts, _: object, encoded: bytes) -> Steps:
    """What is refused is judged once more by the route, which says why."""
    report = _reported(shop, of_form(encoded, _KNOWN))
    yield
    _book(shop, report)
    return words.said_of_success()


def _reported(shop: Parts, values: Mapping[str, str]) -> Report:
    """What a push says, after its signature was checked."""
    now = shop.clock()
    kind, price, t = values.get("type", ""), values.get("price", ""), _time(values)
    if kind not in METHODS:
        raise Spoken(Code.BAD_REQUEST, words.BAD_TYPE)
    if not price:
        raise Spoken(Code.BAD_REQUEST, words.NO_PRICE)
    device = _signer(shop, values, kind, price, t, now=now)
    _check_window(shop, t, now)
    return _report(device, kind, price, t, values)


def _book(shop: Parts, report: Report) -> None:
    payments.receive(shop.store, report, new_id=shop.new_id, now=shop.clock(), at_once=shop.at_once)


def _report(device: Device, kind: str, price: str, t: str, values: Mapping[str, str]) -> Report:
    raw = json.dumps({name: value for name, value in values.items() if name != "sign"}, ensure_ascii=False)
    try:
        amount: int | None = fen_from_phone(price)
        note = ""
    except Refusal as refusal:
        amount, note = None, refusal.message
    reference = f"{device.id}:{kind}:{price if amount is None else amount}:{t}"
    return Report(device, METHODS[kind], amount, reference, raw, int(t) // 1000, note)


def _signer(shop: Parts, values: Mapping[str, str], *signed: str, now: int) -> Device:
    sign = values.get("sign", "")
    with shop.store.read() as db:
        devices = store.devices.working(db, NAME)
    for device in devices:
        if signed_by(sign, device.keys(now), *signed):
            return device
    raise Spoken(Code.BAD_SIGNATURE, words.WRONG_SIGN)


def _time(values: Mapping[str, str]) -> str:
    t = values.get("t", "")
    if not _TIME_MS.fullmatch(t):
        raise Spoken(Code.BAD_REQUEST, words.BAD_TIME)
    return t


def _check_window(shop: Parts, t: str, now: int) -> None:
    """Off by default: the clocks of phones and servers differ in practice."""
    window = shop.settings.push_window_s
    if window and now - int(t) // 1000 > window:
        raise Spoken(Code.BAD_REQUEST, words.OUT_OF_WINDOW)


def _spoken(view: Callable[[], Response]) -> Callable[[], Response]:
    def speaking() -> Response:
        try:
            return view()
        except Refusal as refusal:
            if refusal.code is Code.BAD_SIGNATURE:
                proofs.note(NAME, parts().clock())  # any phone with this app, or none: only a right key tells whose
            return words.refused(refusal, FAILURE)

    return speaking


PLAIN = Plain(re.compile("/appPush"), "/appPush", plain_push, words.CONTENT_TYPE)

"""Anything that can make an HTTP request: Tasker, MacroDroid, iOS Shortcuts, scripts.

`/monitor/push/<device token>`, JSON, form or query, with one of
  method (wechat | alipay) and amount (yuan)        money, read by the sender
  title, text, package                              a notification, read by our rules
  beat = true, or a GET without anything            a sign of life
and, where there is one, `id` (the same for every try at one message) and `time` (Unix seconds or milliseconds, or
`2026-09-21 22:13:20` with or without a zone). One message is booked once: `id` tells which it is, or what it says
together with `time`. With neither, an equal message within two minutes pays nothing by itself.

Signed with the device's key, if the device was made so: either headers X-Timestamp and X-Signature, the HMAC-SHA256
of `timestamp.body`, or fields ts and sign as SmsForwarder makes them. A signature that is there has to fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from flask import Blueprint, Response, request

from checkout.errors import Code, Refusal
from checkout.model.accounts import Method
from checkout.model.devices import Device
from checkout.money import fen_from_phone
from checkout.monitors import messages, proofs, times
from checkout.monitors.messages import Message, digest
from checkout.payments import REPEAT_WINDOW_S
from checkout.web import fields, parts

NAME = "generic"
UNDATED_REPEAT_S = 120

_KNOWN = frozenset({"method", "amount", "title", "text", "package", "id", "time", "beat", "ts", "sign"})
_FREE = frozenset({"title", "text", "beat"})
_MONEY, _NOTICE = ("method", "amount"), ("title", "text", "package")
_YES, _NO = ("true", "1"), ("false", "0", "")
_MAX_ID = 128
# What an automation app sends for a variable that has no value: the same "id" for ever.
_PLACEHOLDER = re.compile(r"%[A-Za-z_]\w*|\{[a-z_]+\}|\[[a-z_]+\]")


def routes() -> Blueprint:
    blueprint = messages.routes(NAME)
    blueprint.add_url_rule("/monitor/push/<token>", "receive", receive, methods=["GET", "POST"])
    return blueprint


def receive(token: str) -> Response:
    now = parts().clock()
    device = proofs.device_of(token, NAME, now)
    values = fields(known=_KNOWN, free=_FREE)
    signed_at = _signed_at(values, device, now)
    has_money, has_notice = (any(name in values for name in names) for names in (_MONEY, _NOTICE))
    if has_money + has_notice + _is_beat(values) != 1:
        raise Refusal(Code.BAD_REQUEST, "Send method and amount, or title and text, or beat: one of the three.")
    if has_money:
        return _money(values, device, signed_at, now)
    return _notice(values, device, signed_at, now) if has_notice else messages.beat(device, now)


def _money(values: Mapping[str, str], device: Device, signed_at: str, now: int) -> Response:
    method, amount = values.get("method", ""), values.get("amount", "")
    if method not in tuple(Method):
        raise Refusal(Code.BAD_REQUEST, f"The method must be {' or '.join(Method)}.")
    if not amount:
        raise Refusal(Code.BAD_REQUEST, "The amount is missing.")
    received = fen_from_phone(amount)
    message = _message(values, device, (method, str(received)), signed_at, now)
    return messages.money(message, method, received, now)


def _notice(values: Mapping[str, str], device: Device, signed_at: str, now: int) -> Response:
    package, title, text = (values.get(name, "") for name in ("package", "title", "text"))
    _refuse_placeholder(values, "package")
    if not title and not text:
        raise Refusal(Code.BAD_REQUEST, "The title and the text are both empty.")
    message = _message(values, device, (package, title, text), signed_at, now)
    return messages.notification(message, package, title, text, now)


def _message(values: Mapping[str, str], device: Device, content: tuple[str, ...], signed_at: str, now: int) -> Message:
    said = {name: value for name, value in sorted(values.items()) if name != "sign"}
    number, at = values.get("id"), values.get("time")
    happened_at = _time(at, now)
    if number is not None:
        _check_id(values, number)
        event = f"{device.id}:{digest('id', number)}:"
        return Message(device, said, event + digest(*content), happened_at, event)
    # A signature's time tells a request from another one, but a script that tries again may sign again.
    dated = at or signed_at or parts().new_id("msg")
    repeat_s = UNDATED_REPEAT_S if at is None else REPEAT_WINDOW_S
    return Message(device, said, f"{device.id}:{digest(*content, dated)}", happened_at, repeat_s=repeat_s)


def _time(at: str | None, now: int) -> int:
    found = now if at is None else times.unix(at)
    if found is None:
        raise Refusal(Code.BAD_REQUEST, "The time must be a Unix time or look like 2026-09-21 22:13:20.")
    return found


def _check_id(values: Mapping[str, str], number: str) -> None:
    _refuse_placeholder(values, "id")
    if not 1 <= len(number) <= _MAX_ID:
        raise Refusal(Code.BAD_REQUEST, f"The id has 1 to {_MAX_ID} characters.")


def _refuse_placeholder(values: Mapping[str, str], name: str) -> None:
    if _PLACEHOLDER.fullmatch(values.get(name, "")):
        raise Refusal(Code.BAD_REQUEST, f"The {name} is a placeholder that the app has not filled in.")


def _is_beat(values: Mapping[str, str]) -> bool:
    told = values.get("beat", "").lower()
    if told not in _YES + _NO:
        raise Refusal(Code.BAD_REQUEST, "The beat must be true or false.")
    return told in _YES or (request.method in ("GET", "HEAD") and not values.keys() - {"ts", "sign"})


def _signed_at(values: Mapping[str, str], device: Device, now: int) -> str:
    """When the message was signed, "" if it was not. Refused: BAD_SIGNATURE, FORBIDDEN (another time), BAD_REQUEST."""
    by_header = request.headers.get("X-Signature")
    if by_header is not None:
        timestamp, body = request.headers.get("X-Timestamp", ""), _signed_body()
        proofs.check_signature(by_header, device, lambda key: f"{timestamp}.".encode() + body, now)
    elif "sign" in values:
        timestamp = values.get("ts", "")
        proofs.check_signature(values["sign"], device, proofs.of_time(timestamp), now)
    elif device.signed:
        raise proofs.unsigned(device, "This device signs its messages; this one is not signed.", now)
    else:
        return ""
    proofs.check_time(timestamp, now)
    return timestamp


def _signed_body() -> bytes:
    """The signature covers the body and nothing else."""
    if request.query_string or request.mimetype == "multipart/form-data":
        raise Refusal(Code.BAD_REQUEST, "A message signed in its headers is a body of JSON or a form, without a query.")
    return request.get_data(cache=True)

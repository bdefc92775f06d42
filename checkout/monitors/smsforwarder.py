"""SmsForwarder (短信转发器), an app that forwards notifications; its webhook sender (app version 3).

`POST /monitor/smsforwarder/<device token>`, JSON or form, made from TEMPLATE. `ts` is the phone's clock in
milliseconds and `sign` is urlencode(base64(HMAC-SHA256(secret, ts + "\\n" + secret))), encoded once more by forms. It
covers the time alone, so the token is required too, and the time must be of now. A retry repeats the request as it
was: (device, ts, content) is the idempotency key. Sending an old message again by hand makes a new time and
signature, but keeps its `time`: such a repeat never pays by itself. The test button and the app's scheduled tasks send
messages that are from no payment app: signs of life.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from flask import Blueprint, Response

from checkout.errors import Code, Refusal
from checkout.model.devices import Device
from checkout.monitors import messages, proofs, times
from checkout.monitors.messages import Message, digest
from checkout.web import fields, parts

NAME = "smsforwarder"
TEMPLATE = (
    '{"from":"[from]","title":"[title]","text":"[org_content]","time":"[receive_time:yyyy-MM-dd HH:mm:ss]",'
    '"device":"[device_mark]","ts":"[timestamp]","sign":"[sign]"}'
)

_KNOWN = frozenset({"from", "title", "text", "time", "device", "ts", "sign"})
_FREE = frozenset({"title", "text", "time", "device"})
_MILLISECONDS = re.compile(r"[0-9]{13}")


def routes() -> Blueprint:
    blueprint = messages.routes(NAME)
    blueprint.add_url_rule("/monitor/smsforwarder/<token>", "receive", receive, methods=["GET", "POST"])
    return blueprint


def receive(token: str) -> Response:
    now = parts().clock()
    device = proofs.device_of(token, NAME, now)
    values = fields(known=_KNOWN, free=_FREE)
    _check(values, device, now)
    return messages.notification(_message(values, device, now), values["from"], values["title"], values["text"], now)


def _check(values: Mapping[str, str], device: Device, now: int) -> None:
    for name in ("from", "title", "text", "ts", "sign"):
        if name not in values:
            raise Refusal(
                Code.BAD_REQUEST, f"The message has no {name}; paste the template that `checkout device show` prints."
            )
    if not values["from"]:
        raise Refusal(Code.BAD_REQUEST, "The message does not say which app it is from.")
    if not values["sign"]:
        raise proofs.unsigned(device, "The message is not signed; enter the secret in the app.", now)
    if _MILLISECONDS.fullmatch(values["ts"]) is None:
        raise Refusal(Code.BAD_REQUEST, "The ts of the message must be a Unix time in milliseconds.")
    proofs.check_signature(values["sign"], device, proofs.of_time(values["ts"]), now)
    proofs.check_time(values["ts"], now)


def _message(values: Mapping[str, str], device: Device, now: int) -> Message:
    said = {name: value for name, value in sorted(values.items()) if name != "sign"}
    ts, age = values["ts"], times.age(values.get("time", ""), int(values["ts"]))
    telling = f"{ts}:{digest(json.dumps(said))}"
    if age is None:
        return Message(device, said, f"{device.id}:{telling}", int(ts) // 1000)
    event = f"{device.id}:{digest(*(values[name] for name in ('from', 'title', 'text', 'time')))}:"
    return Message(device, said, event + telling, int(ts) // 1000 - age, event, came_at=now - age)

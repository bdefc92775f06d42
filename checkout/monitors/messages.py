"""What becomes of a message once its sender is known: a payment, something for a person to look at, a sign of life.

A message that says that money came is stored once, without its secrets, before it is judged, whatever its amount. One
that says nothing of the kind (most are private) is not stored; it only shows that the phone is alive.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from functools import lru_cache

from flask import Blueprint, Response
from msgspec import Struct

from checkout import payments, presence
from checkout.errors import Refusal
from checkout.model.devices import Device
from checkout.monitors import owner_rules, reading
from checkout.monitors.reading import Verdict
from checkout.payments import REPEAT_WINDOW_S, Report
from checkout.web import STATUS, parts

log = logging.getLogger(__name__)


class Message(Struct, frozen=True):
    """`said` are its fields without secrets; the rest is as in `payments.Report`."""

    device: Device
    said: Mapping[str, str]
    reference: str
    happened_at: int
    event: str = ""
    came_at: int | None = None
    repeat_s: int = REPEAT_WINDOW_S


def routes(name: str) -> Blueprint:
    """A blueprint that refuses in JSON, with a status of 4xx and one sentence."""
    blueprint = Blueprint(f"monitor_{name}", __name__)
    blueprint.register_error_handler(Refusal, _refused)
    return blueprint


def beat(device: Device, now: int) -> Response:
    """Notes that the phone is alive."""
    presence.beat(parts().store, device, now)
    return _answer({"ok": True}, 200)


def notification(message: Message, package: str, title: str, text: str, now: int) -> Response:
    """Reads a notification and does what it says."""
    in_force = owner_rules.in_force(parts().settings.data_dir)
    _complain(in_force.problem)
    found = reading.read(package, title, text, in_force.rules)
    if found.verdict in (Verdict.NOTHING, Verdict.OUTGOING):
        return beat(message.device, now)
    note = "" if found.verdict is Verdict.RECEIPT else found.why
    return money(message, found.method or "", found.amount, now, note)


def money(message: Message, method: str, amount: int | None, now: int, note: str = "") -> Response:
    """Books `amount` fen, or keeps for a person what could not be read (None, the reason in `note`)."""
    shop = parts()
    raw = json.dumps(dict(message.said), ensure_ascii=False)
    report = Report(
        message.device, method, amount, message.reference, raw, message.happened_at, note,
        message.event, message.came_at, message.repeat_s,
    )  # fmt: skip
    payments.receive(shop.store, report, new_id=shop.new_id, now=now, at_once=shop.at_once)
    return _answer({"ok": True}, 200)


def digest(*words: str) -> str:
    """32 hex digits that stand for these words, and for no others."""
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:32]


@lru_cache(maxsize=8)
def _complain(problem: str) -> None:
    """Logs each problem once, not with every message."""
    if problem:
        log.error("%s", problem)


def _refused(refusal: Refusal) -> Response:
    return _answer({"ok": False, "error": refusal.message}, STATUS[refusal.code])


def _answer(body: Mapping[str, object], status: int) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, content_type="application/json; charset=utf-8")

"""Who sent a message: the token in the address, the HMAC with the device's key, the time of the message."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from urllib.parse import unquote

from checkout import store
from checkout.errors import Code, Refusal
from checkout.model.devices import Device
from checkout.signing import equal, hmac_sha256, same_secret
from checkout.web import client_address, parts

WINDOW_S = 600
_MAX_SIGN = 512  # 44 characters, percent-encoded more than once

_TIMESTAMP = re.compile(r"[0-9]{10}(?:[0-9]{3})?")


def device_of(token: str, kind: str, now: int) -> Device:
    """The working device with that token and of that kind: an address of one kind is no way in for another. Refused:
    NOT_FOUND."""
    with parts().store.read() as db:
        device = store.devices.by_token(db, token)
    if device is None or device.kind != kind:
        note(kind, now)
        raise Refusal(
            Code.NOT_FOUND, "No device of this kind has this address; copy it again from `checkout device show NAME`."
        )
    return device


def check_signature(given: str, device: Device, message: Callable[[str], bytes], now: int) -> None:
    """Whether `given` is the HMAC-SHA256, in base64 or hex, of `message(key)` with a valid key of the device.

    Refused: BAD_SIGNATURE.
    """
    macs = [hmac_sha256(key, message(key)) for key in device.keys(now)]
    given = _unquoted(given[:_MAX_SIGN])
    if not any([equal(given, mac.hex()) or same_secret(given, base64.b64encode(mac).decode()) for mac in macs]):
        raise unsigned(device, "The signature does not fit; compare the secret with `checkout device show`.", now)


def unsigned(device: Device, sentence: str, now: int) -> Refusal:
    """The refusal of a message that is not signed with a key of the device."""
    note(device.id, now)
    return Refusal(Code.BAD_SIGNATURE, sentence)


def note(whose: str, now: int) -> None:
    """Notes that this request was signed with a wrong key: see `strangers.Strangers.note`."""
    parts().strangers.note(whose, client_address(), now)


def check_time(timestamp: str, now: int) -> None:
    """Refused: BAD_REQUEST when it is no Unix time (10 digits, or 13 in ms), FORBIDDEN when it is not of now."""
    off = abs(seconds(timestamp) - now)
    if off > WINDOW_S:
        raise Refusal(
            Code.FORBIDDEN,
            f"The message's time is {off} s off ours, more than {WINDOW_S}; let the phone set its clock by itself.",
        )


def seconds(timestamp: str) -> int:
    """A Unix time in seconds (10 digits) or milliseconds (13) as seconds. Refused: BAD_REQUEST."""
    if _TIMESTAMP.fullmatch(timestamp) is None:
        raise Refusal(Code.BAD_REQUEST, "The time of the signature must be a Unix time of 10 or 13 digits.")
    return int(timestamp[:10])


def of_time(timestamp: str) -> Callable[[str], bytes]:
    """What SmsForwarder signs: only the time, and the key once more."""
    return lambda key: f"{timestamp}\n{key}".encode()


def _unquoted(given: str) -> str:
    """Percent-encoded once more or less, by how it was sent; a form without it has spaces for plus signs."""
    while (shorter := unquote(given)) != given:
        given = shorter
    return given.replace(" ", "+")

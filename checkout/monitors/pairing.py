"""What an owner types into a phone, or scans with it, so that it reports to this server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from checkout.model.devices import Device

SCANNED = frozenset({"vmq"})  # kinds whose app takes the pairing text from a QR code

_TASKER = {"title": "%antitle", "text": "%antext", "package": "%anpackage", "time": "%TIMEMS"}
_MACRODROID = {
    "title": "{not_title}", "text": "{notification}", "package": "{not_app_package}", "time": "{not_timestamp}",
}  # fmt: skip
_MONEY = {"method": "alipay", "amount": "9.90", "id": "any text that is new for each payment"}
# The key stands in a variable of the shell, so that the line can be shown to others.
_SIGNED_CURL = """KEY={key}
T=$(date +%s); B='{body}'
S=$(printf '%s.%s' "$T" "$B" | openssl dgst -sha256 -hmac "$KEY" -r | cut -d' ' -f1)
curl -H "X-Timestamp: $T" -H "X-Signature: $S" -H 'Content-Type: application/json' -d "$B" {url}"""


def text(base_url: str, device: Device) -> str:
    """The pairing text of the device's kind; it holds the device's secret."""
    return TEXTS[device.kind](base_url, device)


def entries(base_url: str, device: Device) -> dict[str, str]:
    """What to enter, by name, in the order in which the app asks for it; empty where the pairing text is all."""
    return ENTRIES[device.kind](base_url, device)


def _vmq(base_url: str, device: Device) -> str:
    """`host[:port]/key`: no scheme, exactly one slash."""
    return f"{base_url.partition('://')[2].partition('/')[0]}/{device.key}"


def _smsforwarder(base_url: str, device: Device) -> dict[str, str]:
    from checkout.monitors import smsforwarder  # and Flask with it, which the command line does without

    return {
        "url": text(base_url, device),
        "template": smsforwarder.TEMPLATE,
        "secret": device.key,
        "keyword": '"ok":true',
    }


def _generic(base_url: str, device: Device) -> dict[str, str]:
    url = text(base_url, device)
    if device.signed:
        curl = _SIGNED_CURL.format(key=device.key, body=_json(_MONEY), url=url)
        return {"url": url, "secret": device.key, "curl": curl}
    return {
        "url": url,
        "try": f"curl {url}",
        "curl": f"curl -H 'Content-Type: application/json' -d '{_json(_MONEY)}' {url}",
        "tasker": _json(_TASKER),
        "macrodroid": _json(_MACRODROID),
        "shortcuts": _json(_MONEY),
        "beat": '{"beat":true}',
    }


def _json(values: Mapping[str, str]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


TEXTS: dict[str, Callable[[str, Device], str]] = {
    "vmq": _vmq,
    "smsforwarder": lambda base_url, device: f"{base_url}/monitor/smsforwarder/{device.token}",
    "generic": lambda base_url, device: f"{base_url}/monitor/push/{device.token}",
}
ENTRIES: dict[str, Callable[[str, Device], dict[str, str]]] = {
    "vmq": lambda base_url, device: {},
    "smsforwarder": _smsforwarder,
    "generic": _generic,
}

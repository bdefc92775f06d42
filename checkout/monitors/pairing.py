"""What an owner types into a phone, or scans with it, so that it reports to this server."""

from __future__ import annotations

from collections.abc import Callable

from checkout.model import Device


def text(base_url: str, device: Device) -> str:
    """The pairing text of the device's kind; it holds the device's secret."""
    return TEXTS[device.kind](base_url, device)


def _vmq(base_url: str, device: Device) -> str:
    """`host[:port]/key`: no scheme, exactly one slash."""
    return f"{base_url.partition('://')[2].partition('/')[0]}/{device.key}"


TEXTS: dict[str, Callable[[str, Device], str]] = {
    "vmq": _vmq,
    "smsforwarder": lambda base_url, device: f"{base_url}/monitor/smsforwarder/{device.token}",
    "generic": lambda base_url, device: f"{base_url}/monitor/push/{device.token}",
}

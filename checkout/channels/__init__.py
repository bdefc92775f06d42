"""Official gateways: one section of checkout.toml each, one module for each generation of a gateway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import cast

from checkout.channel import Channel
from checkout.model.accounts import PERSONAL
from checkout.setting_values import SettingsError
from checkout.settings import Settings

Make = Callable[[str, Mapping[str, object], Path, bool], Channel]

# A kind's module has the kind's name; it is imported only where a section asks for it: they bring heavy libraries.
KINDS = ("alipay", "alipay_legacy", "wechat", "wechat_2014", "wechat_v3")


def make_channels(settings: Settings) -> dict[str, Channel]:
    """The channels by their sections' names. Raises `SettingsError`, one sentence, for a section that cannot work."""
    return {name: _make(name, table, settings) for name, table in settings.channels.items()}


def _make(name: str, table: Mapping[str, object], settings: Settings) -> Channel:
    kind = table.get("kind")
    if kind not in KINDS:
        raise SettingsError(f"kind in [channels.{name}] must be one of {', '.join(KINDS)}.")
    if name == PERSONAL:
        raise SettingsError("[channels.personal] cannot be used: that is what accounts without a gateway are called.")
    make = cast(Make, import_module(f"checkout.channels.{kind}").make)
    return make(name, table, settings.folder, settings.allow_private)

"""A section [channels.NAME] of checkout.toml, read key by key; what is left over at the end is a mistake.

Every complaint is one `SettingsError` that names section and key and holds no secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path

from checkout.channels import keys
from checkout.http import targets
from checkout.setting_values import SettingsError


class Section:
    """One section. Ask for every key that its kind has, then call `done`."""

    def __init__(self, name: str, table: Mapping[str, object], folder: Path) -> None:
        self._name = name
        self._table = table
        self._folder = folder
        self._known = ["kind"]

    def what(self, key: str) -> str:
        """How messages name a key."""
        return f"{key} in [channels.{self._name}]"

    def bad(self, key: str, problem: str) -> SettingsError:
        return SettingsError(f"{self.what(key)} {problem}.")

    def text(self, key: str, pattern: str, expected: str, *, default: str | None = None) -> str:
        """A text that matches as a whole; without a default it must be there."""
        value = self._value(key, default)
        if value == default and default is not None:
            return default
        if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
            raise self.bad(key, f"must be {expected}")
        return value

    def choice(self, key: str, *choices: str, default: str | None = None) -> str:
        return self.text(key, "|".join(map(re.escape, choices)), " or ".join(choices), default=default)

    def secret(self, key: str, *, is_secret: bool = True) -> str:
        """What the file or the variable that the key names holds."""
        return keys.read_secret(self._value(key, None), self._folder, self.what(key), is_secret=is_secret)

    def gateway(self, key: str, default: str, *, allow_private: bool) -> str:
        """An https address without a query; plain http only to this machine, and only with allow_private."""
        value = self._value(key, default)
        try:
            if not isinstance(value, str) or "?" in value or "#" in value:
                raise ValueError("It has a query.")
            target = targets.parsed(value)
        except ValueError:
            raise self.bad(key, f"must be an https address without a query, such as {default}") from None
        if not target.tls and not (allow_private and _is_loopback(target)):
            raise self.bad(key, "must begin with https:// (http:// only on this machine, with allow_private)")
        return value

    def done(self) -> None:
        """Refuses keys that nobody asked for."""
        for key in self._table:
            if key not in self._known:
                close = get_close_matches(key, self._known, n=1, cutoff=0.7)
                hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(self._known)}."
                raise SettingsError(f"{self.what(key)} is not a setting{hint}")

    def _value(self, key: str, default: str | None) -> object:
        self._known.append(key)
        value = self._table.get(key, default)
        if value is None or (value == "" and default is None):
            raise SettingsError(f"{self.what(key)} is missing{self._misspelt(key)}")
        return value

    def _misspelt(self, key: str) -> str:
        """A key that is there and can hardly be another one."""
        there = [name for name in self._table if name not in self._known]
        close = get_close_matches(key, there, n=1, cutoff=0.85)
        return f"; is {close[0]} to be it?" if close else "."


def _is_loopback(target: targets.Target) -> bool:
    return ip_address(target.host).is_loopback if target.is_address else target.host == "localhost"

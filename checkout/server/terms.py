"""On which settings a crew of workers serves (`checkout.server.serve`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from checkout import __version__
from checkout.settings import Settings, SettingsError

if TYPE_CHECKING:
    from checkout.server.crews import Line


class Terms(Struct, frozen=True):
    """What a crew leaves to the next one."""

    version: str
    settings: Settings

    def written(self) -> str:
        """By `json`, as names of folders may hold what is no text to msgspec's own."""
        return json.dumps(msgspec.to_builtins(self, enc_hook=_plain))

    @classmethod
    def read(cls, written: str) -> Terms:
        return msgspec.convert(json.loads(written), cls, dec_hook=_typed)


def settings(line: Line, read: Callable[[], Settings]) -> Settings:
    """As they are now, where that was asked for. A crew that takes the place of one that died keeps to what was in
    force: what was written since may be half of it. Raises SettingsError."""
    if not line.terms:
        return read()
    version = json.loads(line.terms)["version"]
    if line.news:
        return Terms.read(line.terms).settings if version == __version__ else read()
    if version != __version__:
        raise SettingsError(f"The program is version {__version__} now; that needs a restart.")
    settings = read()
    if settings.database != Terms.read(line.terms).settings.database:
        raise SettingsError("Another database needs a restart.")
    return settings


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _typed(kind: type, value: object) -> object:
    return value if kind is object else kind(value)

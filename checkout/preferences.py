"""What the owner edits while the server runs: its looks and how patient it is. It overrides checkout.toml.

The settings that decide where things lie and who may reach them stay with the machine's owner, in checkout.toml.
"""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from checkout import audit, qr, store
from checkout.errors import Code, Refusal
from checkout.interfaces import NewId, Rows, Store
from checkout.setting_values import READERS, Raw, SettingsError
from checkout.settings import Settings

EDITABLE = (
    "shop_name", "contact", "brand_color", "brand_logo", "language", "order_ttl", "grace", "device_offline_after",
)  # fmt: skip
_LOGO_SIDE = 256


class Unfit(Refusal):
    """A value that a setting cannot have; `field` is the setting's name."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(Code.BAD_REQUEST, message)
        self.field = field


def applied(db_store: Store, settings: Settings) -> Settings:
    """The `settings` of checkout.toml, overridden by what the owner has edited. Values that this version cannot read
    any more are ignored: a server must start."""
    with db_store.read() as db:
        edited = store.preferences.all_of(db)
    return with_edits(settings, edited)


def with_edits(settings: Settings, edited: Mapping[str, str]) -> Settings:
    values: dict[str, Any] = {}
    for name, text in edited.items():
        try:
            values[name] = _read(settings, name, text)
        except (SettingsError, KeyError):
            continue
    changed = replace(settings, **values)
    return changed if changed.rest >= changed.grace else replace(changed, rest=changed.grace)


def change(
    db_store: Store, settings: Settings, wanted: Mapping[str, str], *, actor: str, new_id: NewId, now: int
) -> None:
    """Sets what `wanted` names, as texts; "" returns to checkout.toml, which `settings` are. Audited.

    Refused: BAD_REQUEST (`Unfit`), and nothing is changed.
    """
    for name, text in wanted.items():
        if name not in EDITABLE:
            raise Unfit(name, "This is set in checkout.toml.")
        if text:
            _check(settings, name, text)
    with db_store.transaction() as db:
        before = store.preferences.all_of(db)
        for name, text in wanted.items():
            if text != before.get(name, ""):
                _put(db, name, text, actor, new_id, now)


def keep_logo(settings: Settings, picture: bytes) -> str:
    """Writes an uploaded picture beside the database, drawn anew so that nothing can hide in it; returns its path.

    Refused: BAD_REQUEST (`Unfit`): no picture, too large."""
    from PIL import Image

    try:
        image = qr.opened(picture).convert("RGBA")
    except Refusal as refusal:
        raise Unfit("brand_logo", refusal.message) from refusal
    image.thumbnail((_LOGO_SIDE, _LOGO_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    path = settings.data_dir / f"logo-{secrets.token_hex(6)}.png"
    _write(path, buffer.getvalue())
    return str(path)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _put(db: Rows, name: str, text: str, actor: str, new_id: NewId, now: int) -> None:
    if text:
        store.preferences.put(db, name, text, now)
    else:
        store.preferences.take_away(db, name)
    audit.note(db, actor, "settings.change", name, {"value": text or "as in checkout.toml"}, new_id, now)


def _check(settings: Settings, name: str, text: str) -> None:
    try:
        _read(settings, name, text)
    except SettingsError as error:
        raise Unfit(name, str(error)) from error


def _read(settings: Settings, name: str, text: str) -> object:
    return READERS[name](Raw(name=name, label="It", value=text, folder=settings.folder, is_text=True))

"""What an owner sets before the start: checkout.toml and the environment, read once into a frozen record.

Every setting has one name: `order_ttl` in checkout.toml, CHECKOUT_ORDER_TTL in the environment, which wins.
What changes while the server runs (merchants, accounts, devices, products) lives in the database instead.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from msgspec import field
from msgspec.structs import replace

from checkout import toml
from checkout.records import Discreet
from checkout.setting_values import READERS, Raw, SettingsError, zone_of

__all__ = ["Settings", "SettingsError", "load", "secret_for"]

PREFIX = "CHECKOUT_"
_MAX_FILE = 65_536  # bytes; the reader of TOML takes a long time over a long hostile file
_LOOPBACK = re.compile(r"127(?:\.[0-9]{1,3}){3}")
NOT_SETTINGS = ("CHECKOUT_CONFIG", "CHECKOUT_NPM_REGISTRY")  # read elsewhere
NOT_SETTINGS_PREFIXES = ("CHECKOUT_TEST_", "CHECKOUT_BENCH_")
_OF_SERVE = ("host", "port", "bind", "listen")  # options, or what other programs call them


class Settings(Discreet, frozen=True, kw_only=True):
    """All settings, checked. Times are seconds, sizes bytes, paths absolute."""

    SECRET: ClassVar = ("database", "secret", "metrics_token", "alerts", "channels")

    database: str  # a path, or a PostgreSQL address, which may hold a password
    folder: Path = field(default_factory=Path.cwd)  # where the relative paths in `channels` start
    base_url: str = "http://127.0.0.1:8000"  # no slash at the end
    secret: str | None = None  # use secret_for()
    order_ttl: int = 300
    grace: int = 600  # late money still finds its order
    rest: int = 7200  # an amount shown and not paid rests while others are free; never below grace
    allow_private: bool = False  # callbacks may go to loopback and private addresses
    htmx: Literal["cdn", "local"] = "cdn"
    workers: int = 1
    threads: int = 8
    trusted_proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-* headers count
    trusted_hosts: tuple[str, ...] = ()  # names beside that of base_url; .example.com is it and all below it
    callback_ports: tuple[int, ...] = (80, 443)
    min_free_disk: int = 52_428_800  # below it new orders are refused, so that payments still fit
    device_offline_after: int = 180
    push_window_s: int = 0  # how far a push's own time may be off; 0 = any
    metrics_token: str = ""  # lets other machines read /metrics
    metrics_loopback: bool = False  # programs on this machine need no token, whatever stands before the server
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["warning", "info"] = "warning"  # info: every request and event
    log_file: str = ""  # "": stderr
    keep_attempts_days: int = 90  # tries at messages that have ended; 0: for ever
    backup_folder: str = ""  # where backups by the clock go; "": none are made
    backup_every: int = 86_400
    backup_keep: int = 14
    language: Literal["zh-CN", "zh-TW", "en"] = "zh-CN"
    shop_name: str = "Checkout"
    brand_color: str = ""  # #rrggbb
    brand_logo: str = ""  # path of an image
    contact: str = ""  # how buyers reach the shop, shown on its pages
    alerts: tuple[str, ...] = ()  # where the owner is told; they hold passwords and keys
    alerts_quiet: str = ""  # such as 23:00-08:00
    alerts_zone: str = "Asia/Shanghai"  # whose clock the quiet hours are told by
    channels: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def is_postgres(self) -> bool:
        return "://" in self.database

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the public address."""
        return names_this_machine(urlsplit(self.base_url).hostname or "")

    @property
    def quiet_minutes(self) -> tuple[int, int] | None:
        """The quiet hours as minutes of the day, start and end."""
        if not self.alerts_quiet:
            return None
        begin, end = (int(time[:2]) * 60 + int(time[3:]) for time in self.alerts_quiet.split("-"))
        return begin, end

    @property
    def alerts_tzinfo(self) -> tzinfo:
        return zone_of(self.alerts_zone)

    @property
    def place(self) -> str:
        """The database by a name that may be shown: an address of PostgreSQL holds a password."""
        return "PostgreSQL" if self.is_postgres else self.database

    @property
    def data_dir(self) -> Path:
        """The folder of the SQLite file; with PostgreSQL, `data` beside the configuration."""
        return self.folder / "data" if self.is_postgres else Path(self.database).parent


def load(environ: Mapping[str, str], cwd: Path) -> Settings:
    """Read checkout.toml and the environment; change nothing.

    CHECKOUT_CONFIG names the file; otherwise it is `cwd`/checkout.toml, if there is one. Relative paths in it
    start at its folder, those in the environment at `cwd`. A variable that is set but empty counts as unset.
    Raises SettingsError, one sentence that names the key, for an unknown key or a bad value.
    """
    path = _config_path(environ, cwd)
    table = _read_toml(path) if path else {}
    folder = path.parent if path else cwd
    channels = _channels(table.pop("channels", {}), path)
    written = {raw.name: raw for raw in _from_file(table, path, folder)}
    written |= {raw.name: raw for raw in _from_environment(environ, cwd, channels)}
    values: dict[str, Any] = {name: READERS[name](raw) for name, raw in written.items()}
    values.setdefault("database", str(cwd / "data" / "checkout.db"))
    settings = Settings(folder=folder, channels=channels, **values)
    if settings.rest >= settings.grace:
        return settings
    if "rest" in written:
        raise SettingsError(f"{written['rest'].label} must not be below grace, which is {settings.grace}.")
    return replace(settings, rest=settings.grace)


def names_this_machine(host: str) -> bool:
    """Whether it is a name or address of the machine itself, which others mean themselves by."""
    return host in ("localhost", "::1") or bool(_LOOPBACK.fullmatch(host))


def secret_for(settings: Settings) -> str:
    """Return the secret that signs sessions and forms; make it once, 32 random bytes in hex.

    It is kept, mode 0600, in `secret` beside the database. PostgreSQL may be shared by several machines that
    must sign alike, so there it has to be set. Raises SettingsError.
    """
    if settings.secret is not None:
        return settings.secret
    if settings.is_postgres:
        raise SettingsError("CHECKOUT_SECRET must be set when the database is PostgreSQL.")
    path = settings.data_dir / "secret"
    try:
        if not path.exists():
            _make_secret(path)
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"The secret in {path} cannot be used: {error}.") from error
    if len(secret) < 32:
        raise SettingsError(f"The secret in {path} is damaged; remove the file and a new one is made.")
    return secret


def _make_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".secret.{os.getpid()}.{secrets.token_hex(4)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # of two processes that start together one wins, and both then read its secret
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _config_path(environ: Mapping[str, str], cwd: Path) -> Path | None:
    if named := environ.get("CHECKOUT_CONFIG"):
        return (cwd / Path(named).expanduser()).absolute()
    default = cwd / "checkout.toml"
    return default if default.exists() else None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > _MAX_FILE:
        raise SettingsError(f"{path} is longer than 64 KiB: is it the settings' file?")
    try:
        # utf-8-sig: Windows editors put a mark in front that TOML does not know.
        return toml.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path} is not UTF-8 (at line {line}).") from error
    except toml.Unreadable as error:
        raise SettingsError(f'{path}: {error}; text stands in "quotation marks".') from error


def _channels(tables: object, path: Path | None) -> Mapping[str, Mapping[str, object]]:
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise SettingsError(f"channels in {path} must be tables such as [channels.alipay].")
    return MappingProxyType({name: MappingProxyType(table) for name, table in tables.items()})


def _from_file(table: Mapping[str, object], path: Path | None, folder: Path) -> Iterator[Raw]:
    for name, value in table.items():
        if name not in READERS:
            raise SettingsError(f"{name} in {path} is not a setting{_hint(name, READERS)}")
        yield Raw(name=name, label=f"{name} in {path}", value=value, folder=folder, is_text=False)


def _from_environment(
    environ: Mapping[str, str], cwd: Path, channels: Mapping[str, Mapping[str, object]]
) -> Iterator[Raw]:
    keys = {str(value).removeprefix("env:") for table in channels.values() for value in table.values()}
    known = {PREFIX + name.upper(): name for name in READERS}
    for variable, value in environ.items():
        if variable in known:
            if value:
                yield Raw(name=known[variable], label=variable, value=value, folder=cwd, is_text=True)
        elif variable.startswith(PREFIX) and not _is_for_others(variable) and variable not in keys:
            raise SettingsError(f"{variable} is not a setting{_hint(variable, known)}")


def _is_for_others(variable: str) -> bool:
    return variable in NOT_SETTINGS or variable.startswith(NOT_SETTINGS_PREFIXES)


def _hint(name: str, known: Mapping[str, object]) -> str:
    from difflib import get_close_matches  # only who misspells needs it

    if name.removeprefix(PREFIX).lower() in _OF_SERVE:
        return "; where it listens is said at its start: checkout serve --host 127.0.0.1 --port 8000."
    close = get_close_matches(name, known, n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else "; docs/settings.en.md lists all of them."

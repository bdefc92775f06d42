"""How each setting is written: text or TOML becomes a checked value, or one sentence says what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, timedelta, timezone, tzinfo
from ipaddress import ip_network
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from checkout.errors import SettingsError as SettingsError

POSTGRES = ("postgresql://", "postgres://")
HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
BASE_URL = re.compile(rf"(https?://{HOST}(?::([0-9]{{1,5}}))?(?:/[A-Za-z0-9._~-]+)*)/?")
NAME = re.compile(r"\.?(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
DAY = 86_400
_SERVICE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[!-~]+")
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"


class Raw(Struct, frozen=True, kw_only=True):
    """A value as it was written."""

    name: str  # the setting
    label: str  # where it was written, for messages
    value: object
    folder: Path  # where relative paths start
    is_text: bool  # from the environment, where everything is text

    def bad(self, expected: str) -> SettingsError:
        return SettingsError(f"{self.label} must be {expected}, not {self.value!r}.")


def integer(low: int, high: int) -> Callable[[Raw], int]:
    """Reads a whole number from `low` to `high`, both included."""

    def read(raw: Raw) -> int:
        expected = f"a whole number from {low} to {high}"
        number = raw.value
        if raw.is_text and isinstance(number, str) and re.fullmatch("[0-9]{1,18}", number):
            number = int(number)
        if type(number) is not int or not low <= number <= high:  # type(): True is an int too
            raise raw.bad(expected)
        return number

    return read


def flag(raw: Raw) -> bool:
    if isinstance(raw.value, bool):
        return raw.value
    word = raw.value.lower() if raw.is_text and isinstance(raw.value, str) else ""
    if word not in TRUE + FALSE:
        raise raw.bad("1 or 0" if raw.is_text else "true or false")
    return word in TRUE


def choice(*choices: str) -> Callable[[Raw], str]:
    def read(raw: Raw) -> str:
        if raw.value not in choices:
            raise raw.bad(" or ".join(choices))
        return str(raw.value)

    return read


def matching(pattern: str, expected: str) -> Callable[[Raw], str]:
    def read(raw: Raw) -> str:
        if not isinstance(raw.value, str) or not re.fullmatch(pattern, raw.value):
            raise raw.bad(expected)
        return raw.value

    return read


def shop_name(raw: Raw) -> str:
    name = raw.value
    if not isinstance(name, str) or not name.isprintable() or not 1 <= len(name.strip()) <= 64:
        raise raw.bad("a name of 1 to 64 printable characters")
    return name.strip()


def contact(raw: Raw) -> str:
    words = raw.value
    if not isinstance(words, str) or not words.isprintable() or len(words.strip()) > 100:
        raise raw.bad("at most 100 printable characters, such as a mail address")
    return words.strip()


def base_url(raw: Raw) -> str:
    match = BASE_URL.fullmatch(raw.value) if isinstance(raw.value, str) else None
    if match is None or not 1 <= int(match[2] or 80) <= 65535:
        raise raw.bad("an address such as https://pay.example.com, without query or user name")
    return match[1]


def database(raw: Raw) -> str:
    """A path, made absolute, or a PostgreSQL address, which no message repeats: it may hold a password."""
    value = raw.value
    if isinstance(value, str) and value.startswith(POSTGRES):
        return value
    if not isinstance(value, str) or not value or "://" in value or value.startswith(":") or "\0" in value:
        raise SettingsError(f"{raw.label} must be the path of a file or a postgresql:// address.")
    return str(_absolute(value, raw.folder))


def secret(raw: Raw) -> str:
    if not isinstance(raw.value, str) or len(raw.value) < 16 or not raw.value.isprintable():
        raise SettingsError(f"{raw.label} must be a text of at least 16 characters, best made at random.")
    return raw.value


def image(raw: Raw) -> str:
    path = raw.value
    if path == "":
        return ""
    if not isinstance(path, str) or not path.lower().endswith((".png", ".jpg", ".jpeg", ".webp", ".svg")):
        raise raw.bad("the path of a png, jpg, webp or svg file")
    return str(_absolute(path, raw.folder))


def path_of(kind: str) -> Callable[[Raw], str]:
    def read(raw: Raw) -> str:
        if raw.value == "":
            return ""
        if not isinstance(raw.value, str) or "\0" in raw.value:
            raise raw.bad(f"the path of a {kind}")
        return str(_absolute(raw.value, raw.folder))

    return read


def networks(raw: Raw) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(item)) for item in _texts(raw))
    except ValueError as error:
        raise raw.bad("a list of addresses or networks such as 10.0.0.0/8") from error


def names(raw: Raw) -> tuple[str, ...]:
    """Names of hosts in lower case; one that begins with a dot stands for all below it too."""
    items = _texts(raw)
    if not all(NAME.fullmatch(item) for item in items):
        raise raw.bad("a list of names such as shop.example.com or .example.com, without https:// and port")
    return tuple(item.lower().removesuffix(".") for item in items)


def ports(raw: Raw) -> tuple[int, ...]:
    items = _texts(raw) if raw.is_text else raw.value
    if not isinstance(items, list) or not items:
        raise raw.bad("a list of ports such as 80, 443")
    port = integer(1, 65535)
    return tuple(port(replace(raw, value=item)) for item in items)


def services(raw: Raw) -> tuple[str, ...]:
    """Addresses of Apprise, in the environment separated by spaces. No message repeats one: they hold secrets."""
    items = raw.value.split() if raw.is_text and isinstance(raw.value, str) else raw.value
    if not isinstance(items, list) or not all(isinstance(one, str) and _SERVICE.fullmatch(one) for one in items):
        how = "separated by spaces" if raw.is_text else "as a list of texts"
        raise SettingsError(f"{raw.label} must be addresses such as ntfy://ntfy.sh/topic, {how}.")
    return tuple(items)


def zone(raw: Raw) -> str:
    try:
        zone_of(raw.value if isinstance(raw.value, str) else "")
    except (ValueError, OSError, KeyError) as error:
        raise raw.bad("a time zone such as Asia/Shanghai or UTC") from error
    return str(raw.value)


def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name; KeyError, ValueError or OSError for what is none. China's needs no tz database."""
    if name == "Asia/Shanghai":
        return timezone(timedelta(hours=8), name)
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # with all that Python knows of how it was built: a third of a megabyte

    return ZoneInfo(name)


def _texts(raw: Raw) -> list[str]:
    if raw.is_text and isinstance(raw.value, str):
        return [item.strip() for item in raw.value.split(",") if item.strip()]
    if isinstance(raw.value, list) and all(isinstance(item, str) for item in raw.value):
        return raw.value
    raise raw.bad("a list of texts")


def _absolute(path: str, folder: Path) -> Path:
    return (folder / Path(path).expanduser()).absolute()


READERS: dict[str, Callable[[Raw], object]] = {
    "database": database,
    "base_url": base_url,
    "secret": secret,
    "order_ttl": integer(1, DAY),
    "grace": integer(0, 7 * DAY),
    "rest": integer(0, 30 * DAY),
    "allow_private": flag,
    "htmx": choice("cdn", "local"),
    "workers": integer(1, 64),
    "threads": integer(1, 256),
    "trusted_proxies": networks,
    "trusted_hosts": names,
    "callback_ports": ports,
    "min_free_disk": integer(0, 2**50),
    "device_offline_after": integer(30, DAY),
    "push_window_s": integer(0, 30 * DAY),
    "metrics_token": secret,
    "metrics_loopback": flag,
    "log_format": choice("text", "json"),
    "log_level": choice("warning", "info"),
    "log_file": path_of("file"),
    "keep_attempts_days": integer(0, 36_500),
    "backup_folder": path_of("folder"),
    "backup_every": integer(60, 30 * DAY),
    "backup_keep": integer(1, 10_000),
    "language": choice("zh-CN", "zh-TW", "en"),
    "shop_name": shop_name,
    "brand_color": matching("(#[0-9A-Fa-f]{6})?", "a colour such as #047f40"),
    "brand_logo": image,
    "contact": contact,
    "alerts": services,
    "alerts_quiet": matching(f"({_TIME}-{_TIME})?", "hours such as 23:00-08:00"),
    "alerts_zone": zone,
}

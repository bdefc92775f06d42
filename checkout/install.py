"""`checkout install`: makes a service of the one-file program on a machine with systemd.

The program is unpacked once to /opt/checkout/<release>: a service that unpacked 70 MB at each start would be slower,
and could not start where temporary folders may hold no programs. What an owner has written is never overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from checkout.errors import Code, Refusal
from checkout.machine import COMMAND, CURRENT, DATA, PROGRAMS, SETTINGS, UNIT, USER, Machine, Source
from checkout.resources import resource_dir
from checkout.setting_values import Raw, SettingsError, base_url, shop_name

_WRAPPER = f"""#!/bin/sh
# Written by `checkout install`: the program, with the settings and the user of the server.
case "$1" in
install | upgrade) exec {CURRENT}/checkout "$@" ;;
esac
if [ "$(id -u)" = 0 ]; then
  exec runuser -u {USER} -- env CHECKOUT_CONFIG={SETTINGS} {CURRENT}/checkout "$@"
fi
if [ "$(id -un)" = {USER} ]; then
  CHECKOUT_CONFIG={SETTINGS} exec {CURRENT}/checkout "$@"
fi
exec sudo -u {USER} -- env CHECKOUT_CONFIG={SETTINGS} {CURRENT}/checkout "$@"
"""


class Wish(Struct, frozen=True):
    """What the owner answered."""

    base_url: str
    shop_name: str
    port: int
    start: bool


class Step(Struct, frozen=True):
    """One thing to do, described; `text` is what would be written."""

    what: str
    do: Callable[[], object]
    text: str = ""


def checked(wish: Wish) -> Wish:
    """Refused: BAD_REQUEST, for an address or a name that the server would not accept."""
    try:
        return Wish(_read(base_url, wish.base_url), _read(shop_name, wish.shop_name), wish.port, wish.start)
    except SettingsError as error:
        raise Refusal(Code.BAD_REQUEST, str(error)) from error


def refuse(machine: Machine, wish: Wish, *, only_printed: bool = False) -> None:
    """Refused: BAD_REQUEST, for what cannot be done on this machine, before anything is written."""
    if machine.current:
        raise Refusal(
            Code.BAD_REQUEST, f"Checkout {machine.current} is installed already; a newer program upgrades: upgrade."
        )
    if wish.start and not machine.has_systemd and not only_printed:
        raise Refusal(
            Code.BAD_REQUEST,
            "This machine does not run systemd. --no-start writes everything and starts nothing; or start"
            " `checkout serve` with what this machine has.",
        )


def steps(machine: Machine, source: Source, wish: Wish) -> Iterator[Step]:
    """Everything to do, in order; nothing is done before a step's `do` is called."""
    yield Step(f"make the user {USER}, without a login", lambda: _make_user(machine))
    yield Step(f"unpack the program to {PROGRAMS / source.release}", lambda: machine.unpack(source))
    yield Step(f"point {CURRENT} to it", lambda: machine.switch(source.release))
    if machine.at(SETTINGS).exists():
        yield Step(f"keep {SETTINGS} as it is", lambda: None)
    else:
        yield _writing(machine, SETTINGS, settings_text(wish), 0o640)
        yield Step(f"let only {USER} read it", lambda: machine.run("chgrp", USER, str(machine.at(SETTINGS))))
    yield Step(f"make the folder {DATA}, for {USER} alone", lambda: _make_data(machine))
    yield _writing(machine, COMMAND, _WRAPPER, 0o755)
    yield _writing(machine, UNIT, unit_text(wish.port), 0o644)
    if wish.start:
        yield Step("start it, now and at each boot", lambda: _start(machine, wish.port))


def settings_text(wish: Wish) -> str:
    values = {
        "base_url": wish.base_url, "shop_name": wish.shop_name, "database": str(DATA / "checkout.db"),
        "trusted_proxies": ["127.0.0.1", "::1"], "backup_folder": str(DATA / "backups"),
    }  # fmt: skip
    lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    return "\n".join(("# All settings: docs/settings; after a change: systemctl reload checkout", *lines, ""))


def unit_text(port: int) -> str:
    unit = (resource_dir("deploy") / "checkout.service").read_text(encoding="utf-8")
    return unit.replace("--port 8000", f"--port {port}")


def _read(reader: Callable[[Raw], str], value: str) -> str:
    return reader(Raw(name="", label="The answer", value=value, folder=DATA, is_text=True))


def _writing(machine: Machine, path: Path, text: str, mode: int) -> Step:
    return Step(f"write {path}", lambda: machine.write(path, text, mode), text)


def _make_user(machine: Machine) -> None:
    with suppress(Refusal):  # `id` fails for a name that nobody has
        machine.run("id", "-u", USER)
        return
    machine.run("useradd", "--system", "--user-group", "--home-dir", str(DATA), "--shell", "/usr/sbin/nologin", USER)


def _make_data(machine: Machine) -> None:
    machine.run("install", "-d", "-m", "0700", "-o", USER, "-g", USER, str(machine.at(DATA)))


def _start(machine: Machine, port: int) -> None:
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "enable", "--now", "checkout.service")
    machine.wait_until_healthy(f"http://127.0.0.1:{port}/healthz")

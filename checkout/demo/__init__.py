"""`checkout demo`: the server with a shop, an owner's phone and a buyer's way through all of it. No money moves.

The shop is a process of its own and speaks to the server as any merchant does, over the native API (and, for one of
its products, as an old plugin); the phone speaks as a phone does.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from checkout import ids
from checkout.app import create_app
from checkout.demo import bar, street
from checkout.demo.phone import Phone
from checkout.demo.stage import Stage, set_up
from checkout.resources import resource_dir
from checkout.server import process, serve, supervisor
from checkout.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

HOST = "127.0.0.1"
_SCALE = 0.02  # seconds of the demo for one of the schedules by which gateways repeat their notices


def run(port: int, shop_port: int, folder: Path, tell: Callable[[Stage], None], *, official: bool = False) -> int:
    """Serves until a signal ends it, and gives the status to exit with; `tell` is given what there is to open when all
    of it listens. With `official` the shop is paid through official accounts, at simulated gateways.

    Refused: BAD_REQUEST (a port is taken, another demo runs in `folder`).
    """
    for number in (port, shop_port):
        process.listener(HOST, number).close()
    settings = settings_for(f"http://{HOST}:{port}", folder)
    town = None
    if official:
        from checkout.demo.gateways.town import Town

        town = Town(folder, settings.base_url, clock=ids.now, second_s=_SCALE)
        settings = replace(settings, channels=town.sections)
    stage = set_up(settings, f"http://{HOST}:{shop_port}")
    neighbours = street.start(stage, HOST, shop_port, town)

    def make(settings: Settings) -> Flask:
        app = create_app(settings, work=False)
        bar.install(app, Phone(settings.base_url, stage.device_key), town)
        return app

    try:
        return supervisor.run(lambda: serve.run(lambda: settings, make, HOST, port, ready=lambda: tell(stage)))
    finally:
        with suppress(ProcessLookupError):
            os.kill(neighbours, signal.SIGTERM)


def settings_for(base_url: str, folder: Path) -> Settings:
    """Those of the demo alone: what the environment says belongs to a real installation."""
    has_htmx = any(resource_dir("static").glob("vendor/htmx-*.min.js"))
    return Settings(
        database=str(folder / "checkout.db"), folder=folder, base_url=base_url, allow_private=True,
        shop_name="茶语 Tea House", htmx="local" if has_htmx else "cdn",
    )  # fmt: skip


def folder_for(wanted: Path | None, *, official: bool = False) -> Path:
    """`wanted`, else ./data/demo (or demo-official), else, where that cannot be written, a temporary folder."""
    if wanted is not None:
        return wanted.absolute()
    usual = Path("data", "demo-official" if official else "demo").absolute()
    try:
        usual.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="checkout-demo-"))
    return usual if os.access(usual, os.W_OK) else Path(tempfile.mkdtemp(prefix="checkout-demo-"))

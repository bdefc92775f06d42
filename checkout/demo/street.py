"""The other side of the street: the shop and the owner's phone, in a process of their own."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

from checkout.client import Checkout
from checkout.demo.phone import Phone
from checkout.demo.plugin import Plugin
from checkout.demo.shop import Shop, make_shop
from checkout.demo.stage import Stage

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.serving import BaseWSGIServer

    from checkout.demo.gateways.town import Town


def start(stage: Stage, host: str, port: int, town: Town | None = None) -> int:
    """Forks the process, which ends with this one; gives its number. The gateways of `town` live there too. No thread
    may run and no store be open yet."""
    server = make_server(host, port, _shop(stage), threaded=True, request_handler=_Quiet)
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        server.socket.close()
        if town is not None:
            town.leave()
        os.close(reading)  # `writing` stays open as long as this process lives
        return child
    os.close(writing)
    if town is not None:
        town.__enter__()
    _live(server, Phone(stage.base_url, stage.device_key), reading)
    os._exit(0)


def _shop(stage: Stage) -> Flask:
    door, plugin = Checkout(stage.base_url, stage.api_key), Plugin(stage.base_url, stage.merchant_key)
    return make_shop(Shop(stage.shop_url, door, stage.merchant_key, plugin), stage.base_url)


class _Quiet(WSGIRequestHandler):
    """Writes nothing: signatures travel in the addresses."""

    def log(self, type: str, message: str, *args: object) -> None:
        pass


def _live(server: BaseWSGIServer, phone: Phone, parent: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C ends the demo, and the demo ends us
    threading.Thread(target=phone.beat_for_ever, daemon=True).start()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.read(parent, 1)

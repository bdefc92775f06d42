"""Servers on machines of their own, one PostgreSQL, nginx in front: machines die, and the cables of others are pulled.

Shops and the phone know nothing of that. They ask the one address, and ask again in the same words until they have an
answer. What they were told must hold, and nothing may have been done twice.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar

from checkout.store import open_store
from tests import postgres, proxies
from tests.servers import ROOT, free_port
from tests.soak import crash, many, native
from tests.soak.crash import CONNECTIONS, Ledger
from tests.soak.network import Network

_Answer = TypeVar("_Answer")
_PATIENCE_S = 180  # of who asks again and again
_CUT_S = 8  # longer than a server or the database waits for the other


def run(folder: Path, *, machines: int, rounds: int) -> crash.Report:
    """In each round one machine is killed and started again, then one is cut off for some seconds. Raises
    `network.NotPermitted` and `postgres.Missing`."""
    ledger, dice, stop = Ledger(excused=native.AWAY), random.Random(machines), threading.Event()
    with (
        Network(machines) as network,
        _database(network) as database,
        crash.shop(ledger, 1.0, network.hub) as notify_url,
    ):
        crash.set_up(database, notify_url)
        all_of_them = [
            many.Machine(folder, database, at=network.address(number), within=network.within(number))
            for number in range(machines)
        ]
        try:
            with _front(folder, [one.place for one in all_of_them]) as port:
                with closing(open_store(database)) as opened:
                    shop = native.Native(opened, [one.place for one in all_of_them], ledger)
                threads = [
                    threading.Thread(target=_sell, args=(port, ledger, stop, str(n)), daemon=True)
                    for n in range(CONNECTIONS)
                ]
                threads.append(threading.Thread(target=shop.sell, args=(stop,), daemon=True))
                for thread in threads:
                    thread.start()
                for _ in range(rounds):
                    _until_sold(ledger)
                    _harm(network, all_of_them, dice)
                _until_sold(ledger)
                stop.set()
                for thread in threads:
                    thread.join()
                ledger.unexpected += shop.guess()
                many.wait_until_all_is_told(database)
        finally:
            stop.set()
            for one in all_of_them:
                one.kill()
        with closing(open_store(database)) as opened:
            crash.deliver_all(opened, ledger)
            with opened.read() as db:
                faults = ledger.unexpected + list(shop.faults(db))
            faults += crash.faults_of(opened, database, ledger)
    return crash.Report(2 * rounds, len(ledger.orders), len(ledger.pushes), sum(ledger.heard.values()), [], faults)


def _harm(network: Network, machines: list[many.Machine], dice: random.Random) -> None:
    killed, cut = dice.sample(range(len(machines)), 2)
    machines[killed].kill()
    machines[killed].start()
    network.pull(cut)
    time.sleep(_CUT_S)
    network.plug(cut)


def _until_sold(ledger: Ledger, orders: int = 40) -> None:
    """Until so many more have been paid."""
    deadline, wanted = time.monotonic() + _PATIENCE_S, len(ledger.pushes) + orders
    while len(ledger.pushes) < wanted and time.monotonic() < deadline and not ledger.unexpected:
        time.sleep(0.05)


def _sell(port: int, ledger: Ledger, stop: threading.Event, name: str) -> None:
    """Opens orders and reports their money; some of either a second time, although it was acknowledged."""
    dice, number = random.Random(name), 0
    while not stop.is_set() and not ledger.unexpected:
        number += 1
        with suppress(_NobodyAnswers):
            _order_and_pay(port, ledger, dice, f"{name}-{number}")


def _order_and_pay(port: int, ledger: Ledger, dice: random.Random, label: str) -> None:
    price = many.price(dice)
    token, due = _insist(port, crash.open_order, ledger, label, price)
    if dice.random() < 0.2:
        again, _ = _insist(port, crash.open_order, ledger, label, price)
        if again != token:
            ledger.unexpected.append(f"{label} was opened twice: {token} and {again}")
    if dice.random() < 0.8:
        t = f"{time.time_ns() // 1_000_000}"
        for _ in range(dice.choice([1, 1, 2])):
            _insist(port, crash.push, ledger, due, t, label)


class _NobodyAnswers(Exception):
    pass


def _insist(port: int, ask: Callable[..., _Answer | None], ledger: Ledger, *words: str) -> _Answer:
    """Asks in the same words until there is an answer."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and not ledger.unexpected:
        with suppress(OSError, HTTPException), many.to(port) as server:
            if (answer := ask(server, ledger, *words)) is not None:
                return answer
        time.sleep(0.1)
    ledger.unexpected.append(f"{words} was not answered")
    raise _NobodyAnswers


@contextmanager
def _database(network: Network) -> Iterator[str]:
    """A PostgreSQL that listens on the switch too."""
    server = postgres.Server(postgres.programs(), *postgres.SETTINGS, f"listen_addresses=127.0.0.1,{network.hub}")
    try:
        with (server.folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {network.subnet}.0/24 trust\n")
        server.administer("SELECT pg_reload_conf()")
        yield server.create().replace("127.0.0.1", network.hub)
    finally:
        server.remove(os.getpid())


@contextmanager
def _front(folder: Path, places: list[str]) -> Iterator[int]:
    """nginx as the documentation has it for several machines, but for their addresses; gives its port."""
    port = free_port()
    text = (ROOT / "docs" / "postgresql.en.md").read_text()
    upstream, location = re.findall(r"```nginx\n(.*?)```", text, re.DOTALL)
    settings = re.findall(r"server \S+( .*;)", upstream)[0]
    servers = "\n".join(f"server {place}{settings}" for place in places)
    site = f"upstream checkout {{\n{servers}\n}}\nserver {{\nlisten 127.0.0.1:{port};\n{location}\n}}"
    with proxies.nginx(folder, site, port):
        yield port

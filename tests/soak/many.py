"""Several servers on one database, as on several machines: shops and the phone reach any of them; some die."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from checkout.store import open_store
from tests.servers import CHECKOUT, ROOT, Server, free_port
from tests.soak import crash
from tests.soak.crash import CONNECTIONS, Ledger

BUSY = frozenset({503})  # a slow machine may keep a server waiting for its turn for too long
_ENOUGH, _PATIENCE_S = 20, 120
_GIVE_UP_S = 20  # longer than a server waits for its turn to write


class Machine:
    """One server of several; on a machine of its own where `within` is said, the words that run a command there."""

    def __init__(self, folder: Path, database: str, *, at: str = "127.0.0.1", within: tuple[str, ...] = ()) -> None:
        self.port, self._at, self._within = free_port(), at, within
        self._folder, self._database = folder, database
        self.start()

    @property
    def place(self) -> str:
        return f"{self._at}:{self.port}"

    def start(self) -> None:
        url = f"http://{self.place}"
        environ = {"CHECKOUT_DATABASE": self._database, "CHECKOUT_ALLOW_PRIVATE": "1", "CHECKOUT_SECRET": "s" * 64,
                   "CHECKOUT_BASE_URL": url}  # fmt: skip
        command = (*self._within, *CHECKOUT, "serve", "--host", self._at, "--port", str(self.port))
        self._server = Server(command, environ, self._folder / f"{self.port}.log", ROOT)
        self._server.wait_until_ready(f"{url}/healthz")

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._server.process.wait()

    def freeze(self, seconds: float) -> None:
        self._signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._server.process.pid, number)


def run(folder: Path, database: str, *, machines: int, deaths: int, seconds: float) -> crash.Report:
    """Load on all of them for `seconds`; in that time one of them is killed and started again, or frozen for a second,
    `deaths` times. Without any, each shop hears of each order once."""
    ledger, dice, stop = Ledger(excused=BUSY), random.Random(machines), threading.Event()
    with crash.shop(ledger, 1.0) as notify_url:
        crash.set_up(database, notify_url)
        all_of_them = [Machine(folder, database) for _ in range(machines)]
        threads = [
            threading.Thread(target=load, args=([one.port for one in all_of_them], ledger, stop, str(number)))
            for number in range(CONNECTIONS)
        ]
        try:
            for thread in threads:
                thread.start()
            for death in range(deaths):
                time.sleep(seconds / (deaths + 1))
                _harm(dice.choice(all_of_them), by_death=death % 2 == 0)
            time.sleep(seconds / (deaths + 1))
            _until_enough_is_paid(ledger)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            wait_until_all_is_told(database, 10 if deaths else 60)
            for one in all_of_them:
                one.kill()
        with closing(open_store(database)) as opened:
            crash.deliver_all(opened, ledger)
            faults = ledger.unexpected + list(crash.faults_of(opened, database, ledger))
            if not deaths:
                faults += [f"{number} was told {times} times" for number, times in ledger.heard.items() if times > 1]
    return crash.Report(deaths, len(ledger.orders), len(ledger.pushes), sum(ledger.heard.values()), [], faults)


def _until_enough_is_paid(ledger: Ledger) -> None:
    """However slow the machine: a run with little load has shown little."""
    deadline = time.monotonic() + _PATIENCE_S
    while len(ledger.pushes) <= _ENOUGH and not ledger.unexpected and time.monotonic() < deadline:
        time.sleep(0.05)


_ON_ITS_WAY = """
SELECT count(*) FROM deliveries WHERE state = 'waiting' AND (due_at <= :now
  OR attempts <> (SELECT count(*) FROM attempts WHERE attempts.delivery = deliveries.id))
"""


def wait_until_all_is_told(database: str, patience_s: int = 10) -> None:
    """Until nothing is on its way: the workers of all servers empty the outbox but for what they try again later. What
    a dead one had claimed comes back later too."""
    deadline = time.monotonic() + patience_s
    with closing(open_store(database)) as opened:
        while time.monotonic() < deadline:
            with opened.read() as db:
                row = db.one(_ON_ITS_WAY, now=int(time.time()))
            if row == (0,):
                return
            time.sleep(0.1)


def _harm(machine: Machine, *, by_death: bool) -> None:
    if by_death:
        machine.kill()
        machine.start()
    else:
        machine.freeze(1)


def load(ports: list[int], ledger: Ledger, stop: threading.Event, name: str) -> None:
    """Opens an order at one server and reports its money to others, some of it twice."""
    dice, number = random.Random(name), 0
    while not stop.is_set():
        number += 1
        label = f"{name}-{number}"
        with suppress(OSError, HTTPException):
            with to(dice.choice(ports)) as server:
                opened = crash.open_order(server, ledger, label, price(dice))
            if opened is None or dice.random() > 0.8:
                continue
            t = f"{time.time_ns() // 1_000_000}"
            for _ in range(dice.choice([1, 1, 2])):
                with to(dice.choice(ports)) as server:
                    crash.push(server, ledger, opened[1], t, label)


def to(port: int) -> closing[HTTPConnection]:
    return closing(HTTPConnection("127.0.0.1", port, timeout=_GIVE_UP_S))


def price(dice: random.Random) -> str:
    return f"{dice.randint(1, 30_000)}.{dice.randint(0, 99):02d}"

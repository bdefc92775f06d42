"""A standby takes over, again and again, under load: what a server had acknowledged is there, and nothing twice.

Two PostgreSQL servers, the second of which confirms each commit; Checkout knows the addresses of both. The old server
is made to write no more and keeps its connections, or is killed, or stands still. Then the standby is promoted, and a
new standby takes the place of the old server.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg

from checkout.store import open_store
from tests import postgres
from tests.postgres import Server
from tests.soak import crash, many
from tests.soak.crash import CONNECTIONS, Ledger

KINDS = ("writes no more", "dies", "stands still")
_SETTINGS = ("fsync=off", "full_page_writes=off", "max_connections=60", "shared_buffers=32MB")
_PATIENCE_S = 180


class Cluster:
    """`writes` has the tables; `follows` confirms what it commits. Both stay at their ports, whoever does what."""

    def __init__(self) -> None:
        programs = postgres.programs()
        self.writes = Server(programs, *_SETTINGS)
        self.address = self.writes.create()
        self.follows = self._follow()
        places = [f"127.0.0.1:{one.port}" for one in (self.writes, self.follows)]
        name = self.address.rpartition("/")[2]
        self.address, self.turned = (
            f"postgresql://checkout@{','.join(order)}/{name}" for order in (places, reversed(places))
        )

    def take_over(self, kind: str) -> Server:
        """Gives the old server."""
        old = self.writes
        if kind == "writes no more":
            old.administer("ALTER SYSTEM SET default_transaction_read_only = on")
            old.administer("SELECT pg_reload_conf()")
        elif kind == "dies":
            old.stop()
        else:
            old.freeze()
        self.follows.promote()
        self.writes = self.follows
        return old

    def replace(self, old: Server) -> None:
        """A new standby where the old server was."""
        old.remove(os.getpid())
        self.follows = self._follow(old.port)

    def close(self) -> None:
        for one in (self.follows, self.writes):
            one.remove(os.getpid())

    def _follow(self, port: int = 0) -> Server:
        standby = Server(postgres.programs(), *_SETTINGS, copy_of=self.writes, port=port)
        self.writes.administer("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.writes.administer("SELECT pg_reload_conf()")
        until(self._is_followed)
        return standby

    def _is_followed(self) -> bool:
        with psycopg.connect(self.writes.address("postgres"), autocommit=True) as connection:
            row = connection.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone()
            shown = connection.execute("SHOW synchronous_standby_names").fetchone()
        return row is not None and shown == ("*",)


def run(folder: Path, cluster: Cluster, kinds: list[str]) -> crash.Report:
    """Two servers of Checkout; a take-over of each of the `kinds`."""
    ledger, stop = Ledger(excused=many.BUSY), threading.Event()
    with crash.shop(ledger, 1.0) as notify_url:
        crash.set_up(cluster.address, notify_url)
        machines = [many.Machine(folder, cluster.address) for _ in range(2)]
        threads = [
            threading.Thread(target=many.load, args=([one.port for one in machines], ledger, stop, str(number)))
            for number in range(CONNECTIONS)
        ]
        try:
            for thread in threads:
                thread.start()
            for number, kind in enumerate(kinds):
                _until_paid(ledger)
                old = cluster.take_over(kind)
                _until_paid(ledger)
                if number + 1 < len(kinds):
                    cluster.replace(old)
                else:
                    old.remove(os.getpid())
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            many.wait_until_all_is_told(cluster.address)
            for one in machines:
                one.kill()
        with closing(open_store(cluster.address)) as opened:
            crash.deliver_all(opened, ledger)
            faults = ledger.unexpected + list(crash.faults_of(opened, cluster.address, ledger))
    return crash.Report(len(kinds), len(ledger.orders), len(ledger.pushes), sum(ledger.heard.values()), [], faults)


def some(rounds: int) -> list[str]:
    """All kinds, then others by lot."""
    dice = random.Random(rounds)
    return [*KINDS, *(dice.choice(KINDS) for _ in range(rounds))][:rounds]


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _until_paid(ledger: Ledger, more: int = 30) -> None:
    wanted = len(ledger.pushes) + more
    until(lambda: len(ledger.pushes) >= wanted or ledger.unexpected)

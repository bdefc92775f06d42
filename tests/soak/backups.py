"""A year of orders, copied while more are written: how long it takes, whom it keeps waiting, what the copy holds."""

from __future__ import annotations

import shutil
import statistics
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bench.fill import fill
from checkout import backup, opening, store
from checkout.amounts import Limits
from checkout.opening import Ask
from checkout.orders import Rules
from checkout.settings import Settings
from checkout.store import open_store
from tests.world import merchant

_RULES = Rules(Limits(), min_free_disk=0)
_BASELINE_S = 1.0


@dataclass
class Report:
    """Seconds and milliseconds; `faults` are sentences about what the restored copy lacks."""

    orders: int
    megabytes: int = 0
    backup_s: float = 0
    restore_s: float = 0
    undisturbed_ms: float = 0  # p99 of a writer
    meanwhile_ms: float = 0
    written: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass
class _Writer:
    """Opens orders all the time, one after the other; keeps what was acknowledged and how long each took."""

    database: Path
    tokens: list[str] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with closing(open_store(str(self.database))) as opened:
            while not self.stop.is_set():
                number = f"W{len(self.tokens)}"
                ask = Ask(merchant(), "embed", number, 990, "9.90")
                began = time.perf_counter()
                order = opening.open_order(opened, ask, _RULES, int(time.time()))
                self.took_ms.append((time.perf_counter() - began) * 1000)
                self.tokens.append(order.token)
                self.stop.wait(0.002)


def run(folder: Path, count: int) -> Report:
    report, database, copy = Report(count), folder / "checkout.db", folder / "copy.db"
    fill(database, count)
    with closing(open_store(str(database))) as opened, opened.transaction() as db:
        db.run("UPDATE orders SET state = 'expired' WHERE state = 'pending'")  # they have no amounts of their own
    report.megabytes = database.stat().st_size >> 20
    before, after = _back_up(database, copy, report)
    home = Settings(database=str(folder / "restored" / "checkout.db"))
    began = time.perf_counter()
    backup.restore(home, copy, int(time.time()))
    report.restore_s = time.perf_counter() - began
    report.faults = _lacking(home, before, after, count)
    shutil.rmtree(folder / "restored")
    return report


def _back_up(database: Path, copy: Path, report: Report) -> tuple[list[str], list[str]]:
    """(what had been acknowledged before it began, all that was when it ended)."""
    writer = _Writer(database)
    thread = threading.Thread(target=writer.run)
    thread.start()
    try:
        time.sleep(_BASELINE_S)
        before = list(writer.tokens)
        with closing(open_store(str(database))) as opened:
            began = time.perf_counter()
            backup.create(opened, copy)
            report.backup_s = time.perf_counter() - began
        meanwhile = writer.took_ms[len(before) :]
    finally:
        writer.stop.set()
        thread.join()
    report.undisturbed_ms, report.meanwhile_ms = _p99(writer.took_ms[: len(before)]), _p99(meanwhile)
    report.written = len(meanwhile)
    return before, list(writer.tokens)


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98] if len(values) > 1 else 0.0


def _lacking(home: Settings, before: list[str], written: list[str], count: int) -> list[str]:
    """The copy is one moment: all from before it, and of what came later the first so many and no others."""
    faults = []
    with closing(open_store(home.database)) as opened, opened.read() as db:
        for promise in store.invariants.PROMISES:
            faults += [f"not true for {one}: {promise.sentence}"
                       for one in store.invariants.broken(db, promise, int(time.time()))]  # fmt: skip
        there = {row[0] for row in db.all("SELECT token FROM orders WHERE number LIKE 'W%'")}
        total = db.one("SELECT count(*) FROM orders")
    assert total is not None
    if total[0] - len(there) != count:
        faults.append(f"{total[0] - len(there)} of {count} orders are there")
    if there != set(written[: len(there)]) or len(there) < len(before):
        faults.append(f"the copy holds {len(there)} new orders that are not the first ones of {len(written)}")
    return faults

"""What a scenario finds: figures with their targets, as a table for people and as JSON."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Target:
    """`bound` is compared with the ratio where a figure has one, else with its value."""

    sense: Literal["≥", "≤"]
    bound: float

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.sense == "≥" else value <= self.bound


@dataclass(frozen=True, slots=True)
class Figure:
    """`ratio`: times what `beside` names."""

    scenario: str
    name: str
    value: float
    unit: str
    ratio: float | None = None
    beside: str = ""
    target: Target | None = None

    @property
    def is_met(self) -> bool | None:
        """None: there is no target."""
        if self.target is None:
            return None
        return self.target.is_met(self.value if self.ratio is None else self.ratio)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `folder` keeps what is expensive to make."""

    rounds: int
    seconds: float  # of each measurement in each round
    is_full: bool
    folder: Path
    hour: bool = False


def at_least(bound: float) -> Target:
    return Target("≥", bound)


def at_most(bound: float) -> Target:
    return Target("≤", bound)


def median_ratio(ours: Iterable[float], theirs: Iterable[float]) -> float:
    """Of two rows that were measured in turn: the median of the ratios of neighbours, which noise that lasts spares."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def line(figure: Figure) -> str:
    ratio = f"{figure.ratio:.2f} × {figure.beside}" if figure.ratio is not None else ""
    target = f"{figure.target.sense} {figure.target.bound:g}" if figure.target else ""
    verdict = {True: "reached", False: "NOT REACHED", None: ""}[figure.is_met]
    name = f"{figure.scenario}: {figure.name}"
    return f"{name:58}{_short(figure.value):>9} {figure.unit:7}{ratio:22}{target:>8}  {verdict}".rstrip()


def document(figures: Iterable[Figure], command: str, elapsed_s: float) -> dict[str, Any]:
    """As JSON has it: the figures, and where they were measured."""
    return {
        "command": command,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "elapsed_s": round(elapsed_s),
        "machine": machine(),
        "figures": [{**asdict(figure), "is_met": figure.is_met} for figure in figures],
    }


@cache
def machine() -> dict[str, Any]:
    """Where and of what: machine, versions, commit, as it was at first."""
    return {
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000,
        "load": os.getloadavg()[0],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "flask": version("flask"),
        "gunicorn": version("gunicorn"),
        "commit": _commit(),
        "commit_ms": round(_commit_ms(), 2),
    }


def _cpu() -> str:
    for entry in Path("/proc/cpuinfo").read_text().splitlines():
        if entry.startswith("model name"):
            return entry.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def _commit_ms() -> float:
    """What one fdatasync of a small write takes here: a limit that no server can avoid."""
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        times = []
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def say(words: str) -> None:
    """To the person who waits."""
    print(words, file=sys.stderr, flush=True)

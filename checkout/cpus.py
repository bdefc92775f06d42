"""Which worker runs on which CPU."""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import suppress
from typing import Any


class Cpus:
    """Gives each worker the CPU that the fewest others have."""

    def __init__(self) -> None:
        self._cpus = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
        # Two servers on one machine should not choose the same CPU.
        first = os.getpid() % len(self._cpus) if self._cpus else 0
        self._cpus = self._cpus[first:] + self._cpus[:first]

    def choose(self, arbiter: Any, worker: Any) -> None:
        taken = Counter(getattr(other, "cpu", None) for other in arbiter.WORKERS.values())
        worker.cpu = min(self._cpus, key=lambda cpu: taken[cpu]) if len(self._cpus) > 1 else None

    def pin(self, worker: Any) -> None:
        """Before the worker's threads are made: they inherit it."""
        if sys.platform == "linux" and worker.cpu is not None:
            with suppress(OSError):  # not allowed in every container
                os.sched_setaffinity(0, {worker.cpu})

"""Which worker runs on which CPU."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def pin(worker: int, server: int) -> None:
    """Keeps this process, the worker of that number, on one CPU: one that its neighbours do not have, as far as there
    are enough. Before its threads are made: they inherit it. Two servers on one machine should not choose the same."""
    if sys.platform != "linux":
        return
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > 1:
        with suppress(OSError):  # not allowed in every container
            os.sched_setaffinity(0, {cpus[(server + worker) % len(cpus)]})

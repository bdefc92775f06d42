"""How far long work is, on a terminal; silent for scripts, logs and --json."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click

T = TypeVar("T")
_LOOK_EVERY_S = 0.2


def steps(things: Iterable[T], label: str, total: int, *, quiet: bool = False) -> Iterator[T]:
    """The things one by one, with a bar that knows how many there are; more of them than thought do no harm."""
    if quiet or not _is_watched():
        yield from things
        return
    with click.progressbar(length=max(total, 1), label=label, file=sys.stderr) as bar:
        for thing in things:
            yield thing
            bar.update(1)
        bar.update(max(total, 1) - bar.pos)


@contextmanager
def growing(measure: Callable[[], int], label: str, total: int, *, quiet: bool = False) -> Iterator[None]:
    """A bar for work that is one long call: `measure` says now and then how much of `total` is there. It must not
    raise."""
    if quiet or not _is_watched():
        yield
        return
    over = threading.Event()
    with click.progressbar(length=max(total, 1), label=label, file=sys.stderr) as bar:

        def look() -> None:
            while not over.wait(_LOOK_EVERY_S):
                bar.update(max(0, min(measure(), total - 1) - bar.pos))

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
        bar.update(max(total, 1) - bar.pos)


def _is_watched() -> bool:
    return sys.stderr.isatty()

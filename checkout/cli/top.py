"""checkout top: live orders, phones and queue in the terminal, also over ssh and on narrow screens."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from checkout.cli import glance
from checkout.cli import orders as order_shapes
from checkout.cli.desk import Desk
from checkout.cli.glance import Glance
from checkout.cli.output import as_json, show
from checkout.errors import StoreError
from checkout.money import yuan

_ENTER = "\x1b[?1049h\x1b[?25l"  # a screen of our own, without the cursor
_LEAVE = "\x1b[?25h\x1b[?1049l"
_HOME, _END_OF_LINE, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


@click.command()
@click.option("--once", is_flag=True, help="Print it once and end; so it does where it is not on a terminal.")
@click.option("--every", type=click.IntRange(1, 3600), default=2, show_default=True, metavar="S", help="Seconds.")
@as_json
@click.pass_obj
def top(desk: Desk, once: bool, every: int, as_json: bool) -> None:
    """Show orders, phones, messages and alerts as they come; q quits."""
    if once or as_json or not _is_terminal():
        seen = _look(desk)
        size = shutil.get_terminal_size()
        show(_shape(desk, seen), as_json, lambda: "\n".join(glance.lines(seen, size.columns, 40, colors=False)))
        return
    with _screen():
        while True:
            _draw(desk)
            if _quits(every):
                return


def _look(desk: Desk) -> Glance:
    with desk.store.read() as db:
        return glance.look(db, desk.settings, desk.store.free_bytes(), desk.clock())


def _draw(desk: Desk) -> None:
    """Over the last picture, line by line, so that nothing flickers; a database that is busy is shown as such."""
    size = shutil.get_terminal_size()
    try:
        found = glance.lines(
            _look(desk), size.columns, size.lines, colors="NO_COLOR" not in os.environ, hint=True
        )  # fmt: skip
    except StoreError as error:
        found = [str(error)[: size.columns]]
    text = f"{_END_OF_LINE}\n".join(found)
    sys.stdout.write(f"{_HOME}{text}{_END_OF_LINE}{_BELOW}")
    sys.stdout.flush()


def _quits(seconds: int) -> bool:
    """Waits for the next look; True when q, Escape or Ctrl-C was pressed or the terminal is gone."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    if not ready:
        return False
    key = os.read(sys.stdin.fileno(), 64)
    return not key or key[:1] in b"qQ\x03\x04" or key == b"\x1b"


@contextmanager
def _screen() -> Iterator[None]:
    """Keys come one by one and unseen; everything is put back whatever happens."""
    stdin = sys.stdin.fileno()
    before = termios.tcgetattr(stdin)
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, signal.default_int_handler)
    try:
        tty.setcbreak(stdin)
        sys.stdout.write(_ENTER)
        yield
    except KeyboardInterrupt:
        pass
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _shape(desk: Desk, seen: Glance) -> dict[str, Any]:
    """The JSON of a look."""
    with desk.store.read() as db:
        orders = [order_shapes.shape(db, one, seen.now) for one in seen.orders[:50]]
    return {
        "at": seen.now,
        "paid_today": {"orders": seen.paid_today[0], "amount": yuan(seen.paid_today[1])},
        "phones": [{"id": one.id, "name": one.name, "state": state, "beat_at": one.beat_at}
                   for one, state in seen.phones],
        "queue": {"waiting": seen.waiting, "struggling": seen.struggling, "next_try_at": seen.next_try_at},
        "review": seen.review,
        "claims": seen.claims,
        "alerts": list(seen.alerts),
        "orders": orders,
    }  # fmt: skip

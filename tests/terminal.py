"""A real terminal (a pty) with a command of ours in it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 30
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """`everything` that was written so far; `screen` is the last picture of a command that draws over itself."""

    def __init__(self, command: list[str], environ: dict[str, str], columns: int, rows: int) -> None:
        self._end, other = pty.openpty()
        self.resize(columns, rows)
        base = {name: value for name, value in os.environ.items() if not name.startswith(("CHECKOUT_", "NO_COLOR"))}
        base = {name: value for name, value in base.items() if name not in ("COLUMNS", "LINES")}
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self.before = termios.tcgetattr(other)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "checkout", *command], stdin=other, stdout=other, stderr=other,
            env={**base, "TERM": "xterm", "LC_ALL": "C.UTF-8", "PYTHONPATH": path, **environ}, start_new_session=True,
            # As a shell does: tests that run in the background ignore it themselves.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        self._other = other
        self._bytes = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._other)
        os.close(self._end)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    @property
    def everything(self) -> str:
        return self._bytes.decode(errors="replace")

    @property
    def screen(self) -> list[str]:
        """The lines of the last picture that is complete, without colours."""
        pictures = re.findall(r"(?s)\x1b\[H(.*?)\x1b\[J", self.everything)
        return _CONTROL.sub("", pictures[-1]).split("\r\n") if pictures else []

    def wait_until(self, happened: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not happened():
            assert time.monotonic() < until, self.everything
            self._read()

    def end(self) -> int:
        """The exit status, when it has come to its end by itself."""
        until = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < until, self.everything
            self._read()
        self._read()
        return self.process.returncode

    def is_as_before(self) -> bool:
        """Whether keys are seen and lines are edited again."""
        return termios.tcgetattr(self._other)[:4] == self.before[:4]

    def _read(self) -> None:
        ready, _, _ = select.select([self._end], [], [], 0.05)
        while ready:
            with suppress(OSError):
                self._bytes += os.read(self._end, 65536)
            ready, _, _ = select.select([self._end], [], [], 0)


@contextmanager
def terminal(
    *command: str, environ: dict[str, str], columns: int = 80, rows: int = 24
) -> Iterator[Terminal]:  # fmt: skip
    with Terminal(list(command), environ, columns, rows) as made:
        yield made

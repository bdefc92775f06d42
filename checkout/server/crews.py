"""What the process that watches (`checkout.server.supervisor`) and the crews of workers (`checkout.server.serve`) say
to each other.

Lines of text, over a socket for each crew. From a crew: `ready TERMS` (the first hands over what it listens on with
it), `alive PROCESS`, `short` (a worker has ended), `refused WHY` (it cannot serve). To a crew: what its log is to say.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress

_SIGN_S = 5
_LONGEST = 2048  # characters of why
_MOST = 65536  # bytes at once

line: Line | None = None  # in the processes of a crew


class Line:
    """A crew's end. `server`: the process that watches; `listener`: what the crew before listened on, None for the
    first one; `terms`: on which it served, in its own words; `news`: why a crew was started in the place of another, ""
    for new settings."""

    def __init__(
        self, sock: socket.socket, server: int, listener: socket.socket | None, terms: str, news: str
    ) -> None:  # fmt: skip
        self._sock, self.server = sock, server
        self.listener, self.terms, self.news = listener, terms, news
        self._next_sign = 0.0

    def ready(self, listener: socket.socket, terms: str) -> None:
        files = [listener.fileno()] if self.listener is None else []
        socket.send_fds(self._sock, [f"ready {terms}\n".encode()], files)

    def refused(self, why: str) -> None:
        """A sentence that names the next step."""
        self._say(f"refused {' '.join(why.split())[:_LONGEST]}")

    def alive(self) -> None:
        """Is asked often, and says it now and then."""
        now = time.monotonic()
        if now >= self._next_sign:
            self._next_sign = now + _SIGN_S
            self._say(f"alive {os.getpid()}")

    def started(self, worker: int) -> None:
        """Before it says so itself: it may hang before."""
        self._say(f"alive {worker}")

    def short(self) -> None:
        self._say("short")

    def heard(self) -> list[str]:
        """Waits for what the log is to say; nothing when the watcher has gone."""
        try:
            return self._sock.recv(_MOST).decode(errors="replace").splitlines()
        except OSError:
            return []

    def _say(self, words: str) -> None:
        """A watcher that was stopped must not stop a worker."""
        with suppress(OSError):
            self._sock.send(f"{words}\n".encode(errors="backslashreplace"), socket.MSG_DONTWAIT)


class Crew:
    """The watcher's end, and what it knows of a crew: `seen` is when each worker gave the last sign of life, `after`
    the news with which it was started, `lack` why another is to take its place, "" while it is whole."""

    def __init__(self, leader: int, sock: socket.socket, after: str) -> None:
        self.leader, self.sock, self.after = leader, sock, after
        self.seen = {leader: time.monotonic()}
        self.up_at: float | None = None  # once it was ready
        self.leaves_by: float | None = None  # once it is to end, or its leader has
        self.has_leader = self.is_linked = True
        self.why = self.lack = ""
        self._said = b""
        sock.setblocking(False)

    @property
    def is_coming(self) -> bool:
        return self.up_at is None and self.leaves_by is None

    @property
    def is_serving(self) -> bool:
        return self.up_at is not None and self.leaves_by is None

    def heard(self) -> tuple[list[list[str]], list[int]]:
        """What it has said, each a word and the rest, and the descriptors that came with it."""
        try:
            data, files, _, _ = socket.recv_fds(self.sock, _MOST, 1)
        except BlockingIOError:
            return [], []
        except OSError:
            data, files = b"", []
        self.is_linked = bool(data)
        *lines, self._said = (self._said + data).split(b"\n")
        return [words.decode(errors="replace").split(" ", 1) for words in lines], files

    def forgive(self, seconds: float) -> None:
        """They passed without anybody looking."""
        now = time.monotonic()
        self.seen = {process: min(at + seconds, now) for process, at in self.seen.items()}
        if self.leaves_by is not None:
            self.leaves_by += seconds

    def tell(self, sentence: str) -> None:
        with suppress(OSError):
            self.sock.send(f"{sentence}\n".encode())

    def kill(self, what: signal.Signals, process: int | None = None) -> None:
        """All of its workers, or one. A number may be another process's by now, but hardly one of our group."""
        for one in list(self.seen) if process is None else [process]:
            with suppress(OSError):
                if os.getpgid(one) == os.getpgrp():
                    os.kill(one, what)

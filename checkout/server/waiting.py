"""The connections that wait for their clients, and what all of them may hold together."""

from __future__ import annotations

import time
from collections.abc import Iterator

from checkout.server.connections import Connection

_SMALL = 16 * 1024
_MOST_HELD = 32 * 1024 * 1024  # bytes of unfinished requests that are not small, over all connections; of answers too
_MOST_FILES = 256  # that are sent at once: `serve` leaves room for 512 besides the connections


class Waiting:
    """Whom a server's loop waits for: the one that has been silent for longest comes first."""

    def __init__(self) -> None:
        self._conns: dict[Connection, None] = {}

    def __contains__(self, conn: object) -> bool:
        return conn in self._conns

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._conns)

    def __len__(self) -> int:
        return len(self._conns)

    def keep(self, conn: Connection, seconds: float) -> None:
        """The connection was not silent just now, and is waited for so long."""
        conn.timeout = time.monotonic() + seconds
        self._conns.pop(conn, None)
        self._conns[conn] = None

    def remove(self, conn: Connection) -> None:
        del self._conns[conn]

    def cap(self, deadline: float) -> None:
        """Who does not say what they want by then is waited for no longer; who takes an answer is."""
        for conn in self._conns:
            if conn.sock.is_sent:
                conn.timeout = min(conn.timeout, deadline)

    def late(self) -> list[Connection]:
        now = time.monotonic()
        return [conn for conn in self._conns if conn.timeout <= now]

    def holds_too_much(self, conn: Connection) -> bool:
        """All requests that are not small count together, once one of them grows."""
        if len(conn.received) <= _SMALL:
            return False
        sizes = (len(other.received) for other in self._conns)
        return sum(size for size in sizes if size > _SMALL) > _MOST_HELD

    def too_slow(self) -> Iterator[Connection]:
        """Memory and open files are for all: of those who do not take what they asked for the slowest, while the rest
        still hold too much."""
        slow = [conn for conn in self._conns if not conn.sock.is_sent]
        kept, files = sum(conn.sock.kept for conn in slow), sum(conn.sock.files for conn in slow)
        for conn in slow:
            if kept <= _MOST_HELD and files <= _MOST_FILES:
                return
            kept, files = kept - conn.sock.kept, files - conn.sock.files
            yield conn

"""Names resolved in threads of their own, as getaddrinfo knows no deadline: one that hangs outlives its request."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence

from checkout.outgoing import Reason, Unreachable
from checkout.steps import READ, Deadline, Steps, Wait

Resolve = Callable[[str], Sequence[str]]

MOST_AT_ONCE = 32


class _Lookup:
    """A name that is being resolved. What is to be read from it is that it is over."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.found: Sequence[str] | Exception | None = None
        self._is_wanted = True
        self._lock = threading.Lock()
        self._reading, self._writing = os.pipe()

    def fileno(self) -> int:
        return self._reading

    @property
    def is_wanted(self) -> bool:
        return self._is_wanted

    def end(self, found: Sequence[str] | Exception) -> None:
        with self._lock:
            if self._is_wanted:
                self.found = found
                os.write(self._writing, b".")

    def close(self) -> None:
        with self._lock:
            self._is_wanted = False
            os.close(self._reading)
            os.close(self._writing)


class Lookups:
    """At most 32 names at once; the next ones wait. Any thread may ask."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._lock = threading.Lock()
        self._waiting: deque[_Lookup] = deque()
        self._running = 0

    def of(self, host: str, deadline: Deadline) -> Steps[Sequence[str]]:
        """The IP addresses of a name, the preferred one first. Raises `Unreachable`."""
        lookup = _Lookup(host)
        try:
            self._begin(lookup)
            while lookup.found is None:
                deadline.left()
                yield Wait(lookup, READ, deadline.at)
        except TimeoutError as late:
            raise Unreachable(Reason.DNS, f"The name {host} could not be resolved in time.") from late
        except RuntimeError as full:
            raise Unreachable(Reason.DNS, "No thread could be started to resolve a name.") from full
        finally:
            lookup.close()
        if isinstance(lookup.found, Exception):
            raise Unreachable(Reason.DNS, f"The name {host} could not be resolved.") from lookup.found
        return lookup.found

    def _begin(self, lookup: _Lookup) -> None:
        with self._lock:
            if self._running >= MOST_AT_ONCE:
                self._waiting.append(lookup)
                return
            self._running += 1
        try:
            threading.Thread(target=self._look_up, args=(lookup,), name="lookup", daemon=True).start()
        except RuntimeError:
            with self._lock:
                self._running -= 1
            raise

    def _look_up(self, lookup: _Lookup | None) -> None:
        while lookup is not None:
            try:
                found: Sequence[str] | Exception = self._resolve(lookup.host)
            except Exception as error:
                found = error
            lookup.end(found)
            lookup = self._next()

    def _next(self) -> _Lookup | None:
        """Those that have given up meanwhile need no answer."""
        with self._lock:
            while self._waiting:
                lookup = self._waiting.popleft()
                if lookup.is_wanted:
                    return lookup
            self._running -= 1
            return None

"""Names resolved in threads of their own, as getaddrinfo knows no deadline: one that hangs outlives its request."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from checkout.http.messages import Reason, Unreachable
from checkout.http.steps import READ, Deadline, Steps, Wait

Resolve = Callable[[str], Sequence[str]]

MOST_AT_ONCE = 32
_SHARED_S = 15  # a lookup that takes longer may never end: the next one asks anew


class _Lookup:
    """A name that is being resolved. What is to be read from it is that it is over."""

    def __init__(self) -> None:
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


class _Question:
    """A name that is asked about, and who waits for the answer."""

    def __init__(self, host: str, first: _Lookup) -> None:
        self.host, self.lookups, self.asked_at = host, [first], time.monotonic()


class Lookups:
    """At most 32 names at once; the next ones wait. Who asks for a name that is asked about already waits for the same
    answer, so that a name that hangs does not keep all places. Any thread may ask."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._lock = threading.Lock()
        self._asked: dict[str, _Question] = {}
        self._waiting: deque[_Question] = deque()
        self._running = 0

    def of(self, host: str, deadline: Deadline) -> Steps[Sequence[str]]:
        """The IP addresses of a name, the preferred one first. Raises `Unreachable`."""
        lookup = _Lookup()
        try:
            self._begin(host, lookup)
            while lookup.found is None:
                deadline.left()
                yield Wait(lookup, READ, deadline.at)
        except TimeoutError as late:
            raise Unreachable(Reason.DNS, f"The name {host} could not be resolved in time.") from late
        finally:
            lookup.close()
        if isinstance(lookup.found, RuntimeError):
            raise Unreachable(Reason.DNS, "No thread could be started to resolve a name.") from lookup.found
        if isinstance(lookup.found, Exception):
            raise Unreachable(Reason.DNS, f"The name {host} could not be resolved.") from lookup.found
        return lookup.found

    def _begin(self, host: str, lookup: _Lookup) -> None:
        with self._lock:
            question = self._asked.get(host)
            if question is not None and time.monotonic() - question.asked_at < _SHARED_S:
                question.lookups.append(lookup)
                return
            question = self._asked[host] = _Question(host, lookup)
            if self._running >= MOST_AT_ONCE:
                self._waiting.append(question)
                return
            self._running += 1
        try:
            threading.Thread(target=self._look_up, args=(question,), name="lookup", daemon=True).start()
        except RuntimeError as full:
            self._end(question, full)
            with self._lock:
                self._running -= 1

    def _look_up(self, first: _Question) -> None:
        question: _Question | None = first
        while question is not None:
            try:
                found: Sequence[str] | Exception = self._resolve(question.host)
            except Exception as error:
                found = error
            self._end(question, found)
            question = self._next()

    def _end(self, question: _Question, found: Sequence[str] | Exception) -> None:
        with self._lock:
            self._forget(question)
        for lookup in question.lookups:
            lookup.end(found)

    def _next(self) -> _Question | None:
        """Those that have given up meanwhile need no answer."""
        with self._lock:
            while self._waiting:
                question = self._waiting.popleft()
                if any(lookup.is_wanted for lookup in question.lookups):
                    return question
                self._forget(question)
            self._running -= 1
            return None

    def _forget(self, question: _Question) -> None:
        if self._asked.get(question.host) is question:
            del self._asked[question.host]

"""How much may be on its way at once: to one host, to webhook endpoints, in all. A slow server holds two places.

A lane is a host's name, or a host's with `HOOK`, `GATEWAY` or `REFUND` in front: no host is called so.
"""

from __future__ import annotations

import threading
from collections import Counter
from urllib.parse import urlsplit

from checkout.model.deliveries import Delivery

MOST_AT_ONCE = 128
MOST_PER_HOST = 2
MOST_HOOKS = 32
GATEWAY, REFUND, HOOK = "gateway ", "refund ", "webhook "


class Lanes:
    """Counts what is on its way. Any thread may ask."""

    def __init__(self) -> None:
        self._in_flight: Counter[str] = Counter()
        self._hooks: set[str] = set()
        self._lock = threading.Lock()

    def enter(self, lane: str) -> bool | None:
        """Whether one more may go out in this lane now, which is counted until `leave`; None: there is no room in any.
        Webhook endpoints get one of a host's two places, and a part of all: however many hang, callbacks go on."""
        host = lane.removeprefix(HOOK)
        with self._lock:
            has_room = self._has_room(host, lane)
            if has_room:
                if host != lane:
                    self._hooks.add(lane)
                self._in_flight[host] += 1
            return has_room

    def has_room(self, lane: str) -> bool:
        """Whether one more could enter. Where it could not, somebody is on his way who will leave."""
        with self._lock:
            return bool(self._has_room(lane.removeprefix(HOOK), lane))

    def _has_room(self, host: str, lane: str) -> bool | None:
        if self._in_flight.total() >= MOST_AT_ONCE:
            return None
        if self._in_flight[host] >= MOST_PER_HOST:
            return False
        return host == lane or not (lane in self._hooks or len(self._hooks) >= MOST_HOOKS)

    def is_busy(self, lane: str) -> bool:
        """Whether something is on its way in this lane, at whose end somebody looks for more."""
        with self._lock:
            return self._in_flight[lane] > 0

    def leave(self, lane: str) -> None:
        host = lane.removeprefix(HOOK)
        with self._lock:
            self._hooks.discard(lane)
            self._in_flight[host] -= 1
            if not self._in_flight[host]:
                del self._in_flight[host]


def lane_of(delivery: Delivery) -> str:
    """Whose turn a message waits for: its host's, or that of the webhook endpoints on it."""
    return (HOOK if delivery.endpoint else "") + _host(delivery.url)


def _host(url: str) -> str:
    """The name of the server, in one spelling. What cannot be read is sent too, and refused there: it must neither
    stop the others nor stay in the outbox."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""

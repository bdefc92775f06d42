"""How often somebody may ask: a bucket for each address or key, in memory of a fixed size. No Flask, no SQL.

Where several processes share a database each keeps a tenth of every bucket to itself, which is all that most ever
need. Who has emptied that is asked about at the common rest (`sharing`), which gives another tenth at a time: so the
database is asked once in thirty pages or three hundred polls of somebody in a hurry, and never for anybody else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from checkout import inline
from checkout.errors import StoreError

POLL, PAGE = 1, 10  # what a request takes out of its bucket: a page does about ten times the work of a poll
REFILL = 100  # a second: a hundred polls, so that two hundred buyers can wait behind one address
FULL = 3000  # what a bucket holds: a class that opens the same page at once
LOT = FULL // 10  # what one of several processes keeps of it, and draws of the rest at a time
DRIP = 1  # a second, of the refill: what comes back to each of them by itself, enough for two open pages
_MOST = 4096  # addresses of one generation
_AWAY_S = 5  # after a rest that could not be asked, each process counts by itself

Draw = Callable[[str, int, int], tuple[int, int]]
"""Draws a lot for (who, cost, now) from the common rest: (what came, 0), at least the cost, or (0, seconds until there
is something). Raises `StoreError`."""


class Buckets:
    """A bucket for each name, in one process. Those that have not asked for long are full again, and forgotten.

    Threads share it without a lock: two that ask for the same name in the same moment may count as one. `draw`: from
    what all processes have in common; without it this one is alone.
    """

    def __init__(self, draw: Draw | None = None) -> None:
        self._now: dict[str, tuple[int, int]] = {}  # name → (left, when)
        self._before: dict[str, tuple[int, int]] = {}
        self._turned_at = 0
        self._lots = Lots(draw) if draw else None
        self._full, self._refill = (LOT, DRIP) if draw else (FULL, REFILL)
        self._kept_s = self._full // self._refill

    def wait(self, who: str, cost: int, now: int) -> int:
        """Takes `cost` from the bucket of `who`; 0, or for how many seconds it is too empty for that."""
        if len(self._now) >= _MOST or now - self._turned_at > self._kept_s:
            self._turn(now)
        left = self._left(who, now) - cost
        if left < 0:
            return self._beyond(who, cost, left, now)
        self._now[who] = (left, now)
        return 0

    def _left(self, who: str, now: int) -> int:
        left, at = self._now.get(who) or self._before.get(who) or (self._full, now)
        return min(self._full, left + self._refill * max(0, now - at))

    def _beyond(self, who: str, cost: int, left: int, now: int) -> int:
        if self._lots is None:
            return -(left // self._refill)
        lot, wait = self._lots.more(who, cost, left, now)
        if not wait:  # others may have gone on while this one asked
            self._now[who] = (self._left(who, now) + lot - cost, now)
        return wait

    def _turn(self, now: int) -> None:
        self._before, self._now, self._turned_at = self._now, {}, now


class Lots:
    """What one process draws of the common rest: one thread asks for a name, the others go on meanwhile on credit. Who
    was refused is not asked about before the time that was said; where nobody can be asked, it counts by itself."""

    def __init__(self, draw: Draw) -> None:
        self._draw, self._alone = draw, Buckets()
        self._asked: set[str] = set()
        self._lock = threading.Lock()
        self._refused: dict[str, int] = {}  # name → until when
        self._away_until = 0

    def more(self, who: str, cost: int, left: int, now: int) -> tuple[int, int]:
        """For a bucket that is at `left` (below 0) after the cost. (What came, 0): go on; or (0, seconds to wait)."""
        if 0 < self._away_until - now <= _AWAY_S:
            return self._by_itself(who, cost, now)
        if 0 < (wait := self._refused.get(who, 0) - now) <= FULL // REFILL:
            return 0, wait
        inline.need_thread()
        with self._lock:
            if who in self._asked:
                return 0, int(left < -LOT)
            self._asked.add(who)
        try:
            lot, wait = self._draw(who, cost, now)
        except StoreError:
            self._away_until = now + _AWAY_S
            return self._by_itself(who, cost, now)
        finally:
            self._asked.discard(who)
        if wait:
            self._refuse(who, now + wait)
        return lot, wait

    def _by_itself(self, who: str, cost: int, now: int) -> tuple[int, int]:
        wait = self._alone.wait(who, cost, now)
        return (0, wait) if wait else (cost, 0)

    def _refuse(self, who: str, until: int) -> None:
        if len(self._refused) >= _MOST:
            self._refused.clear()
        self._refused[who] = until


class Crowd(Buckets):
    """The buckets of addresses: a household has one."""

    def wait(self, address: str, cost: int, now: int) -> int:
        """As `Buckets.wait`; 0 for an address that no buyer on the internet has."""
        who = _bucket(address)
        return super().wait(who, cost, now) if who else 0


def household(address: str) -> str:
    """Who counts as one: an IPv4 address, also as a socket for both kinds writes it (`::ffff:1.2.3.4`), or a /64 of
    IPv6, as one household has that many."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or parsed.exploded[:19])
    return str(parsed)


class Pace:
    """Who is counted: the buyers that look at pages, keys of the native API, and callers there without one. `draw`: as
    in `Buckets`, for a bucket by its whole name; without it this process is alone."""

    def __init__(self, draw: Draw | None = None) -> None:
        def of(kind: str) -> Draw | None:
            return draw and (lambda who, cost, now: draw(f"{kind} {who}", cost, now))

        self.buyers, self.keys, self.strangers = Crowd(of("buyer")), Buckets(of("key")), Crowd(of("stranger"))


@lru_cache(maxsize=2 * _MOST)
def _bucket(address: str) -> str:
    """ "" for an address that no buyer on the internet has: that is a proxy which `trusted_proxies` does not name, with
    everybody behind it."""
    try:
        return household(address) if ip_address(address).is_global else ""
    except ValueError:
        return ""

"""How often somebody may ask: a bucket for each address or key, in memory of a fixed size. No Flask, no SQL."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

POLL, PAGE = 1, 10  # what a request takes out of its bucket: a page does about ten times the work of a poll
REFILL = 100  # a second: a hundred polls, so that two hundred buyers can wait behind one address
FULL = 3000  # what a bucket holds: a class that opens the same page at once
_MOST = 4096  # addresses of one generation


class Buckets:
    """A bucket for each name, in one process. Those that have not asked for long are full again, and forgotten.

    Threads share it without a lock: two that ask for the same name in the same moment may count as one.
    """

    def __init__(self) -> None:
        self._now: dict[str, tuple[int, int]] = {}  # name → (left, when)
        self._before: dict[str, tuple[int, int]] = {}
        self._turned_at = 0

    def wait(self, who: str, cost: int, now: int) -> int:
        """Takes `cost` from the bucket of `who`; 0, or for how many seconds it is too empty for that."""
        if len(self._now) >= _MOST or now - self._turned_at > FULL // REFILL:
            self._turn(now)
        left, at = self._now.get(who) or self._before.get(who) or (FULL, now)
        left = min(FULL, left + REFILL * max(0, now - at)) - cost
        if left < 0:
            return -(left // REFILL)
        self._now[who] = (left, now)
        return 0

    def _turn(self, now: int) -> None:
        self._before, self._now, self._turned_at = self._now, {}, now


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


@lru_cache(maxsize=2 * _MOST)
def _bucket(address: str) -> str:
    """ "" for an address that no buyer on the internet has: that is a proxy which `trusted_proxies` does not name, with
    everybody behind it."""
    try:
        return household(address) if ip_address(address).is_global else ""
    except ValueError:
        return ""

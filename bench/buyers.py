"""Buyers who wait: each keeps a checkout page open and polls as its page would, at the pace that the server asks for.

A page sends its poll by its own clock; while one is on its way the next is left out, and after a failure it asks less
often (static/pay.js, htmx). So buyers do not pile up on a slow server: their pages become slower.
"""

from __future__ import annotations

import heapq
import itertools
import re
import selectors
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bench.driver import Answer, Connection

_POLL = re.compile(r'hx-get="([^"]*/poll\?rev=[^"]*)" hx-trigger="every ([0-9]+)s')
_FILE = re.compile(r'(?:src="([^"]*(?:/qr\.png|/pay\.js\?[^"]*))"|<link rel="stylesheet" href="([^"]*)")')
_MOST_CALM_S = 15
_HEAD = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}"
    "User-Agent: Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0"
    " Mobile Safari/537.36\r\nAccept: */*\r\nAccept-Language: zh-CN,zh;q=0.9,en;q=0.8\r\n"
    "Referer: {referer}\r\nX-Forwarded-For: {buyer}\r\n\r\n"
)
_BY_HTMX = "HX-Request: true\r\nHX-Trigger: poll\r\nHX-Target: poll\r\nHX-Current-URL: {referer}\r\n"


@dataclass
class Tally:
    """Of some time: `polls` and `pages` are seconds that each took, a page without what it loads."""

    polls: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    left_out: int = 0  # polls that were due while the one before was on its way
    elapsed_s: float = 0

    @property
    def faults(self) -> int:
        """Answers that no buyer should get, and connections that broke."""
        good = ("page 200", "file 200", "poll 204", "poll 200")
        return sum(count for name, count in self.statuses.items() if name not in good)


class Buyer:
    def __init__(self, number: int, token: str, opens_at: float) -> None:
        self.token, self.due = token, opens_at
        self.address = f"{11 + number // 60_000 % 80}.{number // 250 % 240}.7.{number % 250 + 1}"
        self.connection: Connection | None = None
        self.path = ""  # of its next poll; "" before the page is there
        self.interval = 0  # seconds; 0: an end, nothing more is asked
        self.files: list[str] = []  # what the page needs and has not loaded yet
        self.asking = ""  # page | file | poll: what is on its way
        self.failures = 0
        self.began = 0.0


class Crowd:
    """All on one thread. `replace` gives the token of a new order when a page has come to its end."""

    def __init__(
        self, address: tuple[str, int], *, host: str = "", tls: ssl.SSLContext | None = None,
        replace: Callable[[Buyer], str | None] | None = None,
    ) -> None:  # fmt: skip
        self._address, self._tls, self._replace = address, tls, replace
        scheme = "https" if tls else "http"
        self._host = host or f"{address[0]}:{address[1]}"
        self._base = f"{scheme}://{self._host}"
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[float, int, Buyer]] = []
        self._order = itertools.count()
        self._numbers = itertools.count()
        self.tally = Tally()

    def open(self, tokens: list[str], over_s: float) -> None:
        """New pages, evenly over so many seconds from now."""
        now = time.perf_counter()
        for place, token in enumerate(tokens):
            self._plan(Buyer(next(self._numbers), token, 0), now + over_s * place / len(tokens))

    def run(self, seconds: float, also: Iterator[float] | None = None) -> Tally:
        """What happens in that time; `also` does something of its own and gives the seconds until it wants to go on."""
        self.tally, began = Tally(), time.perf_counter()
        until, next_also = began + seconds, began if also else began + 2 * seconds
        while (now := time.perf_counter()) < until:
            while self._due and self._due[0][0] <= now:
                self._act(heapq.heappop(self._due)[2])
            if also and now >= next_also:
                next_also = now + next(also)
            first = min(self._due[0][0] if self._due else until, until, next_also)
            for key, _ in self._selector.select(max(0.0, first - time.perf_counter())):
                self._hear(key.data)
        self.tally.elapsed_s = time.perf_counter() - began
        return self.tally

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.data.connection.socket.close()
        self._selector.close()

    def _plan(self, buyer: Buyer, at: float) -> None:
        buyer.due = at
        heapq.heappush(self._due, (at, next(self._order), buyer))

    def _act(self, buyer: Buyer) -> None:
        if buyer.path and not buyer.interval:
            return
        if buyer.path:
            calm = min(_MOST_CALM_S, 2**buyer.failures) if buyer.failures else 0
            self._plan(buyer, buyer.due + max(buyer.interval, calm))
        if buyer.asking:
            self.tally.left_out += 1
        elif buyer.path:
            self._ask(buyer, "poll", buyer.path)
        else:
            self._ask(buyer, "page", f"/pay/{buyer.token}")

    def _ask(self, buyer: Buyer, kind: str, path: str) -> None:
        referer = f"{self._base}/pay/{buyer.token}"
        more = _BY_HTMX.format(referer=referer) if kind == "poll" else ""
        request = _HEAD.format(path=path, host=self._host, more=more, referer=referer, buyer=buyer.address)
        buyer.asking, buyer.began = kind, time.perf_counter()
        self._send(buyer, request.encode())

    def _send(self, buyer: Buyer, request: bytes) -> None:
        try:
            if buyer.connection is None:
                buyer.connection = Connection(self._address, self._tls)
                self._selector.register(buyer.connection.socket, selectors.EVENT_READ, buyer)
            buyer.connection.send(request)
        except OSError as error:
            self._lose(buyer, type(error).__name__)

    def _hear(self, buyer: Buyer) -> None:
        assert buyer.connection
        try:
            answer = buyer.connection.answer()
        except OSError as error:  # ConnectionError and what TLS says of it
            self._lose(buyer, type(error).__name__)
            return
        if answer is not None and buyer.asking:
            if buyer.connection.is_over:
                self._hang_up(buyer)
            self._take(buyer, answer)

    def _lose(self, buyer: Buyer, why: str) -> None:
        """A connection that nobody used may be closed; one that was waited on is a fault."""
        self._hang_up(buyer)
        if buyer.asking:
            self._fail(buyer, why)

    def _hang_up(self, buyer: Buyer) -> None:
        if buyer.connection is not None:
            self._selector.unregister(buyer.connection.socket)
            buyer.connection.socket.close()
            buyer.connection = None

    def _fail(self, buyer: Buyer, why: str) -> None:
        self.tally.statuses[f"{buyer.asking} {why}"] += 1
        buyer.failures += 1
        buyer.asking, buyer.files = "", []
        if not buyer.path:
            self._plan(buyer, time.perf_counter() + 2)  # the person loads it again

    def _take(self, buyer: Buyer, answer: Answer) -> None:
        kind, elapsed = buyer.asking, time.perf_counter() - buyer.began
        if answer.status not in (200, 204):
            self._fail(buyer, str(answer.status))
            return
        buyer.asking, buyer.failures = "", 0
        self.tally.statuses[f"{kind} {answer.status}"] += 1
        if kind == "poll":
            self.tally.polls.append(elapsed)
        elif kind == "page":
            self.tally.pages.append(elapsed)
        if answer.status == 200 and kind != "file":
            self._read(buyer, kind, answer.body.decode())
        if buyer.files and not buyer.asking:
            self._ask(buyer, "file", buyer.files.pop())

    def _read(self, buyer: Buyer, kind: str, words: str) -> None:
        """The page, or what replaces a part of it: how to go on."""
        if kind == "page":
            buyer.files = [(one[1] or one[2]).replace("&amp;", "&") for one in _FILE.finditer(words)]
        found = _POLL.search(words)
        was_open = bool(buyer.path and buyer.interval)
        if found:
            buyer.path, interval = found[1].replace("&amp;", "&"), int(found[2])
            buyer.interval = interval  # the next poll is planned already where the page was open before
            if not was_open:
                self._plan(buyer, time.perf_counter() + interval)
        else:
            self._end(buyer)

    def _end(self, buyer: Buyer) -> None:
        buyer.interval, buyer.path = 0, buyer.path or "-"
        token = self._replace(buyer) if self._replace else None
        if token:
            newcomer = Buyer(next(self._numbers), token, 0)
            newcomer.connection, buyer.connection = buyer.connection, None
            if newcomer.connection is not None:
                self._selector.modify(newcomer.connection.socket, selectors.EVENT_READ, newcomer)
            self._plan(newcomer, time.perf_counter())

"""The one way out to the network: one request, one answer, within one deadline.

What is sent to addresses that merchants write down must not reach what only this machine can reach, and must
not hold a worker for longer than it was given. So every address that a name resolves to is judged, the
connection goes to a judged address and nowhere else, redirects and proxies are not followed, and every wait
ends at one moment. Nothing is kept open between requests.

It stands on plain sockets and http.client. urllib3 would need the deadline and the judged address put
underneath it, because its timeouts begin anew with each read and it resolves by itself; that is this code and
urllib3 on top, and it takes several times as long to import.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import cached_property
from http.client import HTTPException
from queue import Empty, SimpleQueue

from msgspec import Struct, field

from checkout import __version__, authorities, targets, wire

_LOOKUPS = 32  # names resolved at once by one client; a lookup that hangs outlives its request


class Reason(StrEnum):
    """Why there is no answer. The first four are Forbidden: nothing was sent."""

    URL = "url"  # not in the plain form
    PORT = "port"
    ADDRESS = "address"  # not public
    REQUEST = "request"  # a method or header that cannot be sent
    DNS = "dns"
    CONNECT = "connect"  # refused, unreachable, or broken off by the other side
    TLS = "tls"
    TIMEOUT = "timeout"
    ANSWER = "answer"  # not HTTP, cut off, or a head too long


class Unreachable(Exception):
    """There is no answer. `message` is one sentence; it names the host, never the query."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Forbidden(Unreachable):
    """The request may not be sent, and was not."""


class Outgoing(Struct, frozen=True):
    """One request to send. A `#fragment` in the URL is not sent; Host, Connection and lengths are added."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Answer(Struct, frozen=True):
    """What came back, of any status. `headers` finds names in either case; the body is cut, never decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_ms: int


def system_addresses(host: str) -> list[str]:
    """The IP addresses of a name, the preferred one first; OSError or UnicodeError. It may block for long."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


_budget: ContextVar[wire.Deadline | None] = ContextVar("budget", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What this thread sends inside has so many seconds, all requests together, whatever their clients allow."""
    before = _budget.set(wire.Deadline(seconds))
    try:
        yield
    finally:
        _budget.reset(before)


class Client:
    """Sends requests; may be used by many threads at once.

    `deadline_s` is in seconds, from the lookup of the name to the last byte; `max_body` is in bytes. `ports`
    None allows every port. `allow_private` lifts the rules on IP addresses and ports, not those on spelling.
    `ca_file` (PEM) is trusted instead of the system's authorities; `client_cert` is a certificate file and
    its key file (PEM, no password). ValueError when these files cannot be used.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        ports: Collection[int] | None = frozenset({80, 443}),
        deadline_s: float = 10,
        max_body: int = 65536,
        user_agent: str = f"Checkout/{__version__}",
        ca_file: str | None = None,
        client_cert: tuple[str, str] | None = None,
        resolve: Callable[[str], Sequence[str]] = system_addresses,
    ) -> None:
        self._allow_private = allow_private
        self._ports = ports
        self._deadline_s = deadline_s
        self._max_body = max_body
        self._user_agent = user_agent
        self._ca_file = ca_file
        self._client_cert = client_cert
        self._resolve = resolve
        self._lookups = threading.BoundedSemaphore(_LOOKUPS)
        if ca_file or client_cert:
            self._check_files()

    def send(self, request: Outgoing, *, deadline_s: float | None = None) -> Answer:
        """The answer to a request; when there is none, Unreachable or Forbidden and nothing else."""
        began = time.monotonic_ns()
        deadline = wire.Deadline(min(self._deadline_s if deadline_s is None else deadline_s, _left()))
        target = _judged(request.url, self._allow_private, self._ports)
        message = _message(request, target, self._user_agent)
        with _one_sentence(target.host), closing(self._connected(target, deadline)) as sock:
            wire.send(sock, message, deadline)
            response, body = wire.receive(sock, request.method, self._max_body, deadline)
        elapsed_ms = (time.monotonic_ns() - began) // 1_000_000
        return Answer(response.status, _Headers(response.getheaders()), body, elapsed_ms)

    def _connected(self, target: targets.Target, deadline: wire.Deadline) -> socket.socket:
        sock = wire.connected(self._addresses(target, deadline), target.port, deadline)
        if not target.tls:
            return sock
        try:
            sock.settimeout(deadline.left())
            return self._tls.wrap_socket(sock, server_hostname=target.host)
        except BaseException:
            sock.close()
            raise

    def _addresses(self, target: targets.Target, deadline: wire.Deadline) -> Sequence[str]:
        found = [target.host] if target.is_address else self._looked_up(target.host, deadline)
        if not found:
            raise Unreachable(Reason.DNS, f"The name {target.host} has no address.")
        # One private address among public ones is enough: which of them is used would be left to an attacker.
        if not (self._allow_private or all(map(targets.is_public, found))):
            raise Forbidden(Reason.ADDRESS, f"{target.host} does not stand for public addresses alone.")
        return found

    def _looked_up(self, host: str, deadline: wire.Deadline) -> Sequence[str]:
        """Resolve in a thread of its own, because getaddrinfo knows no deadline."""
        results: SimpleQueue[Sequence[str] | Exception] = SimpleQueue()
        try:
            self._start_lookup(host, results, deadline)
            found = results.get(timeout=deadline.left())
        except (TimeoutError, Empty) as late:
            raise Unreachable(Reason.DNS, f"The name {host} could not be resolved in time.") from late
        except RuntimeError as full:
            raise Unreachable(Reason.DNS, "No thread could be started to resolve a name.") from full
        if isinstance(found, Exception):
            raise Unreachable(Reason.DNS, f"The name {host} could not be resolved.") from found
        return found

    def _start_lookup(
        self, host: str, results: SimpleQueue[Sequence[str] | Exception], deadline: wire.Deadline
    ) -> None:
        def look_up() -> None:
            try:
                results.put(self._resolve(host))
            except Exception as error:
                results.put(error)
            finally:
                self._lookups.release()

        if not self._lookups.acquire(timeout=deadline.left()):
            raise TimeoutError
        try:
            threading.Thread(target=look_up, name="lookup", daemon=True).start()
        except RuntimeError:
            self._lookups.release()
            raise

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._ca_file or authorities.file())
        context.set_alpn_protocols(["http/1.1"])
        if self._client_cert:
            # The empty password keeps OpenSSL from asking for one on the terminal.
            context.load_cert_chain(*self._client_cert, password="")
        return context

    def _check_files(self) -> None:
        try:
            _ = self._tls
        except OSError as error:
            names = ", ".join(filter(None, (self._ca_file, *(self._client_cert or ()))))
            raise ValueError(f"The certificate files cannot be used ({names}): {error}.") from error


def _left() -> float:
    """Seconds of the budget that `within` has set; 0 when it is spent."""
    budget = _budget.get()
    try:
        return budget.left() if budget else math.inf
    except TimeoutError:
        return 0.0


def check_url(url: str, *, allow_private: bool, ports: Collection[int] | None) -> None:
    """Forbidden when a URL may not be called, so far as that shows without resolving its host."""
    _judged(url, allow_private, ports)


def _judged(url: str, allow_private: bool, ports: Collection[int] | None) -> targets.Target:
    try:
        target = targets.parsed(url)
    except ValueError as error:
        raise Forbidden(Reason.URL, str(error)) from error
    if allow_private:
        return target
    if ports is not None and target.port not in ports:
        raise Forbidden(Reason.PORT, f"Port {target.port} is not among the ports that may be called.")
    if not target.is_public:
        raise Forbidden(Reason.ADDRESS, f"{target.host} is not a public address.")
    return target


_METHOD = re.compile(r"[A-Z]{1,16}")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~]*")
_SET_HERE = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"}
)


def _message(request: Outgoing, target: targets.Target, user_agent: str) -> bytes:
    given = {name.lower() for name in request.headers}
    defaults = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}
    headers = {name: value for name, value in defaults.items() if name.lower() not in given}
    headers.update(request.headers)
    if not (_METHOD.fullmatch(request.method) and given.isdisjoint(_SET_HERE) and _plain(headers)):
        raise Forbidden(Reason.REQUEST, "The request has a method or header that cannot be sent.")
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        headers["Content-Length"] = str(len(request.body))
    start = f"{request.method} {target.path} HTTP/1.1\r\nHost: {target.authority}\r\nConnection: close\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{start}{lines}\r\n".encode("ascii") + request.body


def _plain(headers: Mapping[str, str]) -> bool:
    return all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers.items())


class _Headers(Mapping[str, str]):
    """Names in either case; the values of a repeated one joined by `, `."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in pairs:
            known = self._values.get(name.lower())
            self._values[name.lower()] = value if known is None else f"{known}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@contextmanager
def _one_sentence(host: str) -> Iterator[None]:
    try:
        yield
    except Unreachable:
        raise
    except TimeoutError as error:
        raise Unreachable(Reason.TIMEOUT, f"{host} did not answer in time.") from error
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message.rstrip(".")
        raise Unreachable(Reason.TLS, f"The certificate of {host} does not hold: {why}.") from error
    except ssl.SSLError as error:
        raise Unreachable(Reason.TLS, f"No secure connection to {host} could be made.") from error
    except OSError as error:
        raise Unreachable(Reason.CONNECT, f"The connection to {host} was refused or broken off.") from error
    except (HTTPException, ValueError, OverflowError) as error:
        raise Unreachable(Reason.ANSWER, f"{host} gave no proper HTTP answer.") from error

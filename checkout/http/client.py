"""Requests to other servers: one request, one answer, within one deadline.

What is sent to addresses that merchants write down must not reach what only this machine can reach, and must
not hold a worker for longer than it was given. So every address that a name resolves to is judged, the
connection goes to a judged address and nowhere else, redirects and proxies are not followed, and every wait
ends at one moment. Nothing is kept open between requests.

A request is a generator that never blocks (`checkout.http.steps`), so that one thread can have many under way. It
stands on plain sockets and Python's http.client. urllib3 would need the deadline and the judged address put underneath
it, because its timeouts begin anew with each read and it resolves by itself; that is this code and urllib3 on top, and
it takes several times as long to import.
"""

from __future__ import annotations

import math
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from functools import cached_property
from http.client import HTTPException

from checkout import __version__
from checkout.http import authorities, messages, steps, targets, wire
from checkout.http.messages import Answer, Forbidden, Outgoing, Reason, Unreachable
from checkout.http.resolver import Lookups
from checkout.http.steps import READ, Deadline, Steps

__all__ = [
    "Answer", "Client", "Forbidden", "Outgoing", "Reason", "Unreachable", "check_url", "system_addresses", "within",
]  # fmt: skip


def system_addresses(host: str) -> list[str]:
    """The IP addresses of a name, the preferred one first; OSError or UnicodeError. It may block for long."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


_budget: ContextVar[Deadline | None] = ContextVar("budget", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What this thread sends inside has so many seconds, all requests together, whatever their clients allow."""
    before = _budget.set(Deadline(seconds))
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
        self._lookups = Lookups(resolve)
        if ca_file or client_cert:
            self._check_files()

    def send(self, request: Outgoing, *, deadline_s: float | None = None) -> Answer:
        """The answer to a request; when there is none, Unreachable or Forbidden and nothing else."""
        return steps.alone(self.exchange(request, deadline_s=deadline_s))

    def exchange(self, request: Outgoing, *, deadline_s: float | None = None) -> Steps[Answer]:
        """`send`, for whoever has something else to do while it waits."""
        began = time.monotonic_ns()
        deadline = Deadline(min(self._deadline_s if deadline_s is None else deadline_s, _left()))
        target = _judged(request.url, self._allow_private, self._ports)
        message = messages.written(request, target, self._user_agent)
        with _one_sentence(target.host), closing((yield from self._connected(target, deadline))) as sock:
            yield from wire.send(sock, message, deadline)
            response, body = yield from wire.receive(sock, request.method, self._max_body, deadline)
        elapsed_ms = (time.monotonic_ns() - began) // 1_000_000
        return Answer(response.status, messages.Headers(response.getheaders()), body, elapsed_ms)

    def _connected(self, target: targets.Target, deadline: Deadline) -> Steps[socket.socket]:
        addresses = yield from self._addresses(target, deadline)
        sock = yield from wire.connected(addresses, target.port, deadline)
        if not target.tls:
            return sock
        try:
            secure = self._tls.wrap_socket(sock, server_hostname=target.host, do_handshake_on_connect=False)
            sock = secure
            yield from steps.ready(secure.do_handshake, secure, READ, deadline)
        except BaseException:
            sock.close()
            raise
        return secure

    def _addresses(self, target: targets.Target, deadline: Deadline) -> Steps[Sequence[str]]:
        found = [target.host] if target.is_address else (yield from self._lookups.of(target.host, deadline))
        if not found:
            raise Unreachable(Reason.DNS, f"The name {target.host} has no address.")
        # One private address among public ones is enough: which of them is used would be left to an attacker.
        if not (self._allow_private or all(map(targets.is_public, found))):
            raise Forbidden(Reason.ADDRESS, f"{target.host} does not stand for public addresses alone.")
        return found

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

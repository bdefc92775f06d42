"""What all routes share: the wired parts, reading requests strictly, errors → HTTP, headers, proxies.

Flask ends here: the rules below know nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

from flask import Request, current_app, request

from checkout import http
from checkout.amounts import Limits
from checkout.errors import Code, Refusal
from checkout.interfaces import Clock, Dialects, NewId, Send, Store
from checkout.model import Merchant
from checkout.orders import Rules
from checkout.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_BODY = 65536
MAX_FIELD = 2048
_MAX_FIELDS = 64

STATUS: dict[Code, int] = {
    Code.BAD_REQUEST: 400,
    Code.BAD_AMOUNT: 400,
    Code.ZERO_AMOUNT: 400,
    Code.BAD_URL: 400,
    Code.BAD_SIGNATURE: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.DUPLICATE: 409,
    Code.NOT_ALLOWED: 409,
    Code.CONFLICT: 409,
    Code.NO_ACCOUNT: 503,
    Code.PHONE_OFFLINE: 503,
    Code.BUSY: 503,
    Code.DISK_FULL: 503,
    Code.LIMITED: 429,
}


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that routes use, wired once in `create_app`."""

    settings: Settings
    rules: Rules
    store: Store
    dialects: Dialects
    clock: Clock
    new_id: NewId
    send: Send
    wake: Callable[[], None]  # tells the worker that a delivery has become due


class BadField(Refusal):
    """A parameter that cannot be read: `problem` is doubled, too_long, control or encoding."""

    def __init__(self, field: str, problem: str, message: str) -> None:
        super().__init__(Code.BAD_REQUEST, message)
        self.field = field
        self.problem = problem


def parts() -> Parts:
    return cast(Parts, current_app.extensions["checkout"])


def rules_of(settings: Settings) -> Rules:
    limits = Limits(settings.order_ttl, settings.grace, settings.rest)
    return Rules(limits, settings.device_offline_after, settings.min_free_disk)


def fields(asked: Request | None = None) -> dict[str, str]:
    """The parameters of a request – query, form, multipart or a JSON object – exactly as they were sent.

    Signatures cover the raw spelling, so numbers in JSON keep theirs. Each parameter at most once (a query and a
    body may say the same), UTF-8, no control characters, at most 2,048 characters. Refused: `BadField`, BAD_REQUEST.
    """
    asked = asked or request
    query = _pairs(asked.query_string)
    if not (asked.content_length or asked.headers.get("Transfer-Encoding")):
        return _once(query)
    return _merged(_once(query), _once(_body_pairs(asked)))


def url_for_buyers(path: str) -> str:
    """The public address of one of our paths (`/pay/…`)."""
    return parts().settings.base_url + path


def check_merchant_url(url: str, what: str) -> None:
    """Refused (BAD_URL): an address that is never called or followed, so far as its text shows."""
    settings = parts().settings
    is_notify = what == "notify"
    try:
        http.check_url(
            url,
            allow_private=settings.allow_private or not is_notify,
            ports=frozenset(settings.callback_ports) if is_notify and not settings.allow_private else None,
        )
    except http.Forbidden as error:
        raise Refusal(Code.BAD_URL, f"The {what} URL may not be used: {error.message}") from error


def is_known_host(url: str, merchant: Merchant) -> bool:
    """Whether an address lies on one of the merchant's own hosts or on its list."""
    own = {urlsplit(known).hostname for known in (merchant.notify_url, merchant.return_url) if known}
    return urlsplit(url).hostname in own | {host.lower() for host in merchant.allow_hosts}


def client_address(environ: Mapping[str, Any] | None = None) -> str:
    """The buyer's address; behind a configured proxy the one that it reports."""
    return str((environ or request.environ).get("REMOTE_ADDR", ""))


class Front:
    """WSGI: trusts `X-Forwarded-*` from configured proxies only, and takes off the path prefix of the base URL
    where the proxy has not."""

    def __init__(self, app: WSGIApplication, settings: Settings) -> None:
        self._app = app
        self._proxies = [ip_network(proxy) for proxy in settings.trusted_proxies]
        self._prefix = urlsplit(settings.base_url).path.rstrip("/")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._proxies and self._is_proxy(environ.get("REMOTE_ADDR", "")):
            self._believe(environ)
        path = environ.get("PATH_INFO", "")
        if self._prefix and (path == self._prefix or path.startswith(self._prefix + "/")):
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + self._prefix
            environ["PATH_INFO"] = path[len(self._prefix) :] or "/"
        return self._app(environ, start_response)

    def _is_proxy(self, address: str) -> bool:
        try:
            return any(ip_address(address) in network for network in self._proxies)
        except ValueError:
            return False

    def _believe(self, environ: WSGIEnvironment) -> None:
        """The address is the last one in the chain that is not a proxy of ours: what stands before it anybody can
        have written."""
        chain = [part.strip() for part in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
        for address in reversed(chain):
            if not self._is_address(address):
                break
            environ["REMOTE_ADDR"] = address
            if not self._is_proxy(address):
                break
        if environ.get("HTTP_X_FORWARDED_PROTO", "").strip().lower() in ("http", "https"):
            environ["wsgi.url_scheme"] = environ["HTTP_X_FORWARDED_PROTO"].strip().lower()

    @staticmethod
    def _is_address(text: str) -> bool:
        try:
            ip_address(text)
        except ValueError:
            return False
        return True


def _body_pairs(asked: Request) -> list[tuple[str, str]]:
    if (asked.content_length or 0) > MAX_BODY:
        raise Refusal(Code.BAD_REQUEST, "The body is too long: at most 64 KiB.")
    kind = asked.mimetype
    if kind == "multipart/form-data":
        return [(name, value) for name, values in asked.form.lists() for value in values]
    body = asked.get_data(cache=True)
    if len(body) > MAX_BODY:
        raise Refusal(Code.BAD_REQUEST, "The body is too long: at most 64 KiB.")
    if kind == "application/json" or (kind != "application/x-www-form-urlencoded" and body[:1] == b"{"):
        return _json_pairs(body)
    return _pairs(body)


def _pairs(encoded: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except UnicodeDecodeError as error:
        raise BadField("", "encoding", "The parameters are not UTF-8 in URL encoding.") from error
    except ValueError as error:
        raise Refusal(Code.BAD_REQUEST, "There are too many parameters.") from error


def _json_pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        found = json.loads(
            body.decode(), parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=lambda pairs: pairs
        )
    except (ValueError, RecursionError) as error:
        raise Refusal(Code.BAD_REQUEST, "The body is not a JSON object in UTF-8.") from error
    if not isinstance(found, list) or not all(isinstance(pair, tuple) for pair in found):
        raise Refusal(Code.BAD_REQUEST, "The body is not a JSON object.")
    return [(name, _json_text(name, value)) for name, value in found if value is not None]


def _json_text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if not isinstance(value, str):
        raise BadField(name, "type", f"The parameter {_short(name)} must be a string or a number.")
    return value


def _once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    seen: dict[str, str] = {}
    for name, value in pairs:
        if name in seen:
            raise BadField(name, "doubled", f"The parameter {_short(name)} occurs twice.")
        _check_text(name, value)
        seen[name] = value
    return seen


def _merged(query: dict[str, str], body: dict[str, str]) -> dict[str, str]:
    for name in query.keys() & body.keys():
        if query[name] != body[name]:
            raise BadField(name, "doubled", f"The parameter {_short(name)} differs between query and body.")
    return {**query, **body}


def _check_text(name: str, value: str) -> None:
    if len(name) > 64 or len(value) > MAX_FIELD:
        raise BadField(name, "too_long", f"The parameter {_short(name)} is too long.")
    text = name + value
    if not text.isprintable() and any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in text):
        raise BadField(name, "control", f"The parameter {_short(name)} holds control characters.")
    if "\ufffd" in text:
        raise BadField(name, "encoding", f"The parameter {_short(name)} is not UTF-8.")


def _short(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:32])

"""A client of Checkout's native API, for merchants: this one file, Python 3.9 or newer, no other package.

    shop = Checkout("https://pay.example.com", "ck_live_…")
    order = shop.create("N1", amount=990)  # fen: 9.90 yuan
    redirect_to(order.pay_url)

and where Checkout calls back:

    event = verify_webhook(SECRET, headers, body, price_of=lambda number: my_price_in_fen(number))
    if event.type == "order.paid":
        deliver(event.order.number)

Copy it into your project, or import `checkout.client`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

TOLERANCE_S = 300  # how old or new a webhook may be
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_AGAIN = (429, 502, 503, 504)
_LONGEST_WAIT_S = 5
_MOST_BYTES = 4_000_000


class CheckoutError(Exception):
    """Checkout refused, or could not be reached. `code` is for programs; `errors` says what is wrong with which field.

    `status` is 0 when no answer came: the request may or may not have arrived, so ask again."""

    def __init__(self, status: int, code: str, detail: str, errors: Iterable[Mapping[str, str]] = ()) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.errors = status, code, detail, list(errors)


class WebhookError(Exception):
    """A message that must not be trusted: answer it with status 400 and change nothing."""


@dataclass(frozen=True)
class Order:
    """An order as Checkout reports it. Amounts are in fen, times are RFC 3339 strings; `raw` is the whole answer."""

    order: str  # Checkout's own id
    number: str  # yours
    state: str  # pending | paid | expired | closed
    price: int  # what you asked for
    really_price: int | None  # what the buyer sends
    method: str | None
    late: bool
    ref: str | None
    product: str | None
    quantity: int
    created_at: str
    expires_at: str
    paid_at: str | None
    refunded: int = 0
    pay_url: str = ""  # the checkout page; "" in webhooks
    receipt: str | None = None
    prompt: Mapping[str, Any] | None = None  # what to show, where you named the method
    metadata: Mapping[str, str] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_paid(self) -> bool:
        return self.state == "paid"


@dataclass(frozen=True)
class Refund:
    """Money on its way back to the buyer: `state` is asked, done, failed or by_hand; `amount` is in fen."""

    refund: str
    order: str
    number: str
    amount: int
    state: str
    error: str


@dataclass(frozen=True)
class Event:
    """A verified webhook. `id` is the same on every try: one that you have handled before is a repeat."""

    id: str
    type: str  # order.paid, order.expired, order.closed, order.refunded, payment.unmatched …
    timestamp: str
    data: Mapping[str, Any]
    order: Order | None  # for the types order.…


class Checkout:
    """The API as one merchant sees it. Every write carries an idempotency key and is repeated with it when the network
    fails, so nothing happens twice. Safe to share between threads."""

    def __init__(
        self, base_url: str, key: str, *, timeout: float = 10, tries: int = 3,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        place = urlsplit(base_url)
        if place.scheme != "https" and not (place.scheme == "http" and place.hostname in _LOOPBACK):
            raise ValueError("The base URL must begin with https://, as the key travels in every request.")
        self._url, self._key, self._timeout = base_url.rstrip("/") + "/api/v1", key, timeout
        self._tries, self._sleep = max(1, tries), sleep
        self._opener = build_opener(_NoRedirect)

    def create(
        self, number: str, *, amount: int | None = None, product: str | None = None,
        idempotency_key: str | None = None, **more: Any,
    ) -> Order:  # fmt: skip
        """Opens an order for `amount` fen, or for a `product`. `more`: quantity, method ("wechat", "alipay"), title,
        ref, notify_url, return_url, metadata, expires_in, scene, openid, client_ip.

        Asking again with the same number and the same details returns the same order while it waits. Raises
        `CheckoutError`."""
        asked: dict[str, Any] = {"number": number, **more}
        if amount is not None:
            asked["price"] = _price(amount)
        if product is not None:
            asked["product"] = product
        return _order(self._post("/orders", asked, idempotency_key))

    def get(self, order: str) -> Order:
        """The order with this id. Raises `CheckoutError` (status 404: there is none)."""
        return _order(self._asked("GET", f"/orders/{quote(order, safe='')}"))

    def orders(self, **wanted: str) -> Iterator[Order]:
        """All orders, newest first, fetched page by page. `wanted`: state, ref, number, created_from, created_to."""
        cursor: str | None = None
        while True:
            query = {**wanted, "limit": "100", **({"cursor": cursor} if cursor else {})}
            page = self._asked("GET", f"/orders?{urlencode(query)}")
            yield from map(_order, page["data"])
            cursor = page["next"]
            if cursor is None:
                return

    def close(self, order: str, *, idempotency_key: str | None = None) -> Order:
        """Closes an order that waits for payment. Raises `CheckoutError` (status 409: it is paid, or has ended)."""
        return _order(self._post(f"/orders/{quote(order, safe='')}/close", {}, idempotency_key))

    def refund(
        self, order: str, reason: str, *, amount: int | None = None, number: str | None = None,
        by_hand: bool = False, idempotency_key: str | None = None,
    ) -> Refund:  # fmt: skip
        """Sends `amount` fen back (None: all that is left). `by_hand`: you have sent it yourself; it is only
        recorded."""
        asked: dict[str, Any] = {"reason": reason, "by_hand": by_hand}
        if amount is not None:
            asked["amount"] = _price(amount)
        if number is not None:
            asked["number"] = number
        made = self._post(f"/orders/{quote(order, safe='')}/refunds", asked, idempotency_key)
        return Refund(
            made["refund"], made["order"], made["number"], made["amount"]["amount"], made["state"], made["error"]
        )

    def _post(self, path: str, asked: Mapping[str, Any], idempotency_key: str | None) -> dict[str, Any]:
        return self._asked("POST", path, asked, idempotency_key or str(uuid.uuid4()))

    def _asked(
        self, method: str, path: str, asked: Mapping[str, Any] | None = None, idempotency_key: str = ""
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}", "Accept": "application/json"}
        if asked is not None:
            headers |= {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        body = json.dumps(asked).encode() if asked is not None else None
        request = Request(self._url + path, body, headers, method=method)  # noqa: S310 - the scheme was checked
        for left in range(self._tries - 1, -1, -1):
            try:
                return self._answer(request)
            except _Again as again:
                if not left:
                    raise again.error from again.__cause__
                self._sleep(min(again.wait, _LONGEST_WAIT_S))
        raise AssertionError("not reached")

    def _answer(self, request: Request) -> dict[str, Any]:
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                found = json.loads(answer.read(_MOST_BYTES))
        except HTTPError as error:
            with error:
                raise _refused(error) from None
        except (URLError, HTTPException, OSError) as error:
            raise _Again(CheckoutError(0, "unreachable", f"Checkout could not be reached: {error}."), 1) from error
        except ValueError as error:
            raise CheckoutError(0, "unreadable", "Checkout's answer is not JSON; is the base URL right?") from error
        if not isinstance(found, dict):
            raise CheckoutError(0, "unreadable", "Checkout's answer is no JSON object; is the base URL right?")
        return found


def verify_webhook(
    secret: str | Iterable[str], headers: Mapping[str, str], body: bytes, price_of: Callable[[str], int | None],
    *, tolerance_s: int = TOLERANCE_S, now: int | None = None,
) -> Event:  # fmt: skip
    """The event in a message, if the message is genuine, fresh, and about an order and price that your own books have.

    `secret` is the endpoint's (`whsec_…`), or the merchant's key for an order's own notify URL; pass several while one
    is being replaced. `body` is the raw body. `price_of` returns the fen that you asked for under one of your numbers,
    None for a number that you do not know. Raises `WebhookError`. Answer 2xx quickly, once you have written it down."""
    sent = {name.lower(): value for name, value in headers.items()}
    message, at = sent.get("webhook-id", ""), sent.get("webhook-timestamp", "")
    if not message or not sent.get("webhook-signature"):
        raise WebhookError("The message is not signed: webhook-id or webhook-signature is missing.")
    if not (at.isascii() and at.isdigit() and len(at) <= 12):
        raise WebhookError("The header webhook-timestamp is missing, or no number.")
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not _is_signed(secrets, message, at, body, sent["webhook-signature"]):
        raise WebhookError("The signature does not fit: another secret, or a changed message.")
    if abs((int(time.time()) if now is None else now) - int(at)) > tolerance_s:
        raise WebhookError("The message is too old, or from the future; is this clock right?")
    return _event(message, body, price_of)


class _Again(Exception):
    """Worth another try after `wait` seconds."""

    def __init__(self, error: CheckoutError, wait: int) -> None:
        super().__init__(str(error))
        self.error, self.wait = error, wait


class _NoRedirect(HTTPRedirectHandler):
    """The key goes to the address that was configured and nowhere else."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def _refused(error: HTTPError) -> Exception:
    try:
        told = json.loads(error.read(_MOST_BYTES))
        found = CheckoutError(error.code, told["code"], told["detail"], told.get("errors", ()))
    except (ValueError, KeyError, TypeError, AttributeError, OSError, HTTPException):
        found = CheckoutError(error.code, "unreadable", f"Checkout answered with status {error.code}.")
    if error.code not in _AGAIN:
        return found
    wait = error.headers.get("Retry-After", "1")
    return _Again(found, int(wait) if wait.isascii() and wait.isdigit() else 1)


def _is_signed(secrets: list[str], message: str, at: str, body: bytes, signatures: str) -> bool:
    """Standard Webhooks: one of several signatures `v1,<base64>` is enough; all are compared, in constant time."""
    signed = f"{message}.{at}.".encode() + body
    wanted = [b"v1," + base64.b64encode(hmac.digest(_key(one), signed, hashlib.sha256)) for one in secrets if one]
    given = [one.encode("utf-8", "replace") for one in signatures.split(" ")]
    return any([hmac.compare_digest(one, other) for one in wanted for other in given])


def _key(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret[6:], validate=True)
    except binascii.Error as error:
        raise WebhookError("The secret is no whsec_ and base64: copy it again.") from error


def _event(message: str, body: bytes, price_of: Callable[[str], int | None]) -> Event:
    try:
        told = json.loads(body)
        kind, at, data = told["type"], told["timestamp"], told["data"]
        is_order = kind.startswith("order.")
        order = _order(data) if is_order else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WebhookError("The message is no event of Checkout.") from error
    if order is not None:
        _check(kind, order, price_of)
    return Event(message, kind, at, data, order)


def _check(kind: str, order: Order, price_of: Callable[[str], int | None]) -> None:
    if not order.order or not order.number:
        raise WebhookError("The message names no order.")
    price = price_of(order.number)
    if price is None:
        raise WebhookError(f"There is no order {order.number} in the books of this shop.")
    if type(order.price) is not int or order.price <= 0 or order.price != price:
        raise WebhookError(f"Order {order.number} is for {price} fen here, the message says {order.price}.")
    if kind == "order.paid" and (order.state != "paid" or not order.really_price or not order.paid_at):
        raise WebhookError("The message says that the order was paid, and does not say how.")


def _order(told: Mapping[str, Any]) -> Order:
    really, refunded = told["really_price"], told.get("refunded")
    return Order(
        order=told["order"], number=told["number"], state=told["state"], price=_fen(told["price"]),
        really_price=_fen(really) if really is not None else None, method=told["method"], late=told["late"],
        ref=told["ref"], product=told["product"], quantity=told["quantity"], created_at=told["created_at"],
        expires_at=told["expires_at"], paid_at=told["paid_at"], refunded=_fen(refunded) if refunded else 0,
        pay_url=told.get("pay_url", ""), receipt=told.get("receipt"), prompt=told.get("prompt"),
        metadata=told.get("metadata", {}), raw=told,
    )  # fmt: skip


def _fen(money: Mapping[str, Any]) -> int:
    if money["currency"] != "CNY":
        raise ValueError("The currency is not CNY.")
    amount: int = money["amount"]
    return amount


def _price(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "CNY"}

"""The client that merchants copy, against the real application over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import checkout.client
from checkout import api_keys
from checkout.api_keys import Scope
from checkout.client import Checkout, CheckoutError, Event, WebhookError, verify_webhook
from tests.servers import on_loopback
from tests.world import MERCHANT_KEY, START, World

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def base_url(world: World) -> Iterator[str]:
    with on_loopback(world.app) as url:
        yield url


@pytest.fixture
def key(world: World) -> str:
    return api_keys.add(world.store, 1001, "", Scope, actor="t", new_id=world.parts.new_id, now=world.clock()).secret


@pytest.fixture
def shop(base_url: str, key: str) -> Checkout:
    return Checkout(base_url, key, sleep=lambda _: None)


def test_an_order_is_created_looked_at_and_closed(shop: Checkout) -> None:
    order = shop.create("N1", amount=990, method="wechat", ref="u-7", metadata={"cart": "17"})
    assert (order.number, order.price, order.really_price, order.state) == ("N1", 990, 990, "pending")
    assert order.pay_url.endswith(f"/pay/{order.order}")
    assert order.prompt is not None
    assert order.prompt["text"] == "wxp://f2f0wechat"
    assert shop.get(order.order) == order
    assert shop.close(order.order).state == "closed"
    assert not order.is_paid


def test_all_orders_come_one_after_the_other(shop: Checkout, world: World) -> None:
    for number in range(103):
        shop.create(f"N{number}", amount=100 + number)
        world.clock.go(1)
    assert [order.number for order in shop.orders()] == [f"N{number}" for number in range(102, -1, -1)]
    assert [order.number for order in shop.orders(number="N7")] == ["N7"]


def test_money_is_given_back(shop: Checkout, world: World) -> None:
    order = shop.create("N1", amount=990, method="wechat")
    world.push("9.90")
    refund = shop.refund(order.order, "returned", amount=100, number="R1", by_hand=True)
    assert (refund.amount, refund.state, refund.number) == (100, "by_hand", "R1")
    assert shop.get(order.order).refunded == 100


def test_a_refusal_says_what_is_wrong(shop: Checkout) -> None:
    with pytest.raises(CheckoutError, match="price/amount") as caught:
        shop.create("N1", amount=0)
    assert (caught.value.status, caught.value.code) == (400, "bad_request")
    assert caught.value.errors[0]["pointer"] == "#/price/amount"
    with pytest.raises(CheckoutError, match="not found") as caught:
        shop.get("../products")
    assert caught.value.status == 404


def test_a_key_never_travels_in_the_clear(key: str) -> None:
    for url in ("http://pay.example.com", "ftp://127.0.0.1", "pay.example.com", "http://127.0.0.1.evil.example"):
        with pytest.raises(ValueError, match="https"):
            Checkout(url, key)
    Checkout("https://pay.example.com/", key)


@dataclass
class Faulty:
    """A server that answers as told, one answer after the other, and keeps what it was sent."""

    answers: list[tuple[int, dict[str, str], bytes]]
    seen: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def __enter__(self) -> str:
        faulty = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                faulty.seen.append((self.path, dict(self.headers)))
                status, headers, body = faulty.answers.pop(0)
                if not status:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


REFUND = json.dumps(
    {
        "refund": "r",
        "order": "o",
        "number": "n",
        "amount": {"amount": 1, "currency": "CNY"},
        "state": "asked",
        "error": "",
    }
).encode()


def test_a_write_is_repeated_under_the_same_key_when_nobody_knows_whether_it_arrived() -> None:
    waits: list[float] = []
    faulty = Faulty([(0, {}, b""), (503, {"Retry-After": "3"}, b"{}"), (201, {}, REFUND)])
    with faulty as url:
        assert Checkout(url, "k", sleep=waits.append).refund("o", "x").refund == "r"
    keys = {headers["Idempotency-Key"] for _, headers in faulty.seen}
    assert (len(faulty.seen), len(keys)) == (3, 1)
    assert waits == [1, 3]


def test_tries_end_and_other_refusals_are_not_repeated() -> None:
    lost: tuple[int, dict[str, str], bytes] = (0, {}, b"")
    faulty = Faulty([lost] * 3 + [(409, {}, b'{"code":"not_allowed","detail":"No."}'), (400, {}, b"<html>")])
    with faulty as url:
        shop = Checkout(url, "k", sleep=lambda _: None)
        for status, code in ((0, "unreachable"), (409, "not_allowed"), (400, "unreadable")):
            with pytest.raises(CheckoutError) as caught:
                shop.refund("o", "x")
            assert (caught.value.status, caught.value.code) == (status, code)


def test_a_redirect_does_not_take_the_key_along() -> None:
    with Faulty([]) as elsewhere:
        faulty = Faulty([(302, {"Location": f"{elsewhere}/steal"}, b"")] * 2)
        with faulty as url, pytest.raises(CheckoutError) as caught:
            Checkout(url, "k", tries=1).get("o")
    assert caught.value.status == 302


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null"])
def test_an_answer_that_is_none_is_an_error(body: bytes) -> None:
    with Faulty([(200, {}, body)]) as url, pytest.raises(CheckoutError, match="base URL"):
        Checkout(url, "k").get("o")


# Webhooks


def price_of(number: str) -> int | None:
    return {"N1": 990}.get(number)


def event(world: World, shop: Checkout, **changes: Any) -> bytes:
    """The genuine body of order.paid, with its data changed."""
    shop.create("N1", amount=990, method="wechat")
    world.push("9.90")
    world.work()
    told = json.loads(world.outside.sent[-1].body)
    told["data"] |= changes
    return json.dumps(told).encode()


def signed(body: bytes, secret: str = MERCHANT_KEY, at: int = START, changes: Mapping[str, str] = {}) -> dict[str, str]:
    """The tests' own signature, never the code's."""
    raw = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    digest = hmac.new(raw, b"msg_1.%d." % at + body, hashlib.sha256).digest()
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": "v1," + base64.b64encode(digest).decode(),
    }
    return {name: one for name, one in {**headers, **changes}.items() if one != "-"}


def verified(body: bytes, headers: Mapping[str, str], secret: Any = MERCHANT_KEY, now: int = START) -> Event:
    return verify_webhook(secret, headers, body, price_of, now=now)


def test_what_the_program_sends_is_believed(world: World, shop: Checkout) -> None:
    event(world, shop)
    sent = world.outside.sent[-1]
    found = verify_webhook(MERCHANT_KEY, sent.headers, sent.body, price_of, now=world.clock())
    assert found.type == "order.paid"
    assert found.order is not None
    assert (found.order.number, found.order.price, found.order.is_paid) == ("N1", 990, True)
    assert found.id == sent.headers["webhook-id"]


def test_while_a_secret_is_replaced_both_are_good(world: World, shop: Checkout) -> None:
    body = event(world, shop)
    for secret in (SECRET, [MERCHANT_KEY, SECRET], [SECRET, MERCHANT_KEY]):
        assert verified(body, signed(body, SECRET), secret).type == "order.paid"
    both = signed(body, SECRET)["Webhook-Signature"] + " " + signed(body, "x" * 40)["Webhook-Signature"]
    headers = signed(body, changes={"Webhook-Signature": f"v2,x {both}"})
    assert verified(body, headers, SECRET).type == "order.paid"


def test_the_published_vector_of_standard_webhooks_holds() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }  # fmt: skip
    with pytest.raises(WebhookError, match="no event"):  # well signed, and none of ours
        verify_webhook(secret, headers, body, price_of, now=1614265330)
    with pytest.raises(WebhookError, match="signature"):
        verify_webhook(secret, headers, body + b" ", price_of, now=1614265330)


@pytest.mark.parametrize(
    ("secret", "now", "changes"),
    [
        ("x" * 40, START, {}), ("", START, {}), ([], START, {}), ([""], START, {}), ("whsec_", START, {}),
        ("whsec_%", START, {}),
        (MERCHANT_KEY, START + 301, {}), (MERCHANT_KEY, START - 301, {}),
        (MERCHANT_KEY, START, {"Webhook-Id": "-"}), (MERCHANT_KEY, START, {"Webhook-Id": ""}),
        (MERCHANT_KEY, START, {"Webhook-Id": "msg_2"}), (MERCHANT_KEY, START, {"Webhook-Timestamp": "-"}),
        (MERCHANT_KEY, START, {"Webhook-Timestamp": ""}), (MERCHANT_KEY, START, {"Webhook-Timestamp": "1e9"}),
        (MERCHANT_KEY, START, {"Webhook-Timestamp": "１７９０００００００"}),
        (MERCHANT_KEY, START, {"Webhook-Timestamp": str(START + 1)}),
        (MERCHANT_KEY, START, {"Webhook-Timestamp": "9" * 5000}),
        (MERCHANT_KEY, START, {"Webhook-Signature": "-"}), (MERCHANT_KEY, START, {"Webhook-Signature": ""}),
        (MERCHANT_KEY, START, {"Webhook-Signature": "v1,"}),
        (MERCHANT_KEY, START, {"Webhook-Signature": "v1,schlüssel"}),
    ],
    ids=lambda one: str(one)[:50],
)  # fmt: skip
def test_a_message_that_is_not_signed_as_it_must_be_is_not_believed(
    world: World, shop: Checkout, secret: Any, now: int, changes: dict[str, str]
) -> None:
    body = event(world, shop)
    with pytest.raises(WebhookError):
        verified(body, signed(body, changes=changes), secret, now)


def test_a_changed_body_is_not_believed(world: World, shop: Checkout) -> None:
    body = event(world, shop)
    for changed in (body.replace(b"990", b"1"), body + b" ", b"", body.replace(b"N1", b"N2")):
        with pytest.raises(WebhookError, match="signature"):
            verified(changed, signed(body))


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "N2"}, {"number": ""}, {"order": ""}, {"price": {"amount": 1, "currency": "CNY"}},
        {"price": {"amount": 990, "currency": "USD"}}, {"price": {"amount": 990.0, "currency": "CNY"}}, {"price": None},
        {"price": {"amount": "990", "currency": "CNY"}}, {"state": "pending"}, {"state": ""}, {"really_price": None},
        {"paid_at": None}, {"paid_at": ""}, {"really_price": {"amount": 0, "currency": "CNY"}}, {"number": None},
        {"number": []},
    ],
    ids=str,
)  # fmt: skip
def test_a_well_signed_message_about_another_order_or_price_is_not_believed(
    world: World, shop: Checkout, changes: dict[str, Any]
) -> None:
    body = event(world, shop, **changes)
    with pytest.raises(WebhookError):
        verified(body, signed(body))


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'{"type":5,"timestamp":"","data":{}}', b"payId=N1", b"\xff"]
)
def test_a_well_signed_message_that_is_no_event_is_not_believed(body: bytes) -> None:
    with pytest.raises(WebhookError, match="no event"):
        verified(body, signed(body))


def test_an_event_about_no_order_is_given_as_it_is() -> None:
    body = b'{"type":"payment.unmatched","timestamp":"2026-09-21T14:13:20Z","data":{"payment":"pay_1"}}'
    found = verified(body, signed(body))
    assert (found.order, found.data["payment"]) == (None, "pay_1")


def test_the_file_stands_alone(tmp_path: Path) -> None:
    source = Path(checkout.client.__file__).read_text(encoding="utf-8")
    (tmp_path / "checkout_client.py").write_text(source, encoding="utf-8")
    code = (
        "import checkout_client, sys; assert not [n for n in sys.modules if n.split('.')[0] in ('flask', 'checkout')]"
    )
    subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '.'); {code}"], cwd=tmp_path, check=True
    )

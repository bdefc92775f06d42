"""What is told to endpoints holds before the libraries that receivers use: Python's and JavaScript's own."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from checkout import ids, orders
from checkout import store as stores
from checkout.client import verify_webhook
from checkout.http.client import Client
from checkout.interfaces import Store
from checkout.model.deliveries import Endpoint
from checkout.model.refunds import Refund, RefundState
from checkout.outbox import announcements, endpoints
from tests.conftest import skip_or_fail
from tests.hooks import Listener
from tests.loopback import answering, ok, serving
from tests.world import FakeClock, Outside

RECEIVERS = Path(__file__).parents[1] / "receivers"

# Reads {secret, headers, body} and prints what the message says, or why it does not hold.
RECEIVER = """
const { readFileSync } = require("node:fs")
const { Webhook } = require("standardwebhooks")
const answers = JSON.parse(readFileSync(0, "utf8")).map(({ secret, headers, body }) => {
  try { return { message: new Webhook(secret).verify(body, headers) } }
  catch (error) { return { error: error.message } }
})
console.log(JSON.stringify(answers))
"""


@pytest.fixture
def listener(store: Store, outside: Outside) -> Listener:
    """Its clock is the real one: the libraries look at theirs."""
    return Listener(store, FakeClock(ids.now()), outside)


def received(listener: Listener) -> tuple[dict[str, str], str]:
    """The headers and the body of the next message as they came over a real connection."""
    seen: list[bytes] = []
    with serving(answering(ok(b""), seen=seen)) as server:
        client = Client(allow_private=True)
        with listener.store.transaction() as db:
            db.run(
                "UPDATE endpoints SET url = :url WHERE url <> ''",
                url=f"http://127.0.0.1:{server.port}/in?from=checkout",
            )
        listener.outside.send = client.send  # type: ignore[method-assign]
        assert listener.work() == 1
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = [line.decode().partition(": ") for line in head.split(b"\r\n")[1:]]
    return {name: value for name, _, value in lines}, body.decode()


@pytest.fixture
def told(listener: Listener) -> tuple[Endpoint, Endpoint, dict[str, str], str]:
    """The endpoint before and after a rotation of its secret, and a message sent during it."""
    one = listener.add("order.paid")
    new = endpoints.rotate(listener.store, one.id, **listener.by)
    listener.paid("订单 1")
    return one, new, *received(listener)


def test_python_s_library_takes_the_message_under_both_secrets_of_a_rotation(
    told: tuple[Endpoint, Endpoint, dict[str, str], str],
) -> None:
    old, new, headers, body = told
    for secret in (old.secret, new.secret):
        message = Webhook(secret).verify(body, headers)
        assert (message["type"], message["data"]["number"]) == ("order.paid", "订单 1")
        assert datetime.fromisoformat(message["timestamp"]).tzinfo == UTC


def changed(headers: Mapping[str, str], body: str) -> list[tuple[dict[str, str], str]]:
    """The message with one thing wrong, each."""
    at = int(headers["webhook-timestamp"])
    return [
        (dict(headers), body.replace("990", "991")),
        ({**headers, "webhook-id": "msg_other"}, body),
        ({**headers, "webhook-timestamp": str(at - 301)}, body),
        ({**headers, "webhook-timestamp": str(at + 1)}, body),
        ({**headers, "webhook-signature": headers["webhook-signature"].replace("v1,", "v2,")}, body),
        ({name: value for name, value in headers.items() if name != "webhook-signature"}, body),
    ]


def test_python_s_library_refuses_whatever_was_changed(told: tuple[Endpoint, Endpoint, dict[str, str], str]) -> None:
    _, new, headers, body = told
    for wrong_headers, wrong_body in changed(headers, body):
        with pytest.raises(WebhookVerificationError):
            Webhook(new.secret).verify(wrong_body, wrong_headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "c2VjcmV0" * 5).verify(body, headers)


@pytest.fixture(scope="session")
def library() -> Path:
    """A folder with the library of JavaScript, at the version that package-lock.json names; fetched once."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        skip_or_fail("npm", "no Node with npm is installed (apt install nodejs npm)")
    folder = Path(__file__).parents[2] / ".pytest_cache" / "receivers"
    if not (folder / "node_modules" / "standardwebhooks").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(RECEIVERS / name, folder)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--silent"], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            skip_or_fail("npm", "the library standardwebhooks could not be fetched with npm")
    return folder


def test_javascript_s_library_takes_the_same_and_refuses_the_same(
    told: tuple[Endpoint, Endpoint, dict[str, str], str], library: Path
) -> None:
    old, new, headers, body = told
    messages: list[dict[str, Any]] = [
        {"secret": old.secret, "headers": headers, "body": body},
        {"secret": new.secret, "headers": headers, "body": body},
        *({"secret": new.secret, "headers": h, "body": b} for h, b in changed(headers, body)),
    ]
    done = subprocess.run(
        ["node", "-e", RECEIVER], cwd=library, input=json.dumps(messages), capture_output=True, text=True, check=True
    )
    answers = json.loads(done.stdout)
    assert [answer.get("message", {}).get("data", {}).get("number") for answer in answers] == [
        "订单 1", "订单 1", None, None, None, None, None, None,
    ]  # fmt: skip


def test_our_own_client_takes_every_event_and_knows_its_order(listener: Listener) -> None:
    one = listener.add()
    paid = listener.paid("N1")
    refund = Refund("ref_1", paid.token, "R1", 90, "why", RefundState.BY_HAND, listener.clock(), listener.clock())
    with listener.store.transaction() as db:
        stores.refunds.add(db, refund)
        announcements.of_order(db, paid, "order.refunded", refund=refund, now=listener.clock())
    listener.shop.close(listener.shop.open("N2"))
    listener.shop.open("N3")
    listener.shop.push(4711)
    listener.clock.go(300)
    orders.expire_due(listener.store, listener.clock())
    endpoints.test(listener.store, one.id, new_id=listener.shop.new_id, now=listener.clock())
    listener.work()
    found = [
        verify_webhook(one.secret, sent.headers, sent.body, {"N1": 990, "N2": 990, "N3": 990}.get, now=listener.clock())
        for sent in listener.outside.sent
    ]
    assert sorted((event.type, event.order.number if event.order else "") for event in found) == [
        ("checkout.test", ""), ("order.closed", "N2"), ("order.expired", "N3"), ("order.paid", "N1"),
        ("order.refunded", "N1"), ("payment.unmatched", ""),
    ]  # fmt: skip
    refunded = next(event for event in found if event.type == "order.refunded")
    assert refunded.order is not None
    assert (refunded.order.refunded, refunded.data["refund"]["amount"]["amount"]) == (90, 90)

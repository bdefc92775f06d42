"""Endpoints that mean harm, over real sockets: names that change where they lead, answers that never end."""

from __future__ import annotations

import itertools
import logging

import pytest

from checkout import orders
from checkout import store as stores
from checkout.http.client import Client
from checkout.interfaces import Store
from checkout.model.deliveries import DeliveryState
from checkout.outbox import endpoints
from tests.hooks import Listener
from tests.loopback import answering, dripping, ok, serving
from tests.world import FakeClock, Outside, answer


@pytest.fixture
def listener(store: Store, clock: FakeClock, outside: Outside) -> Listener:
    return Listener(store, clock, outside)


def use(listener: Listener, client: Client) -> None:
    listener.outside.send = client.send  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "100.100.100.200", "10.0.0.1", "::1", "64:ff9b::7f00:1"]
)
def test_a_name_that_leads_inside_at_the_time_of_the_try_is_not_called(listener: Listener, address: str) -> None:
    """It was public when it was set up, and may be so again at the next try."""
    one = listener.add("order.paid")
    listener.paid()
    use(listener, Client(resolve=lambda host: [address]))
    listener.work()
    (owed,) = listener.owed(one)
    (tried,) = listener.tries(owed)
    assert (owed.state, tried.status) == (DeliveryState.WAITING, None)
    assert tried.error == "hooks.example does not stand for public addresses alone."
    assert address not in tried.error


def test_a_redirect_is_not_followed(listener: Listener) -> None:
    with serving(answering(ok())) as inside:
        location = f"http://127.0.0.1:{inside.port}/"
        head = f"HTTP/1.1 307 T\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
        with serving(answering(head)) as outer:
            one = listener.add("order.paid")
            aim(listener, f"http://127.0.0.1:{outer.port}/")
            listener.paid()
            use(listener, Client(allow_private=True))
            listener.work()
        assert inside.connections == 0
    assert [tried.status for tried in listener.tries(listener.owed(one)[0])] == [307]


def aim(listener: Listener, url: str) -> None:
    """As an installation that allows private addresses would."""
    with listener.store.transaction() as db:
        db.run("UPDATE endpoints SET url = :url", url=url)


def test_an_answer_that_drips_for_ever_ends_at_the_deadline(listener: Listener) -> None:
    with serving(dripping(b"HTTP/1.1 200 OK\r\n", itertools.repeat(b"X: y\r\n"))) as server:
        one = listener.add("order.paid")
        aim(listener, f"http://127.0.0.1:{server.port}/")
        listener.paid()
        use(listener, Client(allow_private=True, deadline_s=1))
        listener.work()
    (owed,) = listener.owed(one)
    assert [tried.status for tried in listener.tries(owed)] == [None]
    assert owed.state is DeliveryState.WAITING


def test_an_answer_without_end_is_cut_to_4_kib(listener: Listener) -> None:
    body = b"HTTP/1.1 500 No\r\n\r\n" + b"z" * 300_000
    with serving(answering(body)) as server:
        one = listener.add("order.paid")
        aim(listener, f"http://127.0.0.1:{server.port}/")
        listener.paid()
        use(listener, Client(allow_private=True))
        listener.work()
    (tried,) = listener.tries(listener.owed(one)[0])
    assert len(tried.answer) == 4096


def test_no_secret_reaches_a_log_a_list_or_an_attempt(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    one = listener.add("order.paid")
    with listener.store.transaction() as db:
        db.run("UPDATE endpoints SET secret = secret || '!'")  # cannot be read as base64 any more
    listener.paid()
    with caplog.at_level(logging.DEBUG):
        listener.work()
    (owed,) = listener.owed(one)
    (tried,) = listener.tries(owed)
    assert "could not be written" in caplog.text
    secret = one.secret.removeprefix("whsec_")
    assert secret not in caplog.text + repr(owed) + repr(tried) + owed.body
    assert listener.now(one).failing_since is not None


def test_orders_that_expire_by_the_hundred_are_told_in_small_transactions(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Phones that report money wait for the writer meanwhile."""
    endpoint_ids = [listener.add("order.expired").id for _ in range(20)]
    listener.shop.change_account(max_offset=500)
    for number in range(120):
        listener.shop.open(f"N{number}", price=1000)
    sizes: list[int] = []
    expire = stores.orders.expire

    def counted(db: object, now: int, limit: int) -> list[object]:
        found = expire(db, now, limit)  # type: ignore[arg-type]
        sizes.append(len(found))
        return list(found)

    monkeypatch.setattr(stores.orders, "expire", counted)
    listener.clock.go(300)
    assert orders.expire_due(listener.store, listener.clock()) == 120
    assert max(sizes) <= 50
    with listener.store.read() as db:
        assert all(stores.deliveries.open_of(db, name) == 120 for name in endpoint_ids)


def test_an_endpoint_that_swings_between_gone_and_well_loses_nothing(listener: Listener) -> None:
    one = listener.add("order.paid")
    for number in range(6):
        listener.paid(f"N{number}")
        is_gone = number % 2 == 0
        listener.outside.reply = lambda request, gone=is_gone: answer(410 if gone else 200)  # type: ignore[misc]
        listener.work()
        endpoints.resume(listener.store, one.id, **listener.by)
        listener.clock.go(5)
    listener.outside.reply = lambda request: answer()
    listener.work()
    assert {owed.state for owed in listener.owed(one)} == {DeliveryState.DELIVERED}

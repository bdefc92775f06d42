"""Whatever is sent to whichever route: no failure of ours, no hang, no order paid, no promise broken."""

from __future__ import annotations

import os
import random

import pytest

from checkout import owner, store
from tests.admin.desk import PASSWORD, Owner
from tests.soak.fuzz import Fuzzer
from tests.world import World, device, product

REQUESTS = int(os.environ.get("CHECKOUT_TEST_FUZZ", "4000"))


@pytest.fixture
def known(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """A shop with something of everything; gives the words that lead to it."""
    monkeypatch.setattr(owner, "_MEMORY_KIB", 64)
    world.app.testing = False  # as a server: what nobody expected becomes a page
    world.beat()
    with world.store.transaction() as db:
        store.devices.add(db, device(id="script", kind="generic", key="g" * 64, token="g" * 32), [])
        store.devices.add(db, device(id="sms", kind="smsforwarder", key="s" * 64, token="s" * 32), [])
        store.products.add(db, product())
    owner.set_password(world.store, PASSWORD, actor="test", new_id=world.parts.new_id, now=world.clock())
    tokens = [world.create(f"N{number}", f"{number + 5}.00")["data"]["orderId"] for number in range(3)]
    world.push("77.00")
    (payment,) = world.payments()
    return (*tokens, "ebook", payment.id, "g" * 32, "s" * 32, "1001", "N1", "alipay", "checkout.js", "known")


@pytest.mark.parametrize("who", ["stranger", "owner"])
def test_every_request_gets_an_answer_and_none_is_a_failure_of_ours(
    world: World, known: tuple[str, ...], who: str
) -> None:
    client = Owner(world).sign_in().client if who == "owner" else world.client
    report = Fuzzer(world, known, random.Random(who), client).run(REQUESTS)
    assert report.faults == []
    assert len(report.statuses) > 5
    with world.store.read() as db:
        assert store.orders.counts(db).get("paid", 0) == 0
        for promise in store.invariants.PROMISES:
            assert store.invariants.broken(db, promise, world.clock()) == [], promise.sentence

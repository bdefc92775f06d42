"""A merchant that is away for a day or for three, and a server that dies again and again meanwhile."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from checkout.http.client import Answer, Outgoing
from checkout.interfaces import Store
from checkout.model.deliveries import Delivery, DeliveryState
from checkout.outbox import deliveries
from checkout.outbox.deliveries import LEASE_S, SCHEDULE
from checkout.store import open_store
from tests.outbox.test_deliveries import DIALECTS, Outbox
from tests.world import START, FakeClock, Outside, answer

RESTARTS = 20
HOUR = 3600
DEATHS = ["before it is sent", "before the answer is booked"]


class Away:
    """The merchant of one paid order, who answers nothing but 500 until `until`."""

    def __init__(self, path: Path, until: int) -> None:
        self.path, self.until, self.clock, self.outside = path, until, FakeClock(), Outside(reply=self._answer)
        self.outbox = Outbox(open_store(str(path)), self.clock, self.outside)
        self.acknowledged = 0

    def _answer(self, _: Outgoing) -> Answer:
        if self.clock() < self.until:
            return answer(500, b"away")
        self.acknowledged += 1
        return answer()

    @property
    def store(self) -> Store:
        return self.outbox.store

    def restart(self) -> None:
        self.store.close()
        self.outbox.shop.store = open_store(str(self.path))

    def due(self) -> Delivery | None:
        """The message, when its time has come."""
        waiting = self.outbox.delivery()
        if waiting.state is not DeliveryState.WAITING:
            return None
        self.clock.now = max(self.clock.now, waiting.due_at)
        (found,) = self.outbox.due()
        return found

    def die(self, message: Delivery, when: str) -> None:
        claimed = deliveries.claim(self.store, message, self.clock())
        assert claimed is not None
        if when != DEATHS[0]:
            deliveries.send_once(self.store, DIALECTS, self.outside.send, claimed, self.clock)
        self.restart()

    def try_once(self) -> None:
        self.outbox.try_once()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "checkout.db"


@pytest.mark.parametrize("hours", [24, 71])
@pytest.mark.parametrize("seed", range(3))
def test_an_outage_is_survived_with_twenty_restarts_in_the_middle_of_tries(place: Path, hours: int, seed: int) -> None:
    dice, away = random.Random(f"{hours} {seed}"), Away(place, START + hours * HOUR)
    deaths = sorted(dice.choices(range(9), k=RESTARTS))  # before which of the tries that come to an end
    booked = 0
    while (message := away.due()) is not None:
        if deaths and deaths[0] <= booked:
            deaths.pop(0)
            away.die(message, dice.choice(DEATHS))
        else:
            away.try_once()
            booked += 1
    assert not deaths
    assert away.outbox.delivery().state is DeliveryState.DELIVERED
    assert away.clock() - away.until <= max(SCHEDULE) * 11 // 10 + LEASE_S
    assert {sent.headers["webhook-id"] for sent in away.outside.sent} == {away.outbox.id}
    away.store.close()


def test_deaths_do_not_shorten_the_schedule(place: Path) -> None:
    away = Away(place, START + 100 * 24 * HOUR)
    for _ in range(len(SCHEDULE) + 1):
        message = away.due()
        assert message is not None
        away.die(message, DEATHS[1])
    while away.due() is not None:
        away.try_once()
    assert away.outbox.delivery().state is DeliveryState.FAILED
    assert len(away.outbox.attempts) == len(SCHEDULE)
    assert away.clock() - START >= sum(SCHEDULE)
    away.store.close()


def test_what_was_acknowledged_before_a_restart_is_not_sent_after_it(place: Path) -> None:
    away = Away(place, START)
    away.try_once()
    away.restart()
    away.clock.go(4 * 24 * HOUR)
    assert away.outbox.due() == []
    assert away.acknowledged == 1
    away.store.close()

"""When phones were silent, and their uptime: written when a silence ends, at no cost while there is none."""

from __future__ import annotations

import pytest

from checkout import presence
from checkout import store as stores
from checkout.interfaces import Store
from checkout.presence import DAY_S, Presence
from checkout.store.silences import Silence
from tests.shop import Shop
from tests.world import START

OFFLINE = 180


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


def beat(shop: Shop, *at: int) -> None:
    for moment in at:
        with shop.store.transaction() as db:
            stores.devices.beat(db, "phone", moment)


def seen(shop: Shop, now: int, offline_after_s: int = OFFLINE) -> Presence:
    with shop.store.read() as db:
        device = stores.devices.get(db, "phone")
        assert device is not None
        return presence.of(db, device, offline_after_s, now)


def rows(shop: Shop) -> list[tuple[int, int]]:
    with shop.store.read() as db:
        return [(row[0], row[1]) for row in db.all("SELECT since, until FROM silences ORDER BY since")]


def test_a_phone_that_was_never_heard_of_has_no_uptime(shop: Shop) -> None:
    found = seen(shop, START)
    assert (found.known_since, found.absences, found.uptime(DAY_S)) == (None, (), None)


def test_a_phone_that_beats_writes_nothing_beside_its_first_row(shop: Shop) -> None:
    beat(shop, *(START + 60 * minute for minute in range(61)))
    assert rows(shop) == [(START, START)]
    found = seen(shop, START + 3600)
    assert (found.uptime(DAY_S), found.uptime(30 * DAY_S)) == (1000, 1000)


def test_a_silence_counts_from_the_last_sign_to_the_next(shop: Shop) -> None:
    beat(shop, START, START + 100, START + 400, START + 1000)
    assert rows(shop) == [(START, START), (START + 100, START + 400), (START + 400, START + 1000)]
    assert seen(shop, START + 1000).uptime(DAY_S) == 100


def test_three_minutes_are_no_absence_and_a_second_more_is_one(shop: Shop) -> None:
    beat(shop, START, START + 180)
    assert seen(shop, START + 180).absences == ()
    beat(shop, START + 361)
    assert seen(shop, START + 361).absences == (Silence(START + 180, START + 361),)


def test_a_silence_that_goes_on_counts_too(shop: Shop) -> None:
    beat(shop, START)
    assert seen(shop, START + 179).absences == ()
    found = seen(shop, START + 180)
    assert found.absences == (Silence(START, START + 180),)
    assert found.uptime(DAY_S) == 0


def test_owners_who_wait_longer_count_only_longer_silences(shop: Shop) -> None:
    beat(shop, START, START + 600, START + 2600)
    assert seen(shop, START + 2600, 1000).absences == (Silence(START + 600, START + 2600),)


def test_a_window_cuts_what_began_before_it(shop: Shop) -> None:
    beat(shop, START, START + 1000)
    now = START + 1000 + DAY_S - 500
    found = seen(shop, now, 2 * DAY_S)
    assert found.absences == ()
    found = Presence(START, (Silence(START, START + 1000),), now)
    assert found.within(DAY_S) == [Silence(START + 500, START + 1000)]
    assert found.uptime(DAY_S) == (DAY_S - 500) * 1000 // DAY_S


def test_it_is_a_hundred_percent_only_without_any_absence(shop: Shop) -> None:
    now = START + 30 * DAY_S
    assert Presence(START, (Silence(START, START + 1),), now).uptime(30 * DAY_S) == 999


def test_money_is_a_sign_of_life(shop: Shop) -> None:
    beat(shop, START)
    with shop.store.transaction() as db:
        stores.devices.pushed(db, "phone", START + 900)
    assert rows(shop) == [(START, START + 900)]
    assert seen(shop, START + 900).known_since == START


def test_silences_of_more_than_a_month_ago_are_forgotten_but_not_since_when_it_is_known(shop: Shop) -> None:
    beat(shop, START, START + 100, START + 1000)
    late = START + 32 * DAY_S
    beat(shop, late)
    assert rows(shop) == [(START, START), (START + 1000, late)]
    assert seen(shop, late).known_since == START


def test_a_clock_that_steps_back_makes_no_silence(shop: Shop) -> None:
    beat(shop, START, START - 5000, START - 4900)
    assert rows(shop) == [(START, START)]


def test_a_revoked_phone_is_seen_as_it_was(shop: Shop) -> None:
    beat(shop, START, START + 100)
    with shop.store.transaction() as db:
        stores.devices.revoke(db, "phone", START + 100)
    assert seen(shop, START + DAY_S).absences == ()


def test_a_clock_that_steps_back_counts_no_time_twice(shop: Shop) -> None:
    beat(shop, START, START + 1000)
    beat(shop, START + 300, START + 2000, START + 2060)
    found = seen(shop, START + 2060)
    assert all(one.until <= other.since for one, other in zip(found.absences, found.absences[1:], strict=False))
    assert found.uptime(DAY_S) == 60 * 1000 // 2060
    assert seen(shop, START + 500).uptime(DAY_S) == 0

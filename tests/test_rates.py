"""How often one address may ask."""

from __future__ import annotations

import pytest

from checkout import rates
from checkout.rates import FULL, PAGE, POLL, REFILL, Crowd, household

BUYER, OTHER = "1.2.3.4", "1.2.3.5"


def emptied(address: str = BUYER, now: int = 0) -> Crowd:
    crowd = Crowd()
    for _ in range(FULL // PAGE):
        assert crowd.wait(address, PAGE, now) == 0
    return crowd


def test_two_hundred_buyers_behind_one_address_poll_every_two_seconds_for_ever() -> None:
    crowd = Crowd()
    for second in range(0, 600, 2):
        assert not any(crowd.wait(BUYER, POLL, second) for _ in range(200))


def test_an_empty_bucket_says_how_long_it_takes_and_keeps_the_promise() -> None:
    crowd = emptied()
    assert crowd.wait(BUYER, PAGE, 0) == 1
    assert crowd.wait(BUYER, PAGE, 1) == 0
    assert crowd.wait(BUYER, 5 * REFILL, 1) == 5
    assert crowd.wait(BUYER, 5 * REFILL, 6) == 0


def test_what_is_refused_takes_nothing() -> None:
    crowd = emptied()
    for _ in range(1000):
        crowd.wait(BUYER, PAGE, 0)
    assert crowd.wait(BUYER, PAGE, 1) == 0


def test_others_do_not_suffer() -> None:
    assert emptied().wait(OTHER, PAGE, 0) == 0


def test_a_bucket_never_holds_more_than_it_can_and_a_clock_that_goes_back_fills_none() -> None:
    crowd = emptied(now=10_000)
    assert crowd.wait(BUYER, PAGE, 9_000) > 0
    assert crowd.wait(BUYER, FULL, 99_999) == 0
    assert crowd.wait(BUYER, PAGE, 99_999) > 0


def test_a_household_of_ipv6_shares_and_its_neighbours_do_not() -> None:
    crowd = emptied("2400:cb00:1:2::1")
    assert crowd.wait("2400:cb00:1:2:ffff::9", PAGE, 0) > 0
    assert crowd.wait("2400:cb00:1:3::1", PAGE, 0) == 0


def test_an_address_is_the_same_buyer_s_on_a_socket_for_both_kinds() -> None:
    crowd = emptied("::ffff:1.2.3.4")
    assert crowd.wait("1.2.3.4", PAGE, 0) > 0
    assert crowd.wait("::ffff:1.2.3.5", PAGE, 0) == 0
    assert household("::ffff:1.2.3.4") == household("1.2.3.4") != household("::ffff:1.2.3.5")


@pytest.mark.parametrize("proxy", ["127.0.0.1", "::1", "10.0.0.7", "172.17.0.1", "192.168.1.9", "", "unix:"])
def test_a_proxy_that_nobody_has_named_hides_everybody_and_is_let_through(proxy: str) -> None:
    crowd = Crowd()
    assert not any(crowd.wait(proxy, PAGE, 0) for _ in range(FULL))


def test_memory_stays_small_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_MOST", 50)
    crowd = Crowd()
    for number in range(1000):
        crowd.wait(f"1.2.{number // 250}.{number % 250 + 1}", PAGE, 0)
        assert len(crowd._now) + len(crowd._before) <= 100


def test_whoever_has_just_asked_is_remembered_when_the_others_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_MOST", 50)
    crowd = emptied()
    for number in range(60):
        crowd.wait(f"1.2.9.{number + 1}", PAGE, 0)
    assert crowd.wait(BUYER, PAGE, 0) > 0


def test_an_address_counts_once_however_it_is_written() -> None:
    assert household("2400:CB00::1") == household("2400:cb00:0:0:1::")
    assert household("1.2.3.4") == "1.2.3.4"
    assert household("nonsense") == "nonsense"

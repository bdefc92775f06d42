"""How often somebody may ask two servers at the same time, or guess at the password; and one that is cut off."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from checkout import owner, sharing
from checkout.errors import Code, Refusal
from checkout.rates import FULL, LOT, PAGE, POLL, Crowd, Draw, Pace
from checkout.store import migrations, open_store
from checkout.store.postgres import PostgresStore
from tests.conftest import postgres_server
from tests.relay import Relay
from tests.shop import Shop
from tests.store.conftest import Pair
from tests.store.test_lines import in_a_hurry
from tests.world import START

BUYER, SECRET = "1.2.3.4", "s" * 64


@pytest.fixture
def draws(pair: Pair) -> tuple[Draw, Draw]:
    """Of two servers, where one last lot is left."""
    one, two = (sharing.drawing(shop.store, SECRET) for shop in (pair.one, pair.two))
    for _ in range(FULL // LOT - 2):
        assert one(BUYER, PAGE, START) == (LOT, 0)
    return one, two


def test_the_last_lot_goes_to_the_first_and_the_second_waits_for_it_and_is_refused(
    pair: Pair, draws: tuple[Draw, Draw]
) -> None:
    one, two = draws
    first, second, is_beside = pair.run(lambda: one(BUYER, PAGE, START), lambda: two(BUYER, PAGE, START))
    assert not is_beside
    assert (first, second) == ((LOT, 0), (0, 1))


def test_without_locks_both_would_have_it(
    pair: Pair, draws: tuple[Draw, Draw], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above sees what it should."""
    monkeypatch.setattr(migrations.postgres, "lock", lambda words: ("BEGIN; SELECT 1", 1))
    one, two = draws
    first, second, _ = pair.run(lambda: one(BUYER, PAGE, START), lambda: two(BUYER, PAGE, START))
    assert first == second == (LOT, 0)


def test_the_bucket_of_another_is_drawn_from_beside_it(pair: Pair, draws: tuple[Draw, Draw]) -> None:
    one, two = draws
    _, other, is_beside = pair.run(lambda: one(BUYER, PAGE, START), lambda: two("9.9.9.9", PAGE, START))
    assert is_beside
    assert other == (LOT, 0)


@pytest.fixture
def far(relay: Relay) -> Iterator[PostgresStore]:
    """The store of a server at the other end of a cable."""
    address = postgres_server().emptied()
    cabled = address.replace(f":{postgres_server().port}/", f":{relay.port}/") + "?connect_timeout=2"
    opened = open_store(cabled, serving=True)
    assert isinstance(opened, PostgresStore)
    yield opened
    opened.close()


def test_a_server_that_is_cut_off_counts_by_itself_and_with_the_others_when_it_is_back(
    far: PostgresStore, relay: Relay
) -> None:
    near = open_store(postgres_server().emptied())
    cut_off, whole = (Pace(sharing.drawing(one, SECRET)).buyers for one in (far, near))
    for _ in range(LOT):
        assert cut_off.wait(BUYER, POLL, START) == 0
    relay.cut()
    with in_a_hurry():
        assert passed(cut_off, START) == FULL
    assert passed(whole, START) == FULL  # of what the other has let pass meanwhile nobody could tell it
    relay.mend()
    assert passed(cut_off, START + 10) == 10 * (100 - 1) + 10
    near.close()


def passed(server: Crowd, now: int) -> int:
    count = 0
    while not server.wait(BUYER, POLL, now):
        count += POLL
    return count


def test_the_last_try_at_the_owner_s_password_is_one_over_both(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "_fits", lambda hashed, password: False)  # to compare takes the processor a while
    owner.set_password(pair.one.store, "not to be guessed", actor="owner", new_id=pair.one.new_id, now=START)

    def guess(shop: Shop) -> str:
        return owner.check(shop.store, "guess", owner.STRANGERS, new_id=shop.new_id, now=START)

    for at in range(owner.MOST_TRIES - 1):
        with pytest.raises(Refusal, match="The password is wrong"):
            guess((pair.one, pair.two)[at % 2])
    first, second, is_beside = pair.run(lambda: guess(pair.one), lambda: guess(pair.two))
    assert not is_beside
    assert (first.code, second.code) == (Code.FORBIDDEN, Code.LIMITED)

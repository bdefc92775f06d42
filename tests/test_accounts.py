from __future__ import annotations

import secrets
from collections import Counter
from typing import Any

import pytest

from checkout import accounts
from checkout import store as stores
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows, Store
from checkout.model.accounts import Method, Rest
from checkout.model.orders import Order, State
from tests.shop import Shop
from tests.world import START, account

MIDNIGHT = START - (START + 8 * 3600) % 86_400  # in Beijing


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


def beat(shop: Shop, phone: str, at: int) -> None:
    with shop.store.transaction() as db:
        stores.devices.beat(db, phone, at)


def refused(shop: Shop, **changes: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        shop.open("refused", **changes)
    return caught.value


def by_hand(monkeypatch: pytest.MonkeyPatch, *picks: int) -> list[int]:
    """Lets the dice fall as told; gives the numbers of sides that were asked for."""
    asked: list[int] = []
    falls = iter(picks)

    def randbelow(sides: int) -> int:
        asked.append(sides)
        return next(falls)

    monkeypatch.setattr(secrets, "randbelow", randbelow)
    return asked


def received(db: Rows, account_id: str, since: int) -> int:
    return stores.accounts.received_since(db, account_id, since)


# Which accounts are willing


def test_without_an_account_of_the_method_the_owner_is_told_what_to_do(shop: Shop) -> None:
    found = refused(shop, method="alipay")
    assert (found.code, found.retry_after) == (Code.NO_ACCOUNT, None)
    assert "checkout account add" in found.message


@pytest.mark.parametrize("change", [{"code": ""}, {"disabled_at": START}])
def test_an_account_without_a_code_or_disabled_takes_no_orders(shop: Shop, change: dict[str, Any]) -> None:
    shop.change_account(**change)
    assert refused(shop).code is Code.NO_ACCOUNT


def test_an_account_that_blocks_takes_orders_only_while_its_phone_lives(shop: Shop) -> None:
    shop.change_account(offline="block")
    assert refused(shop).code is Code.PHONE_OFFLINE
    beat(shop, "phone", START - 180)
    assert refused(shop).code is Code.PHONE_OFFLINE
    beat(shop, "phone", START - 179)
    assert shop.open().account == "wx-main"


@pytest.mark.parametrize("policy", ["warn", "sell"])
def test_an_account_that_does_not_block_takes_orders_without_a_phone(shop: Shop, policy: str) -> None:
    shop.change_account(offline=policy)
    assert shop.open().account == "wx-main"


def test_the_sign_of_life_of_a_revoked_phone_does_not_count(shop: Shop) -> None:
    shop.change_account(offline="block")
    beat(shop, "phone", START)
    with shop.store.transaction() as db:
        assert stores.devices.revoke(db, "phone", START)
        assert not stores.devices.revoke(db, "phone", START)
    assert refused(shop).code is Code.PHONE_OFFLINE


def test_any_phone_of_several_keeps_an_account_online(shop: Shop) -> None:
    shop.change_account(offline="block")
    shop.add_device("tablet", ["wx-main"])
    beat(shop, "tablet", START)
    assert shop.open().account == "wx-main"


@pytest.mark.parametrize(
    ("beat_at", "is_online"),
    [(None, False), (START - 180, False), (START - 179, True), (START, True), (START + 9, True)],
)
def test_a_phone_counts_as_online_for_so_many_seconds(beat_at: int | None, is_online: bool) -> None:
    assert accounts.is_online(beat_at, 180, START) is is_online


# Rotation


def test_watched_accounts_come_first_whatever_their_weight(shop: Shop) -> None:
    shop.change_account(weight=1000)
    shop.add_account(id="wx-watched", code="wxp://watched")
    shop.add_device("tablet", ["wx-watched"])
    beat(shop, "tablet", START)
    assert {shop.open(f"N{number}").account for number in range(10)} == {"wx-watched"}


@pytest.mark.sqlite_only  # where several write at once the dice fall once more, to know beforehand whose turn it is
def test_of_two_accounts_the_one_with_weight_two_comes_first_two_times_in_three(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add_account(id="wx-twice", code="wxp://twice", weight=2)
    seen = []
    for number, pick in enumerate([0, 1, 2]):
        asked = by_hand(monkeypatch, pick, 0)
        seen.append(shop.open(f"N{number}", price=100 * (number + 1)).account)
        assert asked[0] == 3
    assert seen == ["wx-main", "wx-twice", "wx-twice"]


def test_over_all_falls_of_the_dice_each_account_comes_first_as_often_as_it_weighs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wallets = [account(id=name, weight=weight) for name, weight in (("a", 1), ("b", 3), ("c", 6))]
    firsts: Counter[str] = Counter()
    for first in range(10):
        for second in range(10):
            asked = by_hand(monkeypatch, first, second % (10 - wallets[_index(first)].weight), 0)
            order = accounts._shuffled(wallets)
            assert asked == [10, 10 - order[0].weight, order[2].weight]
            assert sorted(one.id for one in order) == ["a", "b", "c"]
            firsts[order[0].id] += 1
    assert firsts == {"a": 10, "b": 30, "c": 60}


def _index(pick: int) -> int:
    return 0 if pick < 1 else 1 if pick < 4 else 2


def test_an_account_whose_amounts_are_all_taken_passes_the_order_on(shop: Shop) -> None:
    shop.change_account(max_offset=0)
    shop.add_account(id="wx-second", code="wxp://second", max_offset=0)
    shop.add_device("tablet", ["wx-second"])
    found = {(order.account, order.really_price) for order in (shop.open("N1"), shop.open("N2"))}
    assert found == {("wx-main", 990), ("wx-second", 990)}
    assert refused(shop).code is Code.BUSY


# Amounts


def test_orders_of_one_price_get_the_price_and_the_amounts_after_it(shop: Shop) -> None:
    assert [shop.open(f"N{number}").really_price for number in range(4)] == [990, 991, 992, 993]


@pytest.mark.parametrize(
    ("offset", "wanted"), [("up", [2, 3, 4]), ("down", [2, 1, None]), ("nearest", [2, 3, 1, 4, None])]
)
def test_other_amounts_are_looked_for_in_the_account_s_direction(
    shop: Shop, offset: str, wanted: list[int | None]
) -> None:
    shop.change_account(offset=offset, max_offset=2)
    for number, amount in enumerate(wanted):
        if amount is None:
            assert refused(shop, price=2).code is Code.BUSY
        else:
            assert shop.open(f"N{number}", price=2).really_price == amount


def test_when_every_amount_is_held_the_refusal_names_the_time_of_the_first_free_one(shop: Shop) -> None:
    shop.change_account(max_offset=2)
    for number in range(3):
        shop.open(f"N{number}")
        shop.go(10)
    found = refused(shop)
    assert (found.code, found.retry_after) == (Code.BUSY, 300 + 600 - 30)
    assert "870 s" in found.message
    shop.go(869)
    assert refused(shop).retry_after == 1
    shop.go(1)
    assert shop.open("N9").really_price == 990


def test_amounts_that_rest_are_given_out_only_when_nothing_else_is_left(shop: Shop) -> None:
    shop.change_account(max_offset=2)
    shop.open("N1")
    shop.go(5)
    shop.open("N2")
    shop.go(900)
    assert [shop.open(f"M{number}").really_price for number in range(3)] == [992, 990, 991]


def test_after_its_rest_the_exact_price_is_given_out_again(shop: Shop) -> None:
    shop.open("N1")
    shop.go(300 + 600 + 7200 - 1)
    assert shop.open("N2").really_price == 991
    shop.go(1)
    assert shop.open("N3").really_price == 990


def test_an_amount_that_another_process_took_in_between_is_passed_over(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not possible on SQLite, where a transaction is alone; a second kind of database need not be so strict."""
    real = stores.slots.take

    def take(db: Rows, account_id: str, amount: int, token: str, rest: Rest, now: int) -> bool:
        return amount not in (990, 991) and real(db, account_id, amount, token, rest, now)

    monkeypatch.setattr(stores.slots, "take", take)
    assert shop.open("N1").really_price == 992
    shop.change_account(max_offset=1)
    assert refused(shop).retry_after == 1


# Two accounts behind one phone


@pytest.mark.parametrize("offset", ["up", "down", "nearest"])
def test_accounts_behind_one_phone_never_share_an_amount(shop: Shop, offset: str) -> None:
    """Their notifications look alike: the amount alone tells the order."""
    shop.change_account(offset=offset, max_offset=9)
    shop.add_account(id="wx-second", code="wxp://second", offset=offset, max_offset=9)
    with shop.store.transaction() as db:
        stores.devices.watch(db, "phone", "wx-second")
    opened: list[Order] = []
    while len(opened) < 10:
        opened.append(shop.open(f"N{len(opened)}"))
        shop.go(3)
    assert len({order.really_price for order in opened}) == 10
    assert {order.account for order in opened} <= {"wx-main", "wx-second"}
    for order in opened:
        assert order.really_price is not None
        shop.go(4)
        assert shop.push(order.really_price).order == shop.order(order)


def test_accounts_behind_two_phones_may_have_the_same_amount_and_each_phone_pays_its_own(shop: Shop) -> None:
    shop.add_account(id="wx-second", code="wxp://second")
    shop.add_device("tablet", ["wx-second"])
    opened: dict[str, Order] = {}
    while len(opened) < 2:
        order = shop.open(f"N{len(opened)}{shop.now}")
        opened.setdefault(order.account, order)
        shop.go(1)
    assert opened["wx-main"].really_price == opened["wx-second"].really_price == 990
    assert shop.push(990, "tablet").order == shop.order(opened["wx-second"])
    assert shop.order(opened["wx-main"]).state is State.PENDING
    assert shop.push(990, "phone").order == shop.order(opened["wx-main"])


def test_accounts_of_two_methods_behind_one_phone_may_have_the_same_amount(shop: Shop) -> None:
    shop.add_account(id="ali-main", method=Method.ALIPAY, code="https://qr.alipay.com/fkx")
    with shop.store.transaction() as db:
        stores.devices.watch(db, "phone", "ali-main")
    first, second = shop.open("N1"), shop.open("N2", method="alipay")
    assert first.really_price == second.really_price == 990
    assert shop.push(990, method="alipay").order == shop.order(second)
    assert shop.push(990).order == shop.order(first)


def test_a_phone_that_was_revoked_ties_no_accounts_together(shop: Shop) -> None:
    shop.add_account(id="wx-second", code="wxp://second")
    with shop.store.transaction() as db:
        stores.devices.watch(db, "phone", "wx-second")
        assert stores.accounts.neighbours(db, "wx-main") == ["wx-main", "wx-second"]
        stores.devices.revoke(db, "phone", START)
        assert stores.accounts.neighbours(db, "wx-main") == ["wx-main"]


def test_an_account_that_is_switched_off_still_keeps_its_amounts_from_its_neighbour(shop: Shop) -> None:
    first = shop.open("N1")
    shop.add_account(id="wx-second", code="wxp://second")
    with shop.store.transaction() as db:
        stores.devices.watch(db, "phone", "wx-second")
    shop.change_account(disabled_at=START)
    second = shop.open("N2")
    assert (first.really_price, second.account, second.really_price) == (990, "wx-second", 991)
    assert shop.push(990).order == shop.order(first)


# Daily caps


def test_a_cap_counts_what_was_paid_since_midnight_in_beijing(shop: Shop) -> None:
    shop.now = MIDNIGHT + 86_400 - 10
    shop.change_account(daily_cap=2000)
    shop.open("N1")
    shop.push(990)
    shop.open("N2", price=1010)
    shop.go(9)
    found = refused(shop, price=1011)
    assert (found.code, found.retry_after) == (Code.BUSY, 1)
    shop.go(1)
    assert shop.now == MIDNIGHT + 86_400
    assert shop.open("N3", price=2000).account == "wx-main"


def test_what_was_paid_in_the_first_second_of_the_day_counts_for_it(shop: Shop) -> None:
    shop.now = MIDNIGHT
    shop.open("N1")
    shop.push(990)
    with shop.store.read() as db:
        assert received(db, "wx-main", MIDNIGHT) == 990
        assert received(db, "wx-main", MIDNIGHT + 1) == 0
        assert received(db, "another", MIDNIGHT) == 0


def test_a_cap_at_an_account_lets_the_others_take_the_order(shop: Shop) -> None:
    shop.change_account(daily_cap=500)
    shop.add_account(id="wx-second", code="wxp://second", daily_cap=990)
    assert {shop.open(f"N{number}").account for number in range(5)} == {"wx-second"}


@pytest.mark.sqlite_only  # where several write at once the dice fall once more, to know beforehand whose turn it is
def test_the_wait_is_the_shortest_of_all_accounts(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.change_account(daily_cap=500)
    shop.add_account(id="wx-second", code="wxp://second", max_offset=0)
    shop.open("N1")
    for first in (0, 1):
        by_hand(monkeypatch, first, 0)
        assert refused(shop).retry_after == 900


def test_orders_at_an_official_gateway_all_have_the_price_itself_and_need_no_phone(shop: Shop) -> None:
    shop.change_account(channel="wechat_v3", code="", offline="block")
    assert [shop.open(f"N{number}").really_price for number in range(3)] == [990, 990, 990]
    assert shop.open("N9").channel == "wechat_v3"


def test_accounts_that_are_passed_over_take_nothing(shop: Shop, store: Store) -> None:
    shop.add_account(id="wx-second", code="wxp://second")
    with store.transaction() as db:
        taken = [
            accounts.take_slot(db, "wechat", 990, f"t{number}", Rest(START, START), 180, shop.now, without={"wx-main"})
            for number in range(3)
        ]
    assert {account.id for account, _ in taken} == {"wx-second"}

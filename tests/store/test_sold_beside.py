"""What is sold on our own pages, on two servers at once: stock, keys and the amounts that buyers may hold."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from checkout import products, selling
from checkout import store as stores
from checkout.errors import Code, Refusal
from checkout.model.orders import Order, State
from checkout.products import Caps, Wish
from checkout.selling import Purchase
from checkout.store import migrations
from tests.shop import Shop
from tests.store.conftest import Pair
from tests.store.test_locks_beside import ON_A, ON_B
from tests.world import product


def sell(pair: Pair, name: str = "ebook", keys: tuple[str, ...] = (), **changes: Any) -> None:
    made = product(id=name, deliver="keys" if keys else "text", **changes)
    with pair.one.store.transaction() as db:
        stores.products.add(db, made)
        products.add_keys(db, made, list(keys), pair.one.now)


def buy(
    shop: Shop, number: str, without: frozenset[str], name: str = "ebook", caps: Caps | None = None, client: str = ""
) -> Order:  # fmt: skip
    with shop.store.read() as db:
        sold = products.get(db, name)
    purchase = Purchase(sold, Wish(client=client or number), "wechat", number, "zh", without=without)
    return selling.open_order(shop.store, purchase, shop.rules, caps or Caps(), shop.now)


def both(pair: Pair, **second: Any) -> tuple[Any, Any, bool]:
    """Each server sells one, on accounts that know nothing of each other."""
    return pair.run(lambda: buy(pair.one, "N1", ON_A), lambda: buy(pair.two, "N2", ON_B, **second))


def test_the_last_piece_is_sold_once(pair: Pair) -> None:
    sell(pair, stock=1)
    first, second, is_beside = both(pair)
    assert not is_beside
    assert first.account == "a"
    assert isinstance(second, Refusal)
    assert second.message == "Sold out."


def test_without_locks_it_would_be_sold_twice(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above sees what it should."""
    sell(pair, stock=1)
    monkeypatch.setattr(migrations.postgres, "lock", lambda words: ("BEGIN; SELECT 1", 1))
    first, second, _ = both(pair)
    assert (first.account, second.account) == ("a", "b")


def test_a_buyer_gets_no_more_than_is_allowed(pair: Pair) -> None:
    sell(pair, per_buyer=1)
    _, second, is_beside = pair.run(
        lambda: buy(pair.one, "N1", ON_A, client="me"), lambda: buy(pair.two, "N2", ON_B, client="me")
    )
    assert not is_beside
    assert isinstance(second, Refusal)
    assert second.message == "At most 1 for each buyer."


def test_a_buyer_holds_no_more_amounts_whatever_he_takes(pair: Pair) -> None:
    sell(pair)
    sell(pair, "tea")
    only_one = Caps(per_address=1)
    _, second, is_beside = pair.run(
        lambda: buy(pair.one, "N1", ON_A, client="me"),
        lambda: buy(pair.two, "N2", ON_B, "tea", only_one, client="me"),
    )
    assert not is_beside
    assert isinstance(second, Refusal)
    assert second.code is Code.LIMITED


def test_two_that_are_paid_at_once_get_a_key_each(pair: Pair) -> None:
    sell(pair, keys=("K1", "K2"))
    orders = [buy(pair.one, "N1", ON_A), buy(pair.one, "N2", ON_B)]
    first, second, is_beside = pair.run(lambda: pair.one.push(990, "phone-a"), lambda: pair.two.push(990, "phone-b"))
    assert not is_beside
    assert [first.order.token, second.order.token] == [one.token for one in orders]
    assert [keys_of(pair, one) for one in orders] == ["K1", "K2"]


def test_money_and_orders_of_shops_go_past_what_is_sold(pair: Pair) -> None:
    sell(pair)
    waiting = pair.one.open("N9", without=ON_B)
    pair.one.add_device("tablet", ["b"])
    asked: list[Callable[[], Any]] = [
        lambda: pair.two.open("N3", without=ON_B),
        lambda: pair.two.push(990, "tablet"),
    ]
    for number, other in enumerate(asked):
        pair.again()
        bought, _, is_beside = pair.run(partial(buy, pair.one, f"B{number}", ON_A), other)
        assert is_beside
        assert bought.product == "ebook"
    assert pair.one.order(waiting).state is State.PAID


def test_money_for_what_was_sold_is_booked_beside_an_order_of_a_shop(pair: Pair) -> None:
    sell(pair, keys=("K1",))
    bought = buy(pair.one, "N1", ON_A)
    outcome, opened, is_beside = pair.run(
        lambda: pair.one.push(990, "phone-a"), lambda: pair.two.open("N2", without=ON_B)
    )
    assert is_beside
    assert outcome.order.token == bought.token
    assert opened.account == "b"
    assert keys_of(pair, bought) == "K1"


def keys_of(pair: Pair, order: Order) -> str:
    with pair.one.store.read() as db:
        receipt = stores.receipts.of_order(db, order.token)
    assert receipt is not None
    return receipt.goods

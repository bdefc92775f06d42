"""Products: who may buy what, what it costs, and what is handed over."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from msgspec.structs import replace

from checkout import catalogue, grants, ids, orders, products, selling
from checkout import store as stores
from checkout.catalogue import Draft, Goods
from checkout.errors import Code, Refusal
from checkout.merchants import Reach
from checkout.model.orders import Order, State
from checkout.model.products import Product
from checkout.products import Caps, Wish
from checkout.selling import Purchase
from tests.world import World, account

CAPS = Caps()


def product_of(world: World, **wanted: Any) -> Product:
    draft = Draft(**{"title_zh": "电子书", "price": 990, "add_origins": ("https://shop.example",), **wanted})
    return catalogue.add(world.store, "ebook", draft, Reach(True), actor="test", new_id=ids.new_id, now=world.clock())


def buy(world: World, product: Product, form: str = "f1", caps: Caps = CAPS, **wish: Any) -> Order:
    wanted = Wish(**{"client": "a", **wish})
    purchase = Purchase(product, wanted, "wechat", selling.number_of("s" * 32, product.id, form), "zh-CN")
    return selling.open_order(world.store, purchase, world.parts.rules, caps, world.clock())


def refusal_of(world: World, product: Product, form: str = "f1", caps: Caps = CAPS, **wish: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        buy(world, product, form, caps, **wish)
    return caught.value


def keys_left(world: World) -> int:
    with world.store.read() as db:
        return stores.products.keys_left(db, "ebook")


def test_a_purchase_opens_an_order_of_the_product(world: World) -> None:
    order = buy(world, product_of(world, return_url="https://shop.example/thanks"), ref="user-42")
    assert (order.dialect, order.product, order.price, order.buyer) == ("embed", "ebook", 990, "user-42")
    assert (order.title, order.return_url, order.state) == ("电子书", "https://shop.example/thanks", State.PENDING)


def test_a_form_that_is_sent_twice_opens_one_order(world: World) -> None:
    product = product_of(world)
    assert buy(world, product).token == buy(world, product).token
    assert buy(world, product, "f2").token != buy(world, product).token


def test_a_form_that_is_sent_twice_at_once_opens_one_order(world: World) -> None:
    world.change_merchant(reuse=False)
    product, found = product_of(world), list[str]()
    threads = [threading.Thread(target=lambda: found.append(buy(world, product).token)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_numbers_cannot_be_guessed_from_the_form_alone() -> None:
    assert selling.number_of("s" * 32, "ebook", "f1") != selling.number_of("t" * 32, "ebook", "f1")


def test_quantities_have_bounds_and_multiply_the_price(world: World) -> None:
    product = product_of(world, max_quantity=3)
    order = buy(world, product, quantity=3)
    assert (order.price, order.title) == (2970, "电子书 × 3")
    assert refusal_of(world, product, "f2", quantity=4).code is Code.BAD_REQUEST
    assert refusal_of(world, product, "f3", quantity=0).code is Code.BAD_REQUEST


def test_a_buyer_names_the_price_only_within_the_bounds_and_only_where_asked(world: World) -> None:
    product = product_of(world, lowest=100, highest=5000)
    assert buy(world, product, amount=100).price == 100
    assert refusal_of(world, product, "f2", amount=99).code is Code.BAD_AMOUNT
    assert refusal_of(world, product, "f3", amount=5001).code is Code.BAD_AMOUNT
    fixed = replace(product, lowest=None, highest=None)
    assert refusal_of(world, fixed, "f4", amount=100).code is Code.BAD_AMOUNT


def test_a_closed_product_and_one_of_a_disabled_merchant_are_not_sold(world: World) -> None:
    product = product_of(world)
    assert refusal_of(world, replace(product, disabled_at=1)).code is Code.NOT_ALLOWED
    world.change_merchant(disabled_at=1)
    assert refusal_of(world, product).code is Code.NOT_ALLOWED


def test_the_last_piece_goes_to_one_of_two_buyers_at_once(world: World) -> None:
    product, won, lost = product_of(world, stock=1), list[str](), list[str]()

    def take(form: str) -> None:
        try:
            won.append(buy(world, product, form, client=form).token)
        except Refusal as refusal:
            lost.append(refusal.message)

    threads = [threading.Thread(target=take, args=(form,)) for form in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert lost == ["Sold out."] * 3


def test_a_piece_comes_back_when_its_order_expires(world: World) -> None:
    product = product_of(world, stock=1)
    buy(world, product)
    assert refusal_of(world, product, "f2").message == "Sold out."
    world.clock.go(301)
    assert buy(world, product, "f2").token


def test_one_buyer_gets_no_more_than_the_limit(world: World) -> None:
    product = product_of(world, per_buyer=1)
    buy(world, product, "f1", ref="me")
    assert refusal_of(world, product, "f2", ref="me").code is Code.NOT_ALLOWED
    assert buy(world, product, "f3", ref="you").token


def test_one_address_holds_few_amounts_until_they_are_free(world: World) -> None:
    product = product_of(world)
    for number in range(2):
        shown = buy(world, product, str(number), Caps(per_address=2))
        orders.show(world.store, shown, world.parts.rules.limits, world.clock())
    refused = refusal_of(world, product, "x", Caps(per_address=2))
    assert (refused.code, refused.retry_after) == (Code.LIMITED, 900)
    assert buy(world, product, "y", Caps(per_address=2), client="b").token
    world.clock.go(301)  # expired, but late money may still come
    assert refusal_of(world, product, "x", Caps(per_address=2)).retry_after == 599
    world.clock.go(599)
    assert buy(world, product, "x", Caps(per_address=2)).token


def test_paid_orders_do_not_count_against_the_caps(world: World) -> None:
    product = product_of(world)
    order = buy(world, product, "1", Caps(per_address=1))
    assert order.really_price
    world.push(f"{order.really_price / 100:.2f}")
    assert world.order(order.token).state is State.PAID
    assert buy(world, product, "2", Caps(per_address=1)).token


def test_buyers_never_hold_the_whole_pool_of_amounts(world: World) -> None:
    product = product_of(world)
    with world.store.transaction() as db:
        stores.accounts.update(db, account(max_offset=9))
        assert selling.pool(db, "wechat") == 10
    for number in range(6):
        buy(world, product, str(number), client=str(number))
    assert refusal_of(world, product, "x", client="x").code is Code.LIMITED  # 6 of 10 for one product
    assert world.create("N1")["code"] == 1


def test_accounts_on_one_phone_share_a_pool(world: World) -> None:
    with world.store.transaction() as db:
        stores.accounts.add(db, account(id="wx-2", code="wxp://second"))
        assert selling.pool(db, "wechat") == 202
        stores.devices.watch(db, "phone", "wx-2")
        assert selling.pool(db, "wechat") == 101


def test_each_key_goes_to_one_buyer_and_missing_ones_follow(world: World) -> None:
    product = product_of(world, goods=Goods("keys", "K1\nK2\n"), max_quantity=2)
    first, second = buy(world, product, "1"), buy(world, product, "2", client="b")
    assert refusal_of(world, product, "3", client="c").message == "Sold out."
    for order in (first, second):
        assert order.really_price
        world.push(f"{order.really_price / 100:.2f}", t=world.clock() * 1000 + order.really_price)
    with world.store.read() as db:
        goods = [stores.receipts.of_order(db, order.token) for order in (first, second)]
    assert sorted(receipt.goods for receipt in goods if receipt) == ["K1", "K2"]
    assert keys_left(world) == 0


def test_keys_that_are_owed_are_handed_over_first(world: World) -> None:
    product = product_of(world, goods=Goods("keys", "K1"))
    order = buy(world, product)
    orders.show(world.store, order, world.parts.rules.limits, world.clock())
    world.clock.go(301)
    other = buy(world, product, "2", client="b")
    for one in (other, order):
        assert one.really_price
        world.push(f"{one.really_price / 100:.2f}", t=world.clock() * 1000 + one.really_price)
    added = catalogue.add_keys(world.store, "ebook", "K2\nK3\n", actor="test", new_id=ids.new_id, now=world.clock())
    assert added == (2, 1, 1)


def test_origins_are_exact(world: World) -> None:
    assert catalogue.origin_of("https://Shop.Example:8443/") == "https://shop.example:8443"
    for wrong in (
        "shop.example", "https://shop.example/x", "https://shop.example:443", "ftp://shop.example", "https://*.x",
        "https://a@shop.example", "null", "*", "https://shop.example?x", "javascript://shop.example",
    ):  # fmt: skip
        with pytest.raises(Refusal):
            catalogue.origin_of(wrong)


def test_buyers_are_sent_only_to_the_products_own_sites(world: World) -> None:
    product = product_of(world, return_url="https://thanks.example/paid")
    for good in ("https://shop.example/a?b#c", "https://thanks.example/", "https://SHOP.example:443/x"):
        assert selling.may_return_to(product, good)
    for foreign in (
        "https://shop.example.evil.test/", "https://shop.example@evil.test/", "http://shop.example/",
        "https://shop.example:8443/", "javascript:alert(1)", "//shop.example/", "https://shop.example\\@evil.test/",
        "", "https://evil.test/https://shop.example",
    ):  # fmt: skip
        assert not selling.may_return_to(product, foreign)


def test_a_grant_is_for_one_thing_and_ends() -> None:
    given = grants.grant("secret", "file", "r1", 1000)
    assert grants.is_granted(given, "secret", "file", "r1", 999)
    assert not grants.is_granted(given, "secret", "file", "r1", 1000)
    assert not grants.is_granted(given, "secret", "file", "r2", 999)
    assert not grants.is_granted(given, "secret", "link", "r1", 999)
    assert not grants.is_granted(given, "other", "file", "r1", 999)
    later = "fff" + given[3:]
    assert not grants.is_granted(later, "secret", "file", "r1", 999)
    for wrong in ("", ".", given + "0", given.upper(), "x" * 40):
        assert not grants.is_granted(wrong, "secret", "file", "r1", 999)


@pytest.mark.parametrize(
    "wrong",
    [
        {"title_zh": ""}, {"lowest": 100}, {"lowest": 1000, "highest": 2000}, {"max_quantity": 0}, {"stock": -2},
        {"title_zh": "a\nb"}, {"brand_color": "red"}, {"add_origins": ("*",)}, {"return_url": "javascript:1"},
        {"goods": Goods("file", "/no/such/file")}, {"goods": Goods("link", "ftp://x")}, {"goods": Goods("text", "")},
        {"goods": Goods("keys", "a\x00b")}, {"merchant": 9}, {"per_buyer": 0},
    ],
)  # fmt: skip
def test_a_product_that_cannot_be_sold_is_not_added(world: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        product_of(world, **wrong)
    with world.store.read() as db:
        assert stores.products.all_of(db) == []


def test_limits_can_be_taken_away_again(world: World) -> None:
    product_of(world, stock=3, per_buyer=1, lowest=100, highest=2000)
    draft = Draft(stock=-1, per_buyer=-1, lowest=-1, highest=-1, remove_origins=("https://shop.example",))
    changed = catalogue.change(
        world.store, "ebook", draft, Reach(True), actor="test", new_id=ids.new_id, now=world.clock()
    )
    assert (changed.stock, changed.per_buyer, changed.lowest, changed.highest, changed.origins) == (
        None, None, None, None, (),
    )  # fmt: skip
    assert products.price_of(changed, Wish()) == 990

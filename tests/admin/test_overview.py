"""The first page: what came in, and a list of what is missing that turns green by itself."""

from __future__ import annotations

from checkout import checklist, store
from checkout.admin.bars import HEIGHT, TOP, bars
from tests.admin.desk import Owner, reason
from tests.pages.shop import opened, settled
from tests.world import START, World


def done(world: World) -> list[str]:
    with world.store.read() as db:
        return [step.name for step in checklist.steps(db) if step.done]


def test_takings_stand_against_those_of_the_week_before(owner: Owner) -> None:
    world = owner.world
    world.clock.now = START - 7 * 86_400
    settled(world, opened(world, "before", 1000, shown=True))
    world.clock.now = START
    owner.sign_in()
    settled(world, opened(world, "now", 1500, shown=True))
    opened(world, "unpaid", 1600, shown=True)
    page = owner.see("/admin")
    assert "Today CN¥15.00 +50% against CN¥10.00" in page
    assert "Paid orders, 7 days 1 +0% against 1" in page
    assert "Conversion rate, 7 days 50%" in page


def test_shares_of_the_methods_are_rounded_to_the_nearest(owner: Owner) -> None:
    owner.sign_in()
    settled(owner.world, opened(owner.world, "one", 2000, shown=True))
    settled(owner.world, opened(owner.world, "two", 1000, "alipay", shown=True))
    page = owner.see("/admin")
    assert "WeChat CN¥20.00 67%" in page
    assert "Alipay CN¥10.00 33%" in page


def test_the_page_stands_before_the_first_order_too(owner: Owner) -> None:
    page = owner.see("/admin")
    assert "No orders yet" in page
    assert "nothing a week ago" in page


def test_a_share_of_no_orders_is_not_called_nothing_per_cent(owner: Owner) -> None:
    assert "Conversion rate, 7 days – no orders a week ago" in owner.see("/admin")
    owner.world.clock.go(8 * 86_400)
    owner.sign_in()
    settled(owner.world, opened(owner.world, shown=True))
    assert "Conversion rate, 7 days 100% no orders a week ago" in owner.see("/admin")
    owner.world.clock.go(7 * 86_400)
    owner.sign_in()
    assert "Conversion rate, 7 days – a week ago 100%" in owner.see("/admin")


def test_steps_turn_green_by_what_happens(owner: Owner) -> None:
    world = owner.world
    assert done(world) == ["account", "code"]
    world.beat()
    assert done(world) == ["account", "code", "phone"]
    data = world.create()["data"]
    world.push(data["reallyPrice"])
    world.work()
    assert done(world) == ["account", "code", "phone", "callback"]
    checklist.note_embed(world.store, "https://shop.example", world.clock())
    checklist.note_embed(world.store, "https://other.example", world.clock())
    assert "embed" in done(world)
    assert "The checkout on your site" in owner.see("/admin")


def test_a_test_payment_tries_the_whole_road_and_no_shop_hears_of_it(owner: Owner) -> None:
    world = owner.world
    answer = owner.client.post(
        "/admin/test-payments", data={"csrf": owner.form("/admin", "test-payments").fields["csrf"]}
    )
    place = answer.headers["Location"]
    assert place.startswith("/pay/")
    token = place.removeprefix("/pay/").partition("?")[0]
    owner.client.post(f"/pay/{token}/method", data={"method": "wechat"})
    assert world.order(token).really_price == 1
    owner.client.get(f"/pay/{token}")
    world.push("0.01")
    assert world.order(token).state == "paid"
    assert "payment" in done(world)
    assert world.work() == 0
    with world.store.read() as db:
        assert store.merchants.default_id(db) == 1001, "the shop that old programs call stays the first"


def test_without_a_merchant_a_test_payment_says_what_is_missing(owner: Owner) -> None:
    with owner.world.store.transaction() as db:
        db.run("DELETE FROM merchants")
    answer = owner.send("/admin", "test-payments")
    assert "Add a merchant first" in reason(answer.text)


def test_bars_reach_up_to_a_round_number() -> None:
    drawn = bars([0, 1, 990], ["a", "b", "c"], ["", "", "x"])
    assert drawn.most == 1000
    assert [bar.height for bar in drawn.bars] == [0, 1, -(-990 * (HEIGHT - TOP) // 1000)]
    assert bars([], [], []).most == 100
    assert bars([10**11], [""], [""]).bars[0].height == HEIGHT - TOP

"""Orders as their owner looks for them, and what he does with one."""

from __future__ import annotations

import csv
import io

import pytest
from msgspec.structs import replace

from checkout import exports, order_search, store
from checkout.model.deliveries import DeliveryState
from checkout.model.orders import State
from checkout.order_search import LATE, Search
from tests.admin.desk import PASSWORD, Owner, reason, words
from tests.pages.shop import closed, opened, settled
from tests.world import START, World, answer, merchant


def numbers(world: World, **wanted: object) -> list[str]:
    with world.store.read() as db:
        found = order_search.find(db, replace(Search(), **wanted), world.clock())
    return [order.number for order in found.orders]


@pytest.fixture
def busy(locked: World) -> World:
    """One order of each kind, a second apart: waiting, paid, paid late, expired, closed."""
    world = locked
    late = opened(world, "late", 1500, "alipay", shown=True)
    expired = opened(world, "expired", 1600)
    world.clock.go(400)
    settled(world, late)
    settled(world, opened(world, "paid", 2000, title="Tea"))
    world.clock.go(1)
    closed(world, opened(world, "closed", 2100))
    world.clock.go(1)
    opened(world, "waiting", 2200, "", buyer="user-7")
    assert world.order(expired.token).state_at(world.clock()) is State.EXPIRED
    return world


def test_orders_are_found_by_state_whether_or_not_the_worker_has_written_it_down(busy: World) -> None:
    assert numbers(busy)[:3] == ["waiting", "closed", "paid"]
    assert numbers(busy, state="pending") == ["waiting"]
    assert set(numbers(busy, state="paid")) == {"paid", "late"}
    assert numbers(busy, state=LATE) == ["late"]
    assert numbers(busy, state="expired") == ["expired"]
    assert numbers(busy, state="closed") == ["closed"]


def test_orders_are_found_by_what_a_buyer_tells(busy: World) -> None:
    with busy.store.read() as db:
        token = store.orders.by_number(db, 1001, "paid")
    assert token is not None
    for text, found in {
        "paid": ["paid"], token.token: ["paid"], "20.00": ["paid"], "20": ["paid"], "¥20.00": ["paid"],
        "user-7": ["waiting"], "99.99": [], "nothing": [], "'; DROP TABLE orders; --": [],
    }.items():  # fmt: skip
        assert numbers(busy, text=text) == found, text
    assert numbers(busy, text="paid", state="closed") == []


def test_orders_are_found_by_method_merchant_and_day(busy: World) -> None:
    assert numbers(busy, method="alipay") == ["late"]
    assert len(numbers(busy, merchant=1001)) == 5
    assert numbers(busy, merchant=7) == []
    assert set(numbers(busy, until=START + 1)) == {"late", "expired"}
    assert "late" not in numbers(busy, since=START + 1)


def test_pages_follow_each_other_without_a_gap_or_a_repeat(locked: World) -> None:
    for number in range(7):
        opened(locked, f"N{number}", 1000 + number)
        locked.clock.go(number % 2)  # two in one second
    pages, seen = [], list[str]()
    wanted: Search | None = Search(limit=2)
    while wanted:
        with locked.store.read() as db:
            found = order_search.find(db, wanted, locked.clock())
        pages.append(len(found.orders))
        seen += [order.number for order in found.orders]
        wanted = replace(wanted, before=found.then) if found.then else None
    assert pages == [2, 2, 2, 1]
    assert sorted(seen) == [f"N{number}" for number in range(7)]


def test_a_rare_method_is_looked_for_piece_by_piece(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_search, "_LOOKED_AT", 2)
    rare = opened(locked, "rare", 500, "alipay")
    for number in range(5):
        locked.clock.go(1)
        opened(locked, f"N{number}", 1000 + number)
    wanted, looks = Search(method="alipay", limit=1), 0
    while True:
        with locked.store.read() as db:
            found = order_search.find(db, wanted, locked.clock())
        looks += 1
        if found.orders or found.then is None:
            break
        wanted = replace(wanted, before=found.then)
    assert [order.token for order in found.orders] == [rare.token]
    assert looks > 1, "no single look reads everything"


def test_the_list_shows_each_order_and_leads_to_it(owner: Owner, busy: World) -> None:
    page = owner.see("/admin/orders")
    for shown in ("Tea", "CN¥20.00", "paid late", "expired", "closed", "waiting", "not chosen"):
        assert shown in page
    assert "No order fits" in owner.see("/admin/orders", q="nothing")
    assert "Tea" in owner.see("/admin/orders", q="20.00", state="paid", method="wechat", merchant="1001")


@pytest.mark.parametrize(
    "query",
    [
        {"state": "x", "method": "x", "merchant": "x", "from": "2026-99-99", "to": "0000-00-00", "before": "x"},
        {"q": "x" * 1000}, {"q": "\x00"}, {"before": "999999999999.x"}, {"from": "9999-12-31", "to": "9999-12-31"},
    ],
)  # fmt: skip
def test_an_address_that_makes_no_sense_shows_something_and_never_fails(owner: Owner, query: dict[str, str]) -> None:
    owner.get("/admin/orders", **query)
    owner.get("/admin/orders.csv", **query)


def test_the_spreadsheet_has_what_was_found_and_no_formula(owner: Owner, busy: World) -> None:
    opened(busy, "=cmd|' /C calc'!A0", 3000)
    answer = owner.get("/admin/orders.csv")
    assert answer.text.startswith(exports.BOM)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="orders-2026-09-21.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text.lstrip(exports.BOM))))
    assert len(rows) == 6
    assert any(row["number"].startswith("'=") for row in rows)
    found = csv.DictReader(io.StringIO(owner.get("/admin/orders.csv", state="closed").text.lstrip(exports.BOM)))
    assert [row["number"] for row in found] == ["closed"]


def test_the_spreadsheet_is_streamed_page_by_page(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_PAGE", 2)
    for number in range(5):
        opened(owner.world, f"N{number}", 1000 + number)
    pieces = list(exports.orders_csv(owner.world.store, owner.world.clock()))
    assert [piece.count("\r\n") for piece in pieces] == [1, 2, 2, 1]


def test_the_page_of_an_order_tells_what_happened_in_the_order_of_time(owner: Owner) -> None:
    world = owner.world
    data = world.create()["data"]
    world.clock.go(30)
    world.push(data["reallyPrice"])
    world.outside.reply = lambda request: answer(500, b"<b>broken</b>")
    world.work()
    world.clock.go(60)
    world.outside.reply = lambda request: answer()
    world.work()
    page = owner.see(f"/admin/orders/{data['orderId']}")
    story = ["Opened by the shop", "Paid: CN¥9.90 arrived", "reported by phone", "Try 1 to tell the shop was in vain",
             "HTTP 500", "<b>broken</b>", "The shop was told, and has acknowledged"]  # fmt: skip
    places = [page.index(words) for words in story]
    assert places == sorted(places)


def test_an_order_is_confirmed_by_hand_with_its_amount_a_reason_and_the_password(owner: Owner) -> None:
    order = opened(owner.world, shown=True)
    place = f"/admin/orders/{order.token}"
    answer = owner.send(place, f"orders/{order.token}/confirmation", amount="9.90", reason="seen in my bill")
    assert "booked as paid" in words(answer.text)
    assert owner.world.order(order.token).state is State.PAID
    note = owner.world.audit()[0]
    assert (note.action, note.subject) == ("order.confirm", order.token)
    assert note.actor == "admin:127.0.0.1"
    owner.world.work()
    assert len(owner.world.outside.sent) == 1, "the shop is told"


@pytest.mark.parametrize(
    ("amount", "why", "field", "sentence"),
    [
        ("9.91", "seen", "amount", "The amount does not fit: the order is for 9.90."),
        ("", "seen", "amount", "The amount must look like 9.90"),
        ("9,90", "seen", "amount", "The amount must look like 9.90"),
        ("0", "seen", "amount", "The amount must be greater than 0."),
        ("1e3", "seen", "amount", "The amount must look like 9.90"),
        ("9.90", "  ", "reason", "Confirming by hand needs a reason."),
    ],
)
def test_a_confirmation_that_is_refused_says_at_which_field_and_loses_nothing(
    owner: Owner, amount: str, why: str, field: str, sentence: str
) -> None:
    order = opened(owner.world, shown=True)
    answer = owner.send(f"/admin/orders/{order.token}", f"orders/{order.token}/confirmation", amount=amount, reason=why)
    assert answer.status_code == 422
    assert sentence in reason(answer.text, field)
    assert f'value="{why.strip()}"' in answer.text
    assert owner.world.order(order.token).state is State.PENDING


def test_after_five_minutes_the_password_is_asked_for_again(owner: Owner) -> None:
    order = opened(owner.world, shown=True, ttl=3000)
    place, action = f"/admin/orders/{order.token}", f"orders/{order.token}/confirmation"
    assert "Your password" not in owner.see(place)
    owner.later(300)
    assert "Your password" in owner.see(place)
    typed = {"amount": "9.90", "reason": "seen"}
    for password, why in (("", "type your password"), ("wrong", "The password is wrong")):
        answer = owner.send(place, action, **typed, password=password)
        assert why in reason(answer.text, "password-confirm")
        assert 'value="seen"' in answer.text
    assert owner.world.order(order.token).state is State.PENDING
    owner.send(place, action, **typed, password=PASSWORD)
    assert owner.world.order(order.token).state is State.PAID
    assert "Your password" not in owner.see(place), "it vouches for the next five minutes"


def test_ten_wrong_passwords_stop_a_stolen_session_from_guessing(owner: Owner) -> None:
    order = opened(owner.world, shown=True, ttl=3000)
    owner.later(300)
    typed = {"amount": "9.90", "reason": "seen"}
    place, action = f"/admin/orders/{order.token}", f"orders/{order.token}/confirmation"
    for _ in range(10):
        owner.send(place, action, **typed, password="wrong")
    answer = owner.send(place, action, **typed, password=PASSWORD)
    assert "Too many wrong passwords" in reason(answer.text, "password-confirm")
    assert owner.world.order(order.token).state is State.PENDING


def test_the_second_of_two_owners_who_confirm_is_told_so(owner: Owner) -> None:
    order = opened(owner.world, shown=True)
    place, action = f"/admin/orders/{order.token}", f"orders/{order.token}/confirmation"
    second = Owner(owner.world).sign_in()
    form = second.form(place, action)
    owner.send(place, action, amount="9.90", reason="seen")
    data = {**dict(form.form_values()), "amount": "9.90", "reason": "seen too"}
    answer = second.client.post(form.action, data=data)
    assert answer.status_code == 422
    assert "is paid already" in words(answer.text)
    assert len([one for one in owner.world.payments() if one.order_token == order.token]) == 1


def test_a_waiting_order_is_closed(owner: Owner) -> None:
    order = opened(owner.world)
    assert "The order is closed." in words(
        owner.send(f"/admin/orders/{order.token}", f"orders/{order.token}/closure").text
    )
    assert owner.world.order(order.token).state is State.CLOSED
    assert owner.world.audit()[0].action == "order.close"


def test_an_order_that_was_paid_meanwhile_is_not_closed(owner: Owner) -> None:
    order = opened(owner.world, shown=True)
    form = owner.form(f"/admin/orders/{order.token}", f"orders/{order.token}/closure")
    settled(owner.world, order)
    answer = owner.client.post(form.action, data=dict(form.form_values()))
    assert answer.status_code == 422
    assert "waits for payment" in reason(answer.text)


def test_a_refund_by_hand_is_recorded_up_to_what_came(owner: Owner) -> None:
    order = settled(owner.world, opened(owner.world, shown=True))
    place, action = f"/admin/orders/{order.token}", f"orders/{order.token}/refunds"
    answer = owner.send(place, action, amount="10.00", reason="wrong size")
    assert "At most 9.90" in reason(answer.text, "amount")
    assert "recorded" in words(owner.send(place, action, amount="4.00", reason="wrong size").text)
    assert "CN¥4.00 refunded" in owner.see(place)
    owner.send(place, action, amount="5.90", reason="all of it")
    assert "refunded" in owner.see(place)
    assert "Record the refund" not in owner.see(place)


def test_of_money_that_went_back_the_shop_was_not_tried_for_three_days(owner: Owner) -> None:
    order = settled(owner.world, opened(owner.world, shown=True))
    place = f"/admin/orders/{order.token}"
    owner.send(place, f"orders/{order.token}/refunds", amount="9.90", reason="all of it")
    page = owner.see(place)
    assert "The shop is not told any more: all of the money went back" in page
    assert "in vain" not in page
    assert "three days" not in page
    with owner.world.store.read() as db:
        [delivery] = store.deliveries.of_order(db, order.token)
    assert "商家得知之前" in owner.see(f"/admin/callbacks/{delivery.id}", lang="zh-CN")


def test_a_refund_that_is_sent_twice_by_one_form_is_one(owner: Owner) -> None:
    order = settled(owner.world, opened(owner.world, shown=True))
    place, action = f"/admin/orders/{order.token}", f"orders/{order.token}/refunds"
    form = owner.form(place, action)
    typed = {**dict(form.form_values()), "amount": "2.00", "reason": "a double click"}
    for _ in range(2):
        assert owner.client.post(form.action, data=typed).status_code == 303
    assert "CN¥2.00 refunded" in owner.see(place)
    owner.send(place, action, amount="2.00", reason="another one")
    assert "CN¥4.00 refunded" in owner.see(place)


def test_the_shop_is_told_once_more(owner: Owner) -> None:
    world = owner.world
    order = settled(world, opened(world, shown=True))
    world.work()
    with world.store.read() as db:
        (delivery,) = store.deliveries.of_order(db, order.token)
    owner.send(f"/admin/orders/{order.token}", f"orders/{order.token}/messages/{delivery.id}")
    assert world.work() == 1
    assert world.audit()[0].action == "delivery.resend"
    with world.store.read() as db:
        (delivery,) = store.deliveries.of_order(db, order.token)
    assert delivery.state is DeliveryState.DELIVERED


def test_an_order_that_is_not_there_is_not_found(owner: Owner) -> None:
    assert owner.client.get("/admin/orders/nothing").status_code == 404
    token = owner.form("/admin", "sign-out").fields["csrf"]
    for action in ("confirmation", "closure", "refunds", "messages/x"):
        data = {"csrf": token, "amount": "9.90", "reason": "r"}
        assert owner.client.post(f"/admin/orders/nothing/{action}", data=data).status_code == 404


def test_nothing_that_strangers_wrote_becomes_markup(owner: Owner) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    with owner.world.store.transaction() as db:
        store.merchants.update(db, merchant(name=evil))
    order = opened(owner.world, evil, title=evil, param=evil, buyer=evil, content=evil, shown=True)
    for page in ("/admin/orders", f"/admin/orders/{order.token}", "/admin"):
        assert "<script>alert" not in owner.get(page).text
        assert "<img src=x" not in owner.get(page).text

from __future__ import annotations

from contextlib import closing

import pytest

from checkout import opening, payments
from checkout import store as stores
from checkout.model.orders import Order
from checkout.opening import Ask
from checkout.orders import Rules
from checkout.payments import Report
from checkout.store import open_store
from tests.cli.conftest import Console

RULES = Rules(min_free_disk=0)


def opened(shop: Console, number: str = "N1", price: int = 990, method: str = "wechat") -> Order:
    with closing(open_store(shop.database)) as store:
        with store.read() as db:
            merchant = stores.merchants.all_of(db)[0]
        ask = Ask(merchant, "vmq", number, price, "9.9", method=method, title="Tea", shown=True)
        return opening.open_order(store, ask, RULES, shop.clock.now)


def pushed(shop: Console, amount: int | None) -> str:
    """The id of a payment as a phone reports it."""
    with closing(open_store(shop.database)) as store:
        with store.read() as db:
            device = stores.devices.all_of(db)[0]
        report = Report(device, "wechat", amount, f"ref {amount} {shop.clock.now}", "{}", shop.clock.now)
        new_id = lambda prefix: f"{prefix}_{amount}_{shop.clock.now}"  # noqa: E731
        return payments.receive(store, report, new_id=new_id, now=shop.clock.now).payment.id


def audit(shop: Console) -> list[tuple[str, str]]:
    with closing(open_store(shop.database)) as store, store.read() as db:
        return [(entry.action, entry.actor) for entry in stores.audit.latest(db)]


def test_an_order_is_shown_with_amounts_as_text_and_times_as_seconds(shop: Console) -> None:
    order = opened(shop)
    shown = shop.json("order", "show", order.token)
    assert shown["token"] == order.token
    assert (shown["merchant"], shown["number"], shown["method"]) == (1001, "N1", "wechat")
    assert (shown["account"], shown["price"], shown["really_price"]) == ("wx-main", "9.90", "9.90")
    assert (shown["state"], shown["late"]) == ("pending", False)
    assert (shown["created_at"], shown["expires_at"]) == (shop.clock.now, shop.clock.now + 300)
    assert (shown["paid_at"], shown["delivery"], shown["refunded"]) == (None, None, "0.00")
    assert order.token in shop("order", "show", order.token).out


def test_an_order_whose_time_is_over_counts_as_expired_before_the_worker_has_come(shop: Console) -> None:
    order = opened(shop)
    shop.clock.go(300)
    assert shop.json("order", "show", order.token)["state"] == "expired"


def test_orders_are_listed_newest_first_and_filtered(shop: Console) -> None:
    first = opened(shop, "A")
    shop.clock.go(1)
    second = opened(shop, "B")
    assert [one["token"] for one in shop.json("order", "list")] == [second.token, first.token]
    assert [one["number"] for one in shop.json("order", "list", "--search", "A")] == ["A"]
    assert [one["number"] for one in shop.json("order", "list", "--limit", "1")] == ["B"]
    assert shop.json("order", "list", "--state", "paid") == []
    assert shop.json("order", "list", "--merchant", "1002") == []


def test_confirming_by_hand_books_the_order_and_owes_the_merchant_a_message(shop: Console) -> None:
    order = opened(shop)
    arguments = ("order", "confirm", order.token, "--reason", "seen in the wallet", "--amount")
    assert "the order is for 9.90" in shop.refused(*arguments, "9.00")
    confirmed = shop.json(*arguments, "9.9")
    assert (confirmed["state"], confirmed["paid_at"]) == ("paid", shop.clock.now)
    assert confirmed["delivery"] == {"state": "waiting", "attempts": 0}
    assert "paid already" in shop.refused(*arguments, "9.90")
    action, actor = audit(shop)[0]
    assert action == "order.confirm"
    assert actor.startswith("cli:")


@pytest.mark.parametrize("command", ["confirm", "refund"])
def test_changing_money_needs_a_reason(shop: Console, command: str) -> None:
    order = opened(shop)
    assert shop("order", command, order.token, "--amount", "9.90").code == 2
    assert "needs a reason" in shop.refused("order", command, order.token, "--amount", "9.90", "--reason", " ")


def test_a_waiting_order_is_closed_once(shop: Console) -> None:
    order = opened(shop)
    assert shop.json("order", "close", order.token)["state"] == "closed"
    assert "can be closed" in shop.refused("order", "close", order.token)
    assert audit(shop)[0][0] == "order.close"


def test_refunds_by_hand_never_exceed_what_was_paid(shop: Console) -> None:
    order = opened(shop)
    arguments = ("order", "refund", order.token, "--reason", "came back", "--amount")
    assert "Only a paid order" in shop.refused(*arguments, "1.00")
    pushed(shop, 990)
    assert shop.json(*arguments, "4.00")["refunded"] == "4.00"
    assert "At most 5.90" in shop.refused(*arguments, "5.91")
    whole = shop.json(*arguments, "5.90")
    assert whole["refunded"] == "9.90"
    assert [(one["amount"], one["state"]) for one in whole["refunds"]] == [("4.00", "by_hand"), ("5.90", "by_hand")]
    assert "At most 0.00" in shop.refused(*arguments, "0.01")
    assert whole["state"] == "paid"


def test_an_unmatched_payment_is_linked_to_its_order(shop: Console) -> None:
    order, payment = opened(shop), pushed(shop, 1234)
    (waiting,) = shop.json("payment", "list", "--review")
    assert (waiting["id"], waiting["amount"], waiting["judgement"], waiting["order"]) == (
        payment,
        "12.34",
        "unmatched",
        None,
    )
    linked = shop.json("payment", "link", payment, order.token, "--reason", "the buyer told me")
    assert (linked["judgement"], linked["order"]) == ("linked", order.token)
    assert shop.json("order", "show", order.token)["state"] == "paid"
    assert shop.json("payment", "list", "--review") == []
    assert "dealt with already" in shop.refused("payment", "link", payment, order.token, "--reason", "again")
    assert audit(shop)[0][0] == "payment.link"


def test_a_refund_of_a_linked_order_counts_what_really_came(shop: Console) -> None:
    order, payment = opened(shop), pushed(shop, 800)
    shop("payment", "link", payment, order.token, "--reason", "less, but fine")
    assert "At most 8.00" in shop.refused("order", "refund", order.token, "--amount", "8.01", "--reason", "r")


def test_an_unreadable_payment_is_listed_and_can_be_set_aside(shop: Console) -> None:
    payment = pushed(shop, None)
    assert [one["amount"] for one in shop.json("payment", "list")] == [None]
    assert "checkout payment link" in shop("payment", "list", "--review").err
    assert shop.json("payment", "ignore", payment, "--reason", "my own")["judgement"] == "ignored"
    assert "no such payment" in shop.refused("payment", "ignore", payment, "--reason", "again")


def test_deliveries_are_listed_shown_and_sent_again(shop: Console) -> None:
    opened(shop)
    pushed(shop, 990)
    (owed,) = shop.json("delivery", "list")
    assert (owed["state"], owed["attempts"], owed["event"]) == ("waiting", 0, "order.paid")
    assert owed["url"] == "https://shop.example/notify"
    assert shop.json("delivery", "list", "--state", "failed") == []
    shop.clock.go(60)
    again = shop.json("delivery", "resend", owed["id"])
    assert (again["id"], again["due_at"]) == (owed["id"], shop.clock.now)
    assert shop.json("delivery", "show", owed["id"])["tries"] == []
    assert "No tries yet" in shop("delivery", "show", owed["id"]).out


@pytest.mark.parametrize(
    "arguments",
    [("order", "show", "x"), ("order", "close", "x"), ("order", "confirm", "x", "--amount", "1", "--reason", "r"),
     ("order", "refund", "x", "--amount", "1", "--reason", "r"), ("payment", "link", "x", "y", "--reason", "r"),
     ("payment", "ignore", "x", "--reason", "r"), ("delivery", "show", "x"), ("delivery", "resend", "x")],
)  # fmt: skip
def test_what_does_not_exist_is_refused_in_one_sentence(shop: Console, arguments: tuple[str, ...]) -> None:
    assert "There is no such" in shop.refused(*arguments)

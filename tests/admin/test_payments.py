"""All money that was reported: found, explained, and in a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest

from checkout.model.payments import Payment
from tests.admin.desk import PASSWORD, Owner
from tests.world import World

PLACE = "/admin/payments"
REVIEW = "/admin/review"


@pytest.fixture
def came(owner: Owner) -> dict[str, Payment]:
    """Four payments by what became of them."""
    world = owner.world
    world.create("in-time", "9.90")
    world.push("9.90")
    world.create("too-late", "19.90")
    world.clock.go(400)
    world.push("19.90")
    world.clock.go(10)
    world.push("7.77")
    found = {str(payment.judgement): payment for payment in world.payments()}
    token = world.create("by-hand", "29.90")["data"]["orderId"]
    owner.send(
        f"/admin/orders/{token}", f"orders/{token}/confirmation", amount="29.90", reason="seen", password=PASSWORD
    )
    return found | {str(payment.judgement): payment for payment in world.payments() if payment.channel == "hand"}


def rows(owner: Owner, **query: str) -> list[dict[str, str]]:
    text = owner.get(f"{PLACE}.csv", **query).text
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))


def test_nothing_came_yet(owner: Owner) -> None:
    assert "No payments yet" in owner.see(PLACE)
    assert "No payment fits." in owner.see(PLACE, q="9.90")


def test_the_list_says_what_became_of_each(owner: Owner, came: dict[str, Payment]) -> None:
    page = owner.see(PLACE)
    for words in ("CN¥9.90 WeChat paid in-time phone", "CN¥19.90 WeChat paid late too-late phone",
                  "CN¥7.77 WeChat no order – phone", "CN¥29.90 WeChat booked by hand by-hand by hand"):  # fmt: skip
        assert words in page
    page = owner.see(PLACE, state="late", account="wx-main", device="phone", q="19.90")
    assert "too-late" in page
    assert "in-time" not in page
    assert "No payment fits." in owner.see(PLACE, **{"from": "2030-01-01"})
    assert "in-time" in owner.see(PLACE, state="nonsense", **{"from": "2026-99-99"})


@pytest.mark.parametrize(
    ("judgement", "why"),
    [
        ("matched", "This order alone was waiting for exactly this amount."),
        ("late", "Its time was over when the money came."),
        ("unmatched", "No waiting order has this amount."),
        ("linked", "Confirmed by hand: somebody saw the money in the bill"),
    ],
)
def test_the_page_of_a_payment_says_why(owner: Owner, came: dict[str, Payment], judgement: str, why: str) -> None:
    page = owner.see(f"{PLACE}/{came[judgement].id}")
    assert why in page
    assert came[judgement].reference in page
    assert ("Decide in the review" in page) == (judgement == "unmatched")
    if judgement == "late":
        assert "Until the money came6 min 40 s" in page


def test_who_booked_a_payment_by_hand_and_why_stands_on_its_page(owner: Owner, came: dict[str, Payment]) -> None:
    world, payment = owner.world, came["unmatched"]
    token = world.create("N9", "7.70")["data"]["orderId"]
    owner.send(
        REVIEW,
        f"review/payments/{payment.id}/order",
        token=token,
        reason="the buyer showed the bill",
        password=PASSWORD,
    )
    page = owner.see(f"{PLACE}/{payment.id}")
    assert "A person has booked it to this order." in page
    assert "payment.link · the buyer showed the bill" in page
    assert "PriceCN¥7.70" in page


def test_an_ignored_payment_says_why(owner: Owner, came: dict[str, Payment]) -> None:
    payment = came["unmatched"]
    owner.send(REVIEW, f"review/payments/{payment.id}/ignored", reason="my own transfer")
    page = owner.see(f"{PLACE}/{payment.id}")
    assert "set aside" in page
    assert "my own transfer" in page


def test_order_and_review_lead_to_the_payment_and_it_to_them(owner: Owner, came: dict[str, Payment]) -> None:
    booked, open_one = came["matched"], came["unmatched"]
    assert f"{PLACE}/{booked.id}" in owner.get(f"/admin/orders/{booked.order_token}").text
    assert f"/admin/orders/{booked.order_token}" in owner.get(f"{PLACE}/{booked.id}").text
    assert f"{PLACE}/{open_one.id}" in owner.get(REVIEW).text
    assert f"#{open_one.id}" in owner.get(f"{PLACE}/{open_one.id}").text


def test_a_hostile_message_stays_text(owner: Owner, came: dict[str, Payment]) -> None:
    payment = came["unmatched"]
    with owner.world.store.transaction() as db:
        db.run("UPDATE payments SET raw = '<script>alert(1)</script>', happened_at = :at", at=1 << 60)
    page = owner.get(f"{PLACE}/{payment.id}").text
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page


def test_a_message_in_json_is_shown_line_by_line(owner: Owner, came: dict[str, Payment]) -> None:
    with owner.world.store.transaction() as db:
        db.run("UPDATE payments SET raw = :raw", raw='{"text": "微信支付收款"}')
    assert "{\n  &#34;text&#34;: &#34;微信支付收款&#34;\n}" in owner.get(f"{PLACE}/{came['matched'].id}").text


def test_an_unreadable_payment_has_a_page_too(owner: Owner, came: dict[str, Payment]) -> None:
    with owner.world.store.transaction() as db:
        db.run("UPDATE payments SET amount = NULL, judgement = 'unreadable', method = '' WHERE judgement = 'unmatched'")
    assert "A payment that could not be read" in owner.see(f"{PLACE}/{came['unmatched'].id}")
    assert "unreadable" in owner.see(PLACE)


def test_a_payment_that_does_not_exist_is_not_found(owner: Owner) -> None:
    answer = owner.client.get(f"{PLACE}/pay_nobody?lang=en")
    assert answer.status_code == 404
    assert "There is no such payment." in answer.text


def test_the_spreadsheet_holds_what_was_searched_for(owner: Owner, came: dict[str, Payment]) -> None:
    assert [row["amount"] for row in rows(owner)] == ["29.90", "7.77", "19.90", "9.90"]
    assert [row["judgement"] for row in rows(owner, state="review")] == ["unmatched"]
    assert [row["order"] for row in rows(owner, q="9.90")] == [came["matched"].order_token]
    assert 'href="/admin/payments.csv?state=late' in owner.get(PLACE, state="late").text


def test_a_note_that_looks_like_a_formula_is_none(owner: Owner, came: dict[str, Payment]) -> None:
    with owner.world.store.transaction() as db:
        db.run("UPDATE payments SET note = '=1+1'")
    assert {row["note"] for row in rows(owner)} == {"'=1+1"}


def test_pages_of_fifty_lead_to_the_last_payment(owner: Owner) -> None:
    world: World = owner.world
    for _ in range(53):
        world.clock.go(1)
        world.push("7.77")
    first = owner.get(PLACE).text
    assert first.count('data-label="Received"') == 50
    key = first.partition("before=")[2].partition('"')[0].partition("&")[0]
    assert owner.get(PLACE, before=key).text.count('data-label="Received"') == 3


def test_strangers_see_no_payments(owner: Owner, came: dict[str, Payment]) -> None:
    stranger = owner.world.app.test_client()
    for place in (PLACE, f"{PLACE}.csv", f"{PLACE}/{came['matched'].id}"):
        assert stranger.get(place).status_code == 303

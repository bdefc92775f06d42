"""The review inbox: money finds its order by one click, and never two."""

from __future__ import annotations

from checkout import candidates, claims, ids
from checkout.candidates import Candidate
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement, Payment
from tests.admin.desk import PASSWORD, Owner, reason, words
from tests.pages.shop import opened, settled
from tests.world import World


def stray(world: World, price: str = "12.34", kind: str = "1") -> Payment:
    """Money that fits no order."""
    world.push(price, kind, t=world.clock() * 1000 + len(world.payments()))
    return world.payments()[0]


def ranked(world: World, payment: Payment) -> list[Candidate]:
    with world.store.read() as db:
        return candidates.ranked(db, payment)


def claim(world: World, order: Order, amount: str = "9.90", **words: str) -> str:
    return claims.file(world.store, order, amount=amount, new_id=ids.new_id, now=world.clock(), **words).id


def test_the_likeliest_order_comes_first(world: World) -> None:
    old = opened(world, "old", 1234, shown=True)
    world.clock.go(4 * 3600)
    near = opened(world, "near", 1250, shown=True)
    opened(world, "far", 9900, shown=True)
    opened(world, "other method", 1234, "alipay", shown=True)
    settled(world, opened(world, "paid", 1235, shown=True))
    opened(world, "open method", 1234, "")
    world.clock.go(60)
    found = ranked(world, stray(world))
    assert [(one.order.number, one.gap) for one in found] == [("old", 0), ("near", -16)]
    assert found[0].order.token == old.token
    assert found[1].waited == 60
    assert near.number == "near"


def test_an_order_that_was_opened_after_the_money_came_is_no_candidate(world: World) -> None:
    payment = stray(world)
    world.clock.go(5)
    opened(world, "later", 1234, shown=True)
    assert ranked(world, payment) == []


def test_one_click_books_the_money_and_tells_the_shop(owner: Owner) -> None:
    world = owner.world
    order = opened(world, "N1", 1250, shown=True, title="Tea")
    payment = stray(world)
    page = owner.see("/admin/review")
    for shown in ("CN¥12.34", "Tea", "CN¥0.16 less", "No waiting order has this amount.", "reported by phone"):
        assert shown in page
    answer = owner.send("/admin/review", f"review/payments/{payment.id}/order", token=order.token)
    assert "Booked: order Tea is paid." in words(answer.text)
    assert world.order(order.token).state is State.PAID
    assert world.payments()[0].judgement is Judgement.LINKED
    assert world.audit()[0].action == "payment.link"
    assert world.work() == 1
    assert "Nothing to review" in owner.see("/admin/review")


def test_of_two_owners_at_one_payment_the_second_reads_what_became_of_it(owner: Owner) -> None:
    world = owner.world
    first, second = opened(world, "first", 1250, shown=True), opened(world, "second", 1260, shown=True)
    payment = stray(world)
    other = Owner(world).sign_in()
    action = f"review/payments/{payment.id}/order"
    form = other.form("/admin/review", action)
    owner.send("/admin/review", action, token=first.token)
    answer = other.client.post(form.action, data={**dict(form.form_values()), "token": second.token})
    assert answer.status_code == 422
    assert reason(answer.text) == "This payment has been dealt with already. It is booked to the order first."
    assert world.order(second.token).state is State.PENDING


def test_money_is_booked_to_an_order_that_is_no_candidate_by_its_number(owner: Owner) -> None:
    world = owner.world
    order = opened(world, "odd one", 9900, shown=True)
    payment = stray(world)
    place, action = "/admin/review", f"review/payments/{payment.id}/order"
    answer = owner.send(place, action, token="nothing", reason="he paid in two parts")
    assert "no order of this number" in reason(answer.text)
    assert 'value="he paid in two parts"' in answer.text
    owner.send(place, action, token="odd one", reason="he paid in two parts")
    assert world.order(order.token).state is State.PAID
    assert "two parts" in world.audit()[0].detail


def test_money_is_booked_to_an_order_that_is_no_candidate_only_with_the_password(owner: Owner) -> None:
    world = owner.world
    order = opened(world, "dear one", 9900, shown=True)
    payment = stray(world)
    owner.later(301)
    action = f"review/payments/{payment.id}/order"
    typed = {"token": order.token, "reason": "he paid in two parts"}
    answer = owner.send("/admin/review", action, **typed)
    assert (answer.status_code, "type your password" in answer.text) == (422, True)
    assert world.order(order.token).paid_at is None
    owner.send("/admin/review", action, **typed, password=PASSWORD)
    assert world.order(order.token).state is State.PAID


def test_money_is_not_booked_to_an_order_that_is_paid(owner: Owner) -> None:
    world = owner.world
    order = settled(world, opened(world, "N1", 990, shown=True))
    payment = stray(world)
    answer = owner.send("/admin/review", f"review/payments/{payment.id}/order", token=order.token, reason="again")
    assert "is paid already" in reason(answer.text)
    assert world.payments()[0].judgement is Judgement.UNMATCHED or world.payments()[1].judgement is Judgement.UNMATCHED


def test_money_that_belongs_to_no_order_is_set_aside_with_a_reason(owner: Owner) -> None:
    payment = stray(owner.world)
    place, action = "/admin/review", f"review/payments/{payment.id}/ignored"
    answer = owner.send(place, action, reason=" ")
    assert "needs a reason" in reason(answer.text, f"reason-{payment.id}")
    owner.send(place, action, reason="a gift from my aunt")
    assert owner.world.payments()[0].judgement is Judgement.IGNORED
    answer = owner.client.post(f"/admin/{action}?lang=en", data={"csrf": csrf(owner), "reason": "again"})
    assert "It was set aside: a gift from my aunt" in reason(answer.text)


def test_a_buyers_word_stands_beside_the_payment_of_its_amount(owner: Owner) -> None:
    world = owner.world
    order = opened(world, "N1", 990, shown=True, title="Tea")
    payment = stray(world)
    claim(world, order, "12.34", note="<b>I typed it wrong</b>", last_digits="4711")
    page = owner.see("/admin/review")
    assert "<b>I typed it wrong</b>" in page
    assert "4711" in page
    owner.send("/admin/review", f"review/payments/{payment.id}/order")
    assert world.order(order.token).state is State.PAID
    assert "Nothing to review" in owner.see("/admin/review"), "the word is answered by the booking"


def test_a_buyers_word_is_answered_without_booking_anything(owner: Owner) -> None:
    order = opened(owner.world, shown=True)
    word = claim(owner.world, order)
    assert "No payment of this amount waits" in owner.see("/admin/review")
    action = f"review/claims/{word}/answer"
    assert "needs a reason" in reason(owner.send("/admin/review", action, reason=" ").text, f"reason-{word}")
    owner.send("/admin/review", action, reason="no such money")
    assert "Nothing to review" in owner.see("/admin/review")
    assert owner.world.order(order.token).state is State.PENDING
    assert "no such money" in owner.world.audit()[0].detail


def test_what_is_not_there_is_not_found(owner: Owner) -> None:
    data = {"csrf": csrf(owner), "reason": "r", "token": "x"}
    assert owner.client.post("/admin/review/claims/nothing/answer", data=data).status_code == 404
    order = opened(owner.world, shown=True)
    data["token"] = order.token
    assert owner.client.post("/admin/review/payments/nothing/order", data=data).status_code == 404


def csrf(owner: Owner) -> str:
    return str(owner.form("/admin", "sign-out").fields["csrf"])

from __future__ import annotations

import base64
import json

import pytest

from checkout import store as stores
from checkout.errors import Code, Refusal
from checkout.http.client import Answer, Outgoing, Reason, Unreachable
from checkout.interfaces import Store
from checkout.merchants import Reach
from checkout.model.deliveries import DeliveryState, Endpoint
from checkout.outbox import deliveries, endpoints, events
from checkout.outbox.deliveries import PAUSE_AFTER_S, SCHEDULE
from checkout.outbox.endpoints import MOST, SECRET_OVERLAP_S, Wish
from checkout.signing import webhook_signature
from tests.hooks import URL, Listener
from tests.world import START, FakeClock, Outside, answer

DAY = 86_400


@pytest.fixture
def listener(store: Store, clock: FakeClock, outside: Outside) -> Listener:
    return Listener(store, clock, outside)


def refuse(request: Outgoing) -> Answer:
    return answer(500, b"no")


def gone(request: Outgoing) -> Answer:
    return answer(410, b"gone")


def states(listener: Listener, endpoint: Endpoint) -> list[str]:
    return [one.state.value for one in listener.owed(endpoint)]


# Managing


def test_a_new_endpoint_has_a_secret_of_256_bits_and_hears_everything(listener: Listener) -> None:
    one, other = listener.add(), listener.add()
    assert one.secret.startswith("whsec_")
    assert len(base64.b64decode(one.secret.removeprefix("whsec_"), validate=True)) == 32
    assert one.secret != other.secret
    assert (one.events, one.pause, listener.now(one)) == ("", "", one)


def test_all_events_named_count_as_all_and_the_order_is_ours(listener: Listener) -> None:
    named = listener.add("order.closed", "order.paid", "order.paid")
    assert named.events == "order.paid order.closed"
    every = endpoints.change(
        listener.store, named.id, Wish(events=events.TYPES), Reach(), **listener.by
    )  # fmt: skip
    assert every.events == ""


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (Wish("http://127.0.0.1/x"), Code.BAD_URL),
        (Wish("http://169.254.169.254/latest"), Code.BAD_URL),
        (Wish("https://localhost/x"), Code.BAD_URL),
        (Wish("https://hooks.example:22/x"), Code.BAD_URL),
        (Wish("https://user@hooks.example/"), Code.BAD_URL),
        (Wish("file:///etc/passwd"), Code.BAD_URL),
        (Wish("https://hooks.example/\r\nX: y"), Code.BAD_URL),
        (Wish(""), Code.BAD_URL),
        (Wish(None), Code.BAD_URL),
        (Wish(URL, ("order.payed",)), Code.BAD_REQUEST),
        (Wish(URL, None, "x" * 201), Code.BAD_REQUEST),
        (Wish(URL, None, "a\nb"), Code.BAD_REQUEST),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused_and_nothing_is_written(
    listener: Listener, wish: Wish, code: Code
) -> None:
    with pytest.raises(Refusal) as caught:
        endpoints.add(listener.store, 1001, wish, Reach(), **listener.by)
    assert caught.value.code is code
    with listener.store.read() as db:
        assert stores.endpoints.all_of(db) == []


def test_an_unknown_merchant_or_endpoint_is_refused(listener: Listener) -> None:
    with pytest.raises(Refusal) as caught:
        listener.add(merchant_id=7)
    assert caught.value.code is Code.NOT_FOUND
    for act in (endpoints.rotate, endpoints.pause, endpoints.resume, endpoints.remove):
        with pytest.raises(Refusal) as caught:
            act(listener.store, "whk_none", **listener.by)
        assert caught.value.code is Code.NOT_FOUND


def test_a_merchant_has_at_most_twenty_endpoints(listener: Listener) -> None:
    for _ in range(MOST):
        listener.add()
    with pytest.raises(Refusal) as caught:
        listener.add()
    assert caught.value.code is Code.BAD_REQUEST
    listener.add(merchant_id=1002)


def test_no_secret_stands_in_the_audit_log_or_a_representation(listener: Listener) -> None:
    one = listener.add()
    new = endpoints.rotate(listener.store, one.id, **listener.by)
    endpoints.change(listener.store, one.id, Wish(description="the stock system"), Reach(), **listener.by)
    endpoints.pause(listener.store, one.id, **listener.by)
    endpoints.resume(listener.store, one.id, **listener.by)
    endpoints.remove(listener.store, one.id, **listener.by)
    noted = listener.shop.audit()
    assert [entry.action for entry in noted][::-1] == [
        "webhook.add", "webhook.rotate", "webhook.set", "webhook.pause", "webhook.resume", "webhook.remove",
    ]  # fmt: skip
    told = repr(noted) + repr(new)
    assert one.secret not in told
    assert new.secret not in told


# One try


def test_an_event_is_posted_as_it_was_and_any_2xx_acknowledges(listener: Listener) -> None:
    one = listener.add("order.paid")
    order = listener.paid()
    listener.clock.go(4000)
    listener.outside.reply = lambda request: answer(204, b"")
    assert listener.work() == 1
    (sent,) = listener.outside.sent
    (owed,) = listener.owed(one)
    assert (sent.method, sent.url, sent.headers["Content-Type"]) == ("POST", URL, "application/json")
    assert sent.headers["webhook-id"] == owed.id
    assert sent.headers["webhook-timestamp"] == str(START + 4000)
    message = json.loads(sent.body)
    assert (message["type"], message["timestamp"]) == ("order.paid", "2026-09-21T14:13:20Z")
    assert message["data"]["order"] == order.token
    assert owed.state is DeliveryState.DELIVERED
    assert [tried.status for tried in listener.tries(owed)] == [204]


def test_a_refused_event_is_tried_by_the_schedule_under_the_same_id(listener: Listener) -> None:
    one = listener.add("order.paid")
    listener.paid()
    listener.outside.reply = lambda request: answer(302, b"elsewhere")
    listener.work_until(START + 3600)
    assert len({sent.headers["webhook-id"] for sent in listener.outside.sent}) == 1
    assert len(listener.outside.sent) >= 6
    assert listener.now(one).failing_since == START
    listener.outside.reply = lambda request: answer()
    listener.work_until(START + DAY)
    assert listener.now(one).failing_since is None
    assert states(listener, one) == ["delivered"]


def test_during_a_rotation_both_secrets_sign_and_a_day_later_the_new_one_alone(listener: Listener) -> None:
    one = listener.add("order.paid")
    new = endpoints.rotate(listener.store, one.id, **listener.by)
    listener.paid("N1")
    listener.work()
    listener.clock.go(SECRET_OVERLAP_S)
    listener.paid("N2")
    listener.work()
    during, after = listener.outside.sent

    def signature(secret: str, sent: Outgoing) -> str:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        at = int(sent.headers["webhook-timestamp"])
        return webhook_signature(key, sent.headers["webhook-id"], at, sent.body)

    assert during.headers["webhook-signature"] == f"{signature(new.secret, during)} {signature(one.secret, during)}"
    assert after.headers["webhook-signature"] == signature(new.secret, after)


# Pausing


def test_a_410_pauses_at_once_and_resuming_sends_what_waited_under_its_id(listener: Listener) -> None:
    one = listener.add("order.paid")
    listener.paid("N1")
    listener.outside.reply = gone
    listener.work()
    paused = listener.now(one)
    assert (paused.pause, paused.paused_at) == ("gone", START)
    listener.paid("N2")
    listener.clock.go(DAY)
    assert listener.work() == 0
    assert states(listener, one) == ["held", "held"]
    listener.outside.reply = lambda request: answer()
    resumed, waited = endpoints.resume(listener.store, one.id, **listener.by)
    assert (resumed.pause, resumed.failing_since, waited) == ("", None, 2)
    assert listener.work() == 2
    assert states(listener, one) == ["delivered", "delivered"]
    assert {sent.headers["webhook-id"] for sent in listener.outside.sent[1:]} == {
        owed.id for owed in listener.owed(one)
    }


def test_three_days_without_a_success_pause_and_lose_nothing(listener: Listener) -> None:
    one = listener.add("order.paid")
    listener.paid("N1")
    listener.outside.reply = refuse
    listener.work_until(START + 4 * DAY)
    assert listener.now(one).pause == "failing"
    assert states(listener, one) == ["held"]
    listener.outside.reply = lambda request: answer()
    endpoints.resume(listener.store, one.id, **listener.by)
    listener.work()
    assert states(listener, one) == ["delivered"]


def test_after_resuming_the_schedule_and_the_three_days_begin_anew(listener: Listener) -> None:
    """Else an endpoint that is still down would be paused by its first failure, again and again."""
    one = listener.add("order.paid")
    listener.paid()
    listener.outside.reply = refuse
    listener.work_until(START + 4 * DAY)
    tries = len(listener.outside.sent)
    assert tries == len(SCHEDULE)
    endpoints.resume(listener.store, one.id, **listener.by)
    listener.work()
    assert (listener.now(one).pause, states(listener, one)) == ("", ["waiting"])
    listener.work_until(START + 4 * DAY + PAUSE_AFTER_S - 1)
    assert listener.now(one).pause == ""
    listener.work_until(START + 9 * DAY)
    assert listener.now(one).pause == "failing"
    assert len(listener.outside.sent) == 2 * tries


def test_one_poisoned_message_fails_alone_while_others_are_taken(listener: Listener) -> None:
    one = listener.add("order.paid")
    poison = listener.paid("POISON").token
    listener.outside.reply = lambda sent: answer(500 if json.loads(sent.body)["data"]["order"] == poison else 200)
    for day in range(1, 5):
        listener.work_until(START + day * DAY)
        listener.paid(f"N{day}")
        listener.work()
    assert listener.now(one).pause == ""
    assert states(listener, one) == ["failed", *["delivered"] * 4]


def test_an_answer_that_comes_after_the_pause_still_counts(listener: Listener) -> None:
    one = listener.add("order.paid")
    listener.paid()
    (owed,) = listener.owed(one)

    def paused_meanwhile(request: Outgoing) -> Answer:
        endpoints.pause(listener.store, one.id, **listener.by)
        return answer()

    listener.outside.reply = paused_meanwhile
    listener.work()
    assert states(listener, one) == ["delivered"]
    assert [tried.status for tried in listener.tries(owed)] == [200]


def test_a_failure_that_comes_after_the_pause_leaves_the_message_held(listener: Listener) -> None:
    one = listener.add("order.paid")
    listener.paid()

    def paused_meanwhile(request: Outgoing) -> Answer:
        endpoints.pause(listener.store, one.id, **listener.by)
        raise Unreachable(Reason.TIMEOUT, "hooks.example did not answer in time.")

    listener.outside.reply = paused_meanwhile
    listener.work()
    assert states(listener, one) == ["held"]


def test_what_was_claimed_before_a_pause_is_not_sent_after_it(listener: Listener) -> None:
    one = listener.add("order.paid")
    listener.paid()
    (owed,) = listener.owed(one)
    claimed = deliveries.claim(listener.store, owed, START)
    assert claimed is not None
    endpoints.pause(listener.store, one.id, **listener.by)
    assert not deliveries.deliver(listener.store, {}, listener.outside.send, claimed, listener.clock)
    assert listener.outside.sent == []
    endpoints.resume(listener.store, one.id, **listener.by)
    assert listener.work() == 1


def test_pausing_twice_and_resuming_twice_change_nothing_more(listener: Listener) -> None:
    one = listener.add()
    first = endpoints.pause(listener.store, one.id, **listener.by)
    listener.clock.go(5)
    assert endpoints.pause(listener.store, one.id, **listener.by) == first
    endpoints.resume(listener.store, one.id, **listener.by)
    assert endpoints.resume(listener.store, one.id, **listener.by)[1] == 0
    assert [entry.action for entry in listener.shop.audit()] == ["webhook.resume", "webhook.pause", "webhook.add"]


def test_resuming_may_drop_what_waited(listener: Listener) -> None:
    one = listener.add("order.paid")
    endpoints.pause(listener.store, one.id, **listener.by)
    listener.paid()
    assert endpoints.resume(listener.store, one.id, skip=True, **listener.by)[1] == 1
    assert listener.work() == 0
    assert states(listener, one) == ["dropped"]


# Changing, removing, sending again


def test_what_waits_follows_the_endpoint_to_its_new_address(listener: Listener) -> None:
    one = listener.add("order.paid")
    listener.paid()
    endpoints.change(listener.store, one.id, Wish("https://new.example/in"), Reach(), **listener.by)
    assert [owed.url for owed in listener.owed(one)] == ["https://new.example/in"]
    listener.work()
    assert [sent.url for sent in listener.outside.sent] == ["https://new.example/in"]


def test_a_removed_endpoint_gets_nothing_more_and_its_log_stays(listener: Listener) -> None:
    one, other = listener.add("order.paid"), listener.add("order.paid")
    listener.paid("N1")
    assert endpoints.remove(listener.store, one.id, **listener.by) == 1
    listener.paid("N2")
    assert listener.work() == 2
    assert states(listener, one) == ["dropped"]
    assert states(listener, other) == ["delivered", "delivered"]
    with pytest.raises(Refusal) as caught:
        deliveries.resend(listener.store, listener.owed(one)[0].id, START)
    assert caught.value.code is Code.NOT_ALLOWED


def test_a_message_of_a_paused_endpoint_is_not_sent_again_by_hand(listener: Listener) -> None:
    one = listener.add("order.paid")
    listener.paid()
    listener.work()
    (owed,) = listener.owed(one)
    endpoints.pause(listener.store, one.id, **listener.by)
    with pytest.raises(Refusal) as caught:
        deliveries.resend(listener.store, owed.id, START)
    assert caught.value.code is Code.NOT_ALLOWED
    endpoints.resume(listener.store, one.id, **listener.by)
    assert deliveries.resend(listener.store, owed.id, START).state is DeliveryState.WAITING
    assert listener.work() == 1


def test_a_test_event_goes_to_one_endpoint_whatever_it_listens_to(listener: Listener) -> None:
    one, other = listener.add("order.paid"), listener.add()
    queued = endpoints.test(listener.store, one.id, new_id=listener.shop.new_id, now=START)
    endpoints.test(listener.store, one.id, new_id=listener.shop.new_id, now=START)
    assert (queued.event, queued.order_token) == ("checkout.test", "")
    assert listener.events(one) == ["checkout.test", "checkout.test"]
    assert listener.events(other) == []
    assert listener.data(one) == {"endpoint": one.id, "merchant": 1001}
    assert listener.work() == 2
    endpoints.pause(listener.store, one.id, **listener.by)
    with pytest.raises(Refusal) as caught:
        endpoints.test(listener.store, one.id, new_id=listener.shop.new_id, now=START)
    assert caught.value.code is Code.NOT_ALLOWED

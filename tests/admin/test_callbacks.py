"""What shops were told and answered, and the endpoints that hear of events."""

from __future__ import annotations

import re

from checkout import store
from checkout.model.deliveries import DeliveryState
from tests.admin.desk import PASSWORD, Owner, reason, words
from tests.world import World, answer

PLACE = "/admin/webhooks"


def told(world: World) -> str:
    """An order is paid and its shop told once, in vain; gives the id of the message."""
    world.beat()
    world.create("N1", "9.90")
    world.push("9.90")
    world.outside.reply = lambda request: answer(500, b"<b>busy</b>")
    world.work()
    with world.store.read() as db:
        return next(one.id for one in store.deliveries.listed(db, state=None) if not one.endpoint)


def endpoint(owner: Owner, **fields: str) -> str:
    """Adds an endpoint; gives its id."""
    given = {"url": "https://shop.example/hook", "merchant": "1001", **fields}
    assert owner.send(PLACE, "webhooks", **given).status_code == 200
    with owner.world.store.read() as db:
        return store.endpoints.all_of(db)[-1].id


def test_without_messages_the_page_says_what_will_come(owner: Owner) -> None:
    assert "Nothing was told yet" in owner.see("/admin/callbacks")


def test_each_try_shows_what_was_sent_and_answered_but_no_signature(owner: Owner) -> None:
    message = told(owner.world)
    assert "tried again later" in owner.see("/admin/callbacks")
    page = owner.get(f"/admin/callbacks/{message}")
    assert "&lt;b&gt;busy&lt;/b&gt;" in page.text
    assert "HTTP 500" in words(page.text)
    (request,) = owner.world.outside.sent
    sign = re.search(r"sign=(\w+)", request.url)
    assert sign is not None
    assert sign[1] not in page.text
    assert request.headers["webhook-signature"] not in page.text
    assert "sign=…" in page.text


def test_the_owner_tells_a_shop_once_more(owner: Owner) -> None:
    message = told(owner.world)
    done = owner.send(f"/admin/callbacks/{message}", f"callbacks/{message}/tries")
    assert "The shop is told once more." in words(done.text)
    owner.world.outside.reply = lambda request: answer()
    owner.world.work()
    assert "acknowledged" in owner.see(f"/admin/callbacks/{message}")
    with owner.world.store.read() as db:
        assert next(entry.action for entry in store.audit.latest(db)) == "delivery.resend"


def test_the_list_is_filtered_by_state(owner: Owner) -> None:
    message = told(owner.world)
    assert message in owner.get("/admin/callbacks", state="waiting").text
    assert message not in owner.get("/admin/callbacks", state="delivered").text
    assert message in owner.get("/admin/callbacks", state="nonsense").text


def test_an_unknown_message_is_not_found(owner: Owner) -> None:
    assert owner.client.get("/admin/callbacks/nothing").status_code == 404
    assert owner.client.get("/admin/webhooks/nothing").status_code == 404


def test_an_endpoint_is_added_and_its_secret_shown_once(owner: Owner) -> None:
    page = owner.send(PLACE, "webhooks", url="https://shop.example/hook", merchant="1001", events="order.paid")
    secret = re.search(r"whsec_[\w+/=]+", page.text)
    assert secret is not None
    with owner.world.store.read() as db:
        (added,) = store.endpoints.all_of(db)
    assert (added.secret, added.events) == (secret[0], "order.paid")
    assert "whsec_" not in owner.get(f"{PLACE}/{added.id}").text
    assert "whsec_" not in owner.get(PLACE).text


def test_an_endpoint_that_is_refused_keeps_what_was_typed(owner: Owner) -> None:
    page = owner.send(PLACE, "webhooks", url="javascript:alert(1)", merchant="1001", description="my till")
    assert page.status_code == 422
    assert reason(page.text, "url")
    assert "my till" in page.text


def test_the_secret_and_its_rotation_need_the_password(owner: Owner) -> None:
    hook = endpoint(owner)
    place = f"{PLACE}/{hook}"
    owner.later(301)
    assert "type your password" in reason(owner.send(place, f"webhooks/{hook}/secret").text, "secret-password")
    shown = owner.send(place, f"webhooks/{hook}/secret", password=PASSWORD)
    first = re.search(r"whsec_[\w+/=]+", shown.text)
    form = owner.form(place, f"webhooks/{hook}/secret")
    rotated = owner.client.post(f"/admin/webhooks/{hook}/rotation", data=dict(form.form_values()))
    second = re.search(r"whsec_[\w+/=]+", rotated.text)
    assert first is not None
    assert second is not None
    assert first[0] != second[0]


def test_a_paused_endpoint_holds_what_happens_and_goes_on_with_it(owner: Owner) -> None:
    hook = endpoint(owner)
    owner.send(f"{PLACE}/{hook}", f"webhooks/{hook}/pause")
    told(owner.world)
    assert "1 message waits" in owner.see(f"{PLACE}/{hook}")
    done = owner.send(f"{PLACE}/{hook}", f"webhooks/{hook}/pause")
    assert "Waiting messages sent: 1" in words(done.text)
    with owner.world.store.read() as db:
        (held,) = store.deliveries.listed(db, state=None, endpoint=hook)
    assert held.state is DeliveryState.WAITING


def test_a_test_event_leads_to_its_message(owner: Owner) -> None:
    hook = endpoint(owner)
    page = owner.send(f"{PLACE}/{hook}", f"webhooks/{hook}/messages")
    assert "checkout.test" in words(page.text)


def test_a_removed_endpoint_is_gone_and_its_messages_are_not(owner: Owner) -> None:
    hook = endpoint(owner)
    told(owner.world)
    form = owner.form(f"{PLACE}/{hook}", f"webhooks/{hook}/secret")
    answered = owner.client.post(f"/admin/webhooks/{hook}/removal", data=dict(form.form_values()))
    assert answered.status_code == 303
    assert owner.client.get(f"{PLACE}/{hook}").status_code == 404
    with owner.world.store.read() as db:
        (dropped,) = store.deliveries.listed(db, state=None, endpoint=hook)
    assert "dropped" in owner.see(f"/admin/callbacks/{dropped.id}")


def test_a_message_whose_tries_were_forgotten_says_how_many_there_were(owner: Owner) -> None:
    message = told(owner.world)
    with owner.world.store.transaction() as db:
        db.run("DELETE FROM attempts")
    page = words(owner.get(f"/admin/callbacks/{message}").text)
    assert "Not tried yet" not in page
    assert "Tries 1" in page

"""Phones: paired by a code that only who typed the password sees, and voided."""

from __future__ import annotations

import pytest

from checkout import devices
from checkout import store as stores
from checkout.model.devices import Device
from checkout.store.strangers import Stranger
from tests.admin.desk import PASSWORD, Owner, reason, words
from tests.world import DEVICE_KEY

PLACE = "/admin/devices"


def named(owner: Owner, name: str) -> Device:
    return devices.find(owner.world.store, name).device


def test_a_phone_is_paired_and_its_pushes_count(owner: Owner) -> None:
    answer = owner.send(PLACE, "devices", name="Mi 9", kind="vmq", accounts="wx-main")
    key = named(owner, "Mi 9").key
    assert key in answer.text
    assert "Scan this with the app" in words(answer.text)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "not heard from yet" in owner.see(f"{PLACE}/{named(owner, 'Mi 9').id}")
    owner.world.beat(key)
    assert "online" in owner.see(f"{PLACE}/{named(owner, 'Mi 9').id}")
    assert key not in owner.get(f"{PLACE}/{named(owner, 'Mi 9').id}").text


def test_its_key_is_shown_only_with_the_password(owner: Owner) -> None:
    owner.later(301)
    answer = owner.send(f"{PLACE}/phone", "devices/phone/pairing")
    assert "type your password" in reason(answer.text, "password")
    assert DEVICE_KEY not in answer.text
    assert DEVICE_KEY in owner.send(f"{PLACE}/phone", "devices/phone/pairing", password=PASSWORD).text


def test_a_form_that_is_refused_keeps_what_was_typed(owner: Owner) -> None:
    answer = owner.send(PLACE, "devices", name="phone", kind="generic")
    assert "There is a device phone already" in reason(answer.text, "name")
    assert 'value="phone"' in answer.text
    assert '<option value="generic" selected>' in answer.text
    owner.later(301)
    answer = owner.send(PLACE, "devices", name="Mi 9", kind="vmq")
    assert reason(answer.text, "password")
    assert len(devices.all_of(owner.world.store)) == 1


def test_a_new_key_leaves_the_one_before_for_a_day(owner: Owner) -> None:
    form = owner.form(f"{PLACE}/phone", "devices/phone/pairing")
    answer = owner.client.post("/admin/devices/phone/rotation", data=dict(form.form_values()))
    device = named(owner, "phone")
    assert device.key in answer.text
    assert device.keys(owner.world.clock()) == (device.key, DEVICE_KEY)


def test_a_revoked_phone_counts_no_more(owner: Owner) -> None:
    owner.world.create()
    owner.send(f"{PLACE}/phone", "devices/phone/revocation")
    assert owner.world.push("9.90")["code"] != 1
    assert named(owner, "phone").revoked_at is not None
    assert "Revoked phones" in owner.see(PLACE)


def test_a_phone_watches_an_account_no_longer(owner: Owner) -> None:
    owner.send(f"{PLACE}/phone", "devices/phone/accounts/removal", account="ali-main")
    assert devices.find(owner.world.store, "phone").accounts == ("wx-main",)
    assert owner.world.audit()[0].action == "device.unwatch"
    assert "No phone watches ali-main." in owner.see(PLACE)
    token = _csrf(owner)
    again = owner.client.post(f"{PLACE}/phone/accounts/removal", data={"csrf": token, "account": "ali-main"})
    assert again.status_code == 404
    assert len([one for one in owner.world.audit() if one.action == "device.unwatch"]) == 1


def test_its_page_shows_when_it_was_away_and_its_uptime(owner: Owner) -> None:
    assert "Nothing was heard of it yet." in owner.see(f"{PLACE}/phone")
    owner.world.beat()
    owner.world.clock.go(600)
    owner.world.beat()
    owner.world.clock.go(5400)
    seen = owner.see(f"{PLACE}/phone")
    assert "Uptime, 24 hours 0%" in seen
    owner.world.beat()
    owner.world.clock.go(60)
    page = owner.get(f"{PLACE}/phone").text
    assert page.count('class="away"') == 2
    assert "1 h 30 min" in words(page)
    assert "V免签" in owner.see(PLACE)
    assert page.count('class="away"') == owner.get(PLACE).text.count('class="away"')


def test_the_last_money_is_named_with_its_amount(owner: Owner) -> None:
    owner.world.push("7.77")
    assert "¥7.77" in owner.see(f"{PLACE}/phone")


@pytest.mark.parametrize(
    ("title", "text", "said"),
    [
        ("微信支付", "微信支付收款9.90元", ["Money came in", "¥9.90", "wechat-pay"]),
        ("微信支付", "收款若干元", ["To review", "not how much"]),
        ("微信支付", "已支付¥20.00", ["Nothing is booked", "paid out"]),
        ("Mum", "Dinner?", ["Nothing is booked", "nothing about money"]),
    ],
)
def test_a_notification_is_tried_and_nothing_is_booked(owner: Owner, title: str, text: str, said: list[str]) -> None:
    before = owner.world.audit()
    answer = owner.send(f"{PLACE}/notices", "devices/notices", title=title, text=text)
    assert answer.status_code == 200
    assert all(word in words(answer.text) for word in said), words(answer.text)
    assert f">{text}</textarea>" in answer.text.replace("\n", "")
    assert owner.world.payments() == []
    assert owner.world.audit() == before


def test_a_notification_without_words_is_refused_at_its_field(owner: Owner) -> None:
    answer = owner.send(f"{PLACE}/notices", "devices/notices")
    assert answer.status_code == 422
    assert reason(answer.text, "text")


def test_other_kinds_are_told_what_to_enter(owner: Owner) -> None:
    answer = owner.send(PLACE, "devices", name="script", kind="generic", accounts="ali-main")
    assert named(owner, "script").token in answer.text


def test_a_phone_that_is_not_there_is_not_found(owner: Owner) -> None:
    assert owner.client.get(f"{PLACE}/nobody").status_code == 404


def called(owner: Owner, whose: str) -> None:
    with owner.world.store.transaction() as db:
        stores.strangers.put(db, Stranger(whose, owner.world.clock(), "10.0.0.9"))


def test_a_phone_that_calls_with_another_key_is_told_from_one_that_does_not_call(owner: Owner) -> None:
    assert "wrong key" not in owner.see(f"{PLACE}/phone")
    called(owner, "vmq")
    said = owner.see(f"{PLACE}/phone")
    assert "Somebody called with a wrong key at" in said
    assert "from 10.0.0.9" in said
    assert "scan it again" in said
    assert "used an unknown key" in owner.see(PLACE)
    owner.later(1)
    owner.world.beat()
    assert "wrong key" not in owner.see(f"{PLACE}/phone")
    called(owner, "phone")
    assert "wrong key" not in owner.see(f"{PLACE}/phone")  # of the same second as the right one
    owner.later(1)
    called(owner, "phone")
    assert "wrong key" in owner.see(f"{PLACE}/phone")


def _csrf(owner: Owner) -> str:
    form = owner.form(f"{PLACE}/phone", "devices/phone/pairing")
    return str(dict(form.form_values())["csrf"])

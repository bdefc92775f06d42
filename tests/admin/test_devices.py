"""Phones: paired by a code that only who typed the password sees, and voided."""

from __future__ import annotations

from checkout import devices
from checkout.model import Device
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


def test_other_kinds_are_told_what_to_enter(owner: Owner) -> None:
    answer = owner.send(PLACE, "devices", name="script", kind="generic", accounts="ali-main")
    assert named(owner, "script").token in answer.text


def test_a_phone_that_is_not_there_is_not_found(owner: Owner) -> None:
    assert owner.client.get(f"{PLACE}/nobody").status_code == 404

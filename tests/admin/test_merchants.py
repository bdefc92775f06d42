"""Merchants and their secrets, which are shown to who has typed the password a moment ago, and nowhere else."""

from __future__ import annotations

import re

from checkout import api_keys, store
from checkout.model.merchants import Merchant, Mode
from tests.admin.desk import PASSWORD, Owner, reason, words
from tests.world import MERCHANT_KEY, World

PLACE = "/admin/merchants/1001"


def merchant(world: World, number: int = 1001) -> Merchant:
    with world.store.read() as db:
        found = store.merchants.get(db, number)
    assert found is not None
    return found


def test_a_merchant_is_added_and_refused_with_the_reason_at_its_field(owner: Owner) -> None:
    answer = owner.send("/admin/merchants", "merchants", name="", notify_url="https://ok.example/n")
    assert "1 to 64" in reason(answer.text, "name")
    assert "https://ok.example/n" in answer.text
    answer = owner.send("/admin/merchants", "merchants", name="Tea", notify_url="javascript:alert(1)")
    assert "may not be used" in reason(answer.text, "notify_url")
    answer = owner.send("/admin/merchants", "merchants", name="Tea", notify_url="https://ok.example/n")
    assert "The merchant is added." in words(answer.text)
    assert merchant(owner.world, 1002).notify_url == "https://ok.example/n"


def test_its_settings_are_changed_and_only_those(owner: Owner) -> None:
    before = merchant(owner.world)
    owner.send(PLACE, "merchants/1001/settings")
    assert merchant(owner.world) == before
    owner.send(PLACE, "merchants/1001/settings", mode="compat", hosts="a.example\nb.example", guard_param="1")
    after = merchant(owner.world)
    assert (after.mode, after.allow_hosts, after.guard_param) == (Mode.COMPAT, ("a.example", "b.example"), True)
    owner.send(PLACE, "merchants/1001/settings", hosts="b.example")
    assert merchant(owner.world).allow_hosts == ("b.example",)
    answer = owner.send(PLACE, "merchants/1001/settings", hosts="https://x/", name="kept?")
    assert answer.status_code == 422
    assert "A host looks like" in words(answer.text)
    assert merchant(owner.world).name == before.name


def test_the_secret_is_shown_only_with_the_password(owner: Owner) -> None:
    assert MERCHANT_KEY not in owner.get(PLACE).text
    owner.later(300)
    assert "type your password" in reason(owner.send(PLACE, "merchants/1001/secret").text, "secret-password")
    shown = owner.send(PLACE, "merchants/1001/secret", password=PASSWORD)
    assert MERCHANT_KEY in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    assert MERCHANT_KEY not in owner.get(PLACE).text
    assert owner.world.audit()[0].action == "merchant.show-key"


def test_a_new_secret_keeps_the_one_before_for_a_day(owner: Owner) -> None:
    form = owner.form(PLACE, "merchants/1001/secret")
    shown = owner.client.post("/admin/merchants/1001/rotation", data=dict(form.form_values()))
    now = merchant(owner.world)
    assert now.key in shown.text
    assert now.keys(owner.world.clock()) == (now.key, MERCHANT_KEY)


def test_a_key_of_the_api_is_shown_once_and_revoked(owner: Owner) -> None:
    answer = owner.send(PLACE, "merchants/1001/keys", key_name="the shop's server")
    found = re.search("ck_live_[0-9a-f]{64}", answer.text)
    assert found is not None
    assert found[0] not in owner.get(PLACE).text
    with owner.world.store.read() as db:
        key = api_keys.find(db, found[0])
    assert key is not None
    assert set(key.scopes.split()) == {scope.value for scope in api_keys.USUAL}
    owner.send(PLACE, f"merchants/1001/keys/{key.id}/revocation")
    with owner.world.store.read() as db:
        assert api_keys.find(db, found[0]) is None
    assert [entry.action for entry in owner.world.audit()][:2] == ["key.revoke", "key.add"]


def test_a_key_without_a_scope_is_refused(owner: Owner) -> None:
    token = owner.form(PLACE, "merchants/1001/keys").fields["csrf"]
    answer = owner.client.post("/admin/merchants/1001/keys?lang=en", data={"csrf": token, "key_name": "kept"})
    assert "at least one scope" in reason(answer.text, "key_name")
    assert 'value="kept"' in answer.text


def test_a_merchant_is_stopped_and_let_again(owner: Owner) -> None:
    owner.send(PLACE, "merchants/1001/state")
    assert merchant(owner.world).disabled_at is not None
    owner.send(PLACE, "merchants/1001/state")
    assert merchant(owner.world).disabled_at is None


def test_a_merchant_that_is_not_there_is_not_found(owner: Owner) -> None:
    assert owner.client.get("/admin/merchants/9").status_code == 404
    data = {"csrf": owner.form(PLACE, "merchants/1001/state").fields["csrf"]}
    for action in ("settings", "secret", "rotation", "keys", "state", "keys/x/revocation"):
        assert owner.client.post(f"/admin/merchants/9/{action}", data=data).status_code in (404, 422), action

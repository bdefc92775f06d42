"""What an owner sets by browser holds at once; what decides who may reach what is only shown."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from lxml import html
from PIL import Image

from tests.admin.desk import PASSWORD, Owner, reason, words
from tests.pages.shop import opened

PLACE = "/admin/settings"


def picture(side: int = 300) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(buffer, "PNG")
    return buffer.getvalue()


def test_looks_change_on_every_page_at_once(owner: Owner) -> None:
    answer = owner.send(PLACE, "settings/brand", shop_name="茶铺", contact="tea@example.com", brand_color="#aa0000")
    assert "Saved." in words(answer.text)
    order = opened(owner.world)
    page = owner.client.get(f"/pay/{order.token}?lang=en").text
    assert "茶铺" in page
    assert "tea@example.com" in page
    assert "#aa0000" in owner.client.get("/static/checkout.css").text
    assert owner.world.audit()[0].action == "settings.change"


def test_patience_changes_for_new_orders_and_goes_back_to_the_file(owner: Owner) -> None:
    owner.send(PLACE, "settings/orders", order_ttl="900", grace="60", device_offline_after="120")
    order = opened(owner.world)
    assert order.expires_at - order.created_at == 900
    assert owner.world.parts.settings.grace == 60
    owner.send(PLACE, "settings/orders", order_ttl="", grace="", device_offline_after="")
    assert owner.world.parts.settings.order_ttl == 300


def test_a_refused_setting_says_why_at_its_field_and_keeps_what_was_typed(owner: Owner) -> None:
    answer = owner.send(PLACE, "settings/orders", order_ttl="5 minutes", grace="60", device_offline_after="120")
    assert answer.status_code == 422
    assert "must be a whole number from 1 to 86400" in reason(answer.text, "order_ttl")
    assert 'value="5 minutes"' in answer.text
    assert 'value="60"' in answer.text
    assert owner.world.parts.settings.grace == 600
    answer = owner.send(PLACE, "settings/brand", brand_color="red", shop_name="kept?")
    assert "a colour such as" in reason(answer.text, "brand_color")
    assert owner.world.parts.settings.shop_name == "Checkout"


def test_a_logo_is_put_up_and_taken_away(owner: Owner) -> None:
    token = owner.form(PLACE, "settings/logo").fields["csrf"]
    data = {"csrf": token, "brand_logo": (io.BytesIO(picture()), "logo.png")}
    assert owner.client.post("/admin/settings/logo", data=data).status_code == 303
    with Image.open(io.BytesIO(owner.client.get("/brand-logo").data)) as logo:
        assert logo.size == (256, 256)
    page: Any = html.fromstring(owner.get(PLACE).text)
    change, away = (form for form in page.forms if "settings/logo" in form.action)
    assert "required" in change.inputs["brand_logo"].attrib, "nothing chosen does not take it away by mistake"
    assert owner.client.post(away.action, data=dict(away.form_values())).status_code == 303
    assert owner.client.get("/brand-logo").status_code == 404


def test_what_is_no_picture_is_refused_at_its_field(owner: Owner) -> None:
    token = owner.form(PLACE, "settings/logo").fields["csrf"]
    data = {"csrf": token, "brand_logo": (io.BytesIO(b"<svg onload=alert(1)>"), "logo.svg")}
    answer = owner.client.post("/admin/settings/logo?lang=en", data=data)
    assert "not a picture" in reason(answer.text, "brand_logo")


def test_a_new_password_ends_other_sessions_and_keeps_this_one(owner: Owner) -> None:
    other = Owner(owner.world).sign_in()
    typed = {"password": PASSWORD, "password_new": "another long one", "password_again": "another long one"}
    assert "all other browsers are signed out" in words(owner.send(PLACE, "settings/password", **typed).text)
    assert owner.client.get("/admin").status_code == 200
    assert other.client.get("/admin").status_code == 303
    Owner(owner.world).sign_in("another long one")


def test_the_password_is_changed_only_by_who_knows_it(owner: Owner) -> None:
    typed = {"password": "wrong", "password_new": "another long one", "password_again": "another long one"}
    assert "is wrong" in reason(owner.send(PLACE, "settings/password", **typed).text, "password")
    typed |= {"password": PASSWORD, "password_again": "different"}
    assert "differ" in reason(owner.send(PLACE, "settings/password", **typed).text, "password_new")
    Owner(owner.world).sign_in()


def test_browsers_are_signed_out_one_by_one_or_all_at_once(owner: Owner) -> None:
    others = [Owner(owner.world).sign_in() for _ in range(3)]
    owner.send(PLACE, "settings/browsers")
    assert sum(other.client.get("/admin").status_code == 200 for other in others) == 2
    token = owner.form(PLACE, "settings/browsers").fields["csrf"]
    owner.client.post("/admin/settings/browsers", data={"csrf": token})
    assert all(other.client.get("/admin").status_code == 303 for other in others)
    assert owner.client.get("/admin").status_code == 200


def test_how_far_a_copy_is_can_be_asked_until_it_is_made(owner: Owner) -> None:
    place, folder = "/admin/settings/backup/progress", Path(owner.world.parts.settings.database).parent
    waiting = owner.client.get(place, query_string={"lang": "en"}).text
    assert "turn=1" in waiting
    assert "MB" not in waiting, "it has not begun"
    draft = folder / "..download-0a0b0c.db.77.part"
    draft.write_bytes(b"x" * 2_000_000)
    going = owner.client.get(place, query_string={"lang": "en", "turn": "3"}).text
    assert 'value="99"' in going
    assert "2 of about 1 MB" in going
    assert "turn=-1" in going
    draft.unlink()
    over = owner.client.get(place, query_string={"lang": "en", "turn": "-1"}).text
    assert "The copy is made and checked" in over
    assert "hx-get" not in over
    for turn in ("10", "x", "９", "-2", "99999999999"):
        text = owner.client.get(place, query_string={"lang": "en", "turn": turn}).text
        assert ("hx-get" in text) is (turn != "10"), "a copy that was refused is not waited for for ever"
    assert owner.world.client.get(place).status_code in (303, 401, 403)


def test_a_backup_is_downloaded_whole_with_the_password_and_leaves_nothing_behind(owner: Owner, tmp_path: Path) -> None:
    opened(owner.world, "in the backup")
    owner.later(300)
    assert "type your password" in reason(owner.send(PLACE, "settings/backup").text, "backup-password")
    answer = owner.send(PLACE, "settings/backup", password=PASSWORD)
    copy = tmp_path / "copy.db"
    copy.write_bytes(answer.data)
    with sqlite3.connect(copy) as database:
        assert database.execute("SELECT number FROM orders").fetchall() == [("in the backup",)]
    database.close()
    assert answer.headers["Content-Disposition"].endswith('.db"')
    answer.close()
    assert [path.name for path in Path(owner.world.parts.settings.database).parent.glob(".download*")] == []
    assert owner.world.audit()[0].action == "backup.download"


def test_the_servers_own_settings_are_shown_without_a_secret(owner: Owner) -> None:
    page = owner.see(PLACE)
    assert "base_url" in page
    assert "callback_ports80, 443" in page
    secret = (Path(owner.world.parts.settings.database).parent / "secret").read_text().strip()
    assert secret not in owner.get(PLACE).text


@pytest.mark.parametrize("place", ["settings", "accounts/wx-main", "devices/phone", "merchants/1001", "products"])
def test_each_label_leads_to_its_own_field(owner: Owner, place: str) -> None:
    page: Any = html.fromstring(owner.later(301).get(f"/admin/{place}").text)
    named = [label.get("for") for label in page.iter("label") if label.get("for")]
    assert named
    fields = [[one.tag for one in page.xpath("//*[@id=$id]", id=name)] for name in named]
    assert [tags for tags in fields if len(tags) != 1 or tags[0] not in ("input", "select", "textarea")] == []

"""Accounts: the server reads the owner's picture, and says what is wrong with a wrong one."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import pytest
from PIL import Image
from werkzeug.datastructures import FileStorage, MultiDict

from checkout import qr, store
from checkout.model.accounts import Account
from tests.admin.desk import PASSWORD, Owner, reason, words

PLACE = "/admin/accounts"
WECHAT, ALIPAY = "wxp://f2f0another", "https://qr.alipay.com/fkx99"


def found(owner: Owner, name: str) -> Account | None:
    with owner.world.store.read() as db:
        return store.accounts.get(db, name)


def upload(owner: Owner, action: str, page: str, picture: bytes, **fields: str) -> Any:
    """Sends the form as a browser does, with a file in it."""
    form = owner.form(page, action)
    data: MultiDict[str, Any] = MultiDict(form.form_values())
    data.pop("picture", None)
    for name, value in fields.items():
        data[name] = value
    data["picture"] = FileStorage(io.BytesIO(picture), "screenshot.png", content_type="image/png")
    return owner.client.post(form.action, data=data, follow_redirects=True)


def new(owner: Owner, picture: bytes, method: str = "wechat") -> Any:
    return upload(owner, "accounts", PLACE, picture, name="wx-2", method=method)


def photo(*texts: str) -> bytes:
    """A grey picture with the codes side by side, as a JPEG."""
    codes = [Image.open(io.BytesIO(qr.png(text))).convert("L") for text in texts]
    paper = Image.new("L", (60 + sum(code.width + 60 for code in codes), 480), 210)
    left = 60
    for code in codes:
        paper.paste(code, (left, 80))
        left += code.width + 60
    buffer = io.BytesIO()
    paper.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def test_a_photo_of_several_megabytes_is_taken(owner: Owner) -> None:
    noise = Image.effect_noise((3000, 4000), 90)
    noise.paste(Image.open(io.BytesIO(qr.png(WECHAT))).resize((1200, 1200)), (800, 1200))
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG", quality=60)
    assert 2_000_000 < buffer.tell() < 10_000_000
    assert "The account is added." in words(new(owner, buffer.getvalue()).text)


def test_an_account_is_added_from_a_photo_of_its_code(owner: Owner) -> None:
    answer = new(owner, photo(WECHAT))
    assert "The account is added." in words(answer.text)
    account = found(owner, "wx-2")
    assert account is not None
    assert account.code == WECHAT
    assert WECHAT in owner.see(f"{PLACE}/wx-2")


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        (photo(WECHAT, ALIPAY), "more than one QR code"),
        (photo(), "no readable QR code"),
        (b"not a picture", "not a picture that can be read"),
        (b"", "not a picture that can be read"),
    ],
)
def test_a_wrong_picture_is_refused_with_its_reason_at_the_field(owner: Owner, picture: bytes, why: str) -> None:
    answer = new(owner, picture)
    assert answer.status_code == 422
    assert why in reason(answer.text, "picture")
    assert 'value="wx-2"' in answer.text
    assert found(owner, "wx-2") is None


def test_the_other_methods_code_is_refused(owner: Owner) -> None:
    answer = new(owner, photo(ALIPAY))
    assert "This is the code of Alipay" in reason(answer.text) + reason(answer.text, "code")
    assert found(owner, "wx-2") is None


def test_a_contact_card_is_taken_only_by_who_says_that_it_asks_for_money(owner: Owner) -> None:
    answer = new(owner, photo("https://u.wechat.com/abc"))
    assert "contact card" in reason(answer.text, "code")
    assert 'value="https://u.wechat.com/abc"' in answer.text
    answer = owner.send(PLACE, "accounts", name="wx-2", method="wechat", code="https://u.wechat.com/abc", sure="1")
    assert "The account is added." in words(answer.text)


@pytest.mark.parametrize(
    ("code", "method", "why"),
    [
        ("134567890123456789", "wechat", "with which you pay others"),
        ("281234567890123456", "alipay", "with which you pay others"),
        ("weixin://wxpay/bizpayurl?pr=abc", "wechat", "works once"),
        ("https://qr.alipay.com/bax00123", "alipay", "works once"),
        ("https://weixin.qq.com/g/AwYAAFaT9", "wechat", "invitation to a group"),
        ("https://qr.95516.com/00010000/620", "alipay", "UnionPay"),
    ],
)
def test_what_can_never_bring_money_is_refused_with_what_to_take_instead(
    owner: Owner, code: str, method: str, why: str
) -> None:
    answer = new(owner, photo(code), method)
    assert why in words(answer.text)
    assert "take" in words(answer.text)
    answer = owner.send(PLACE, "accounts", name="wx-2", method=method, code=code, sure="1")
    assert answer.status_code == 422, "not even by who is sure"
    assert found(owner, "wx-2") is None


def test_a_website_is_taken_only_by_who_is_sure(owner: Owner) -> None:
    answer = new(owner, photo("https://shop.example/pay"))
    assert "address of a website" in reason(answer.text, "code")
    answer = owner.send(PLACE, "accounts", name="wx-2", method="wechat", code="https://shop.example/pay", sure="1")
    assert "The account is added." in words(answer.text)


@pytest.mark.parametrize(
    ("code", "kind"), [("wxp://f2f0abc", "WeChat personal payment code"), ("wxp://other", "WeChat payment code")]
)
def test_its_page_says_what_kind_of_code_it_has(owner: Owner, code: str, kind: str) -> None:
    new(owner, photo(code))
    assert f"Recognised as: {kind}" in owner.see(f"{PLACE}/wx-2")
    assert kind in owner.see(PLACE)


def test_the_list_shows_phones_amounts_and_the_last_money(owner: Owner) -> None:
    assert "not heard from yet" in owner.see(PLACE)
    owner.world.beat()
    owner.world.create(price="9.90")
    owner.world.create(number="N2", price="9.90")
    seen = owner.see(PLACE)
    assert "phone online" in seen
    assert "2 of 101" in seen
    owner.world.push("9.90")
    for place in (PLACE, f"{PLACE}/wx-main"):
        assert "¥9.90 2026" in owner.see(place), owner.see(place)
    owner.world.clock.go(180)
    assert "phone offline" in owner.see(PLACE)
    with owner.world.store.transaction() as db:
        store.devices.unwatch(db, "phone", "wx-main")
    assert "none" in owner.see(PLACE)
    assert "nobody will notice its money" in owner.see(f"{PLACE}/wx-main")


def test_a_picture_that_unfolds_to_gigabytes_is_refused_before_it_does(owner: Owner) -> None:
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    tracemalloc.start()
    answer = new(owner, buffer.getvalue())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "too large" in reason(answer.text, "picture")
    assert peak < 30_000_000


def test_a_body_beyond_the_limit_is_refused(owner: Owner) -> None:
    kind = "multipart/form-data; boundary=x"
    answer = owner.client.post(PLACE, data=bytes(14_000_000), content_type=kind)
    assert answer.status_code == 413
    assert found(owner, "wx-2") is None


def test_an_account_needs_a_code(owner: Owner) -> None:
    answer = owner.send(PLACE, "accounts", name="wx-2", method="wechat")
    assert "Choose a screenshot" in reason(answer.text, "picture")
    answer = owner.send(PLACE, "accounts", name="wx main", method="wechat", code=WECHAT)
    assert answer.status_code == 422
    answer = owner.send(PLACE, "accounts", name="wx-main", method="wechat", code=WECHAT)
    assert "There is an account" in reason(answer.text, "name")


def test_its_settings_are_changed_and_only_those(owner: Owner) -> None:
    before = found(owner, "wx-main")
    owner.send(f"{PLACE}/wx-main", "accounts/wx-main/settings")
    assert found(owner, "wx-main") == before
    owner.send(
        f"{PLACE}/wx-main", "accounts/wx-main/settings",
        offset="nearest", max_offset="0.50", offline="block", daily_cap="5000", weight="3",
    )  # fmt: skip
    after = found(owner, "wx-main")
    assert after is not None
    assert (after.offset, after.max_offset, after.offline, after.daily_cap, after.weight) == (
        "nearest", 50, "block", 500_000, 3,
    )  # fmt: skip


@pytest.mark.parametrize(("field", "value"), [("max_offset", "1e2"), ("daily_cap", "-1"), ("weight", "１")])
def test_a_setting_that_makes_no_sense_is_refused_at_its_field(owner: Owner, field: str, value: str) -> None:
    before = found(owner, "wx-main")
    answer = owner.send(f"{PLACE}/wx-main", "accounts/wx-main/settings", **{field: value})
    assert answer.status_code == 422
    assert reason(answer.text, field)
    assert f'value="{value}"' in answer.text
    assert found(owner, "wx-main") == before


def test_a_code_that_carries_its_amount_is_added_and_removed(owner: Owner) -> None:
    place = f"{PLACE}/wx-main"
    upload(owner, "accounts/wx-main/codes", place, photo(WECHAT), price="9.90")
    with owner.world.store.read() as db:
        assert [(code.price, code.code) for code in store.accounts.codes(db, "wx-main")] == [(990, WECHAT)]
    owner.send(place, "accounts/wx-main/codes/removal")
    with owner.world.store.read() as db:
        assert store.accounts.codes(db, "wx-main") == []


def test_an_account_is_stopped_and_opened_again(owner: Owner) -> None:
    owner.send(f"{PLACE}/wx-main", "accounts/wx-main/state")
    stopped = found(owner, "wx-main")
    assert stopped is not None
    assert stopped.disabled_at is not None
    owner.send(f"{PLACE}/wx-main", "accounts/wx-main/state")
    again = found(owner, "wx-main")
    assert again is not None
    assert again.disabled_at is None


def test_an_account_that_is_not_there_is_not_found(owner: Owner) -> None:
    assert owner.client.get(f"{PLACE}/nobody").status_code == 404


def test_reasons_are_told_in_the_owners_language(owner: Owner) -> None:
    form = owner.form(PLACE, "accounts")
    data = {**dict(form.form_values()), "name": "wx-2", "method": "wechat"}
    for code, words_ in (("https://u.wechat.com/abc", "名片码"), (ALIPAY, "不是 WeChat 的"), ("hello", "开头")):
        answer = owner.client.post(f"{PLACE}?lang=zh-CN", data={**data, "code": code})
        assert words_ in reason(answer.text, "code") + reason(answer.text)


def test_where_the_money_goes_is_changed_only_with_the_password(owner: Owner) -> None:
    owner.later(301)
    place, settings, codes = f"{PLACE}/wx-main", "accounts/wx-main/settings", "accounts/wx-main/codes"
    tries = (
        (PLACE, "accounts", {"name": "wx-2", "method": "wechat", "code": WECHAT}),
        (place, codes, {"price": "9.90", "code": WECHAT}),
        (place, settings, {"code": WECHAT}),
    )
    for page, action, typed in tries:
        answer = owner.send(page, action, **typed)
        assert (answer.status_code, "type your password" in answer.text) == (422, True), action
    with owner.world.store.read() as db:
        assert store.accounts.codes(db, "wx-main") == []
    account = found(owner, "wx-main")
    assert account is not None
    assert (found(owner, "wx-2"), account.code != WECHAT) == (None, True)
    assert "Saved." in owner.send(place, settings, weight="7").text
    assert "Saved." in owner.send(place, settings, code=WECHAT, password=PASSWORD).text
    changed = found(owner, "wx-main")
    assert changed is not None
    assert (changed.code, changed.weight) == (WECHAT, 7)

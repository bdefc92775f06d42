"""Nobody but the owner gets in, and nothing but the owner's own forms changes anything."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from checkout import store as stores
from checkout.app import owners_pages
from checkout.errors import Code, Refusal, StoreError
from tests.admin.desk import PASSWORD, Owner, words
from tests.dump import dump
from tests.world import World, product

LATIN = re.compile("[A-Za-z]{3}")
OPEN = {"admin.sign_in", "admin.signing_in", "admin.first", "admin.setting_first"}


def routes(app: Flask, method: str) -> list[str]:
    """An address for each of our routes that takes the method."""
    found = []
    pages = owners_pages(app).url_map
    for rule in pages.iter_rules():
        if rule.endpoint.startswith("admin.") and rule.endpoint not in OPEN and method in (rule.methods or ()):
            values = dict.fromkeys(rule.arguments, "1")
            found.append(pages.bind("localhost").build(rule.endpoint, values, method))
    return found


def test_strangers_see_no_page_and_change_nothing(locked: World, stranger: FlaskClient) -> None:
    for path in routes(locked.app, "GET"):
        assert stranger.get(path).status_code == 303, path
    for path in routes(locked.app, "POST"):
        assert stranger.post(path, data={"csrf": "x"}).status_code == 303, path
    assert [entry.action for entry in locked.audit()] == ["owner.password"]


def test_looking_changes_nothing(owner: Owner) -> None:
    world = owner.world
    with world.store.transaction() as db:
        stores.products.add(db, product())
    token = world.create("N1", "9.90")["data"]["orderId"]
    world.push("77.00")
    (payment,) = world.payments()
    known = {"token": token, "payment": payment.id, "product": "ebook", "name": "wx-main", "merchant_id": "1001",
             "device": "phone"}  # fmt: skip
    pages = owners_pages(world.app).url_map
    before, seen = dump(world), set[int]()
    for rule in pages.iter_rules():
        if rule.endpoint.startswith("admin.") and "GET" in (rule.methods or ()):
            path = pages.bind("localhost").build(rule.endpoint, {name: known.get(name, "1") for name in rule.arguments})
            for method in ("GET", "HEAD"):
                seen.add(owner.client.open(path, method=method).status_code)
            assert dump(world) == before, path
    assert seen <= {200, 303, 404, 405, 403}
    assert 200 in seen


def test_every_form_needs_the_token_of_its_session(owner: Owner) -> None:
    before = owner.world.audit()
    other = Owner(owner.world).sign_in()
    foreign = other.form("/admin", "sign-out").fields["csrf"]
    for path in routes(owner.world.app, "POST"):
        for token in ("", "x", "é", foreign):
            answer = owner.client.post(path, data={"csrf": token, "reason": "r", "amount": "1"})
            assert answer.status_code == 403, path
    assert len(owner.world.audit()) == len(before) + 1, "only the other one's sign-in"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_what_another_site_makes_the_browser_send_is_refused(owner: Owner, headers: dict[str, str]) -> None:
    token = owner.form("/admin", "sign-out").fields["csrf"]
    answer = owner.client.post("/admin/sign-out?lang=en", data={"csrf": token}, headers=headers)
    assert answer.status_code == 403
    assert "another site" in answer.text
    assert owner.client.get("/admin").status_code == 200
    assert owner.client.post("/admin/sign-in", data={"password": PASSWORD}, headers=headers).status_code == 403


def test_the_owners_own_browser_may(owner: Owner) -> None:
    token = owner.form("/admin", "sign-out").fields["csrf"]
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
    assert owner.client.post("/admin/sign-out", data={"csrf": token}, headers=headers).status_code == 303


def test_pages_are_never_stored_framed_or_mixed_with_others(owner: Owner, stranger: FlaskClient) -> None:
    for answer in (owner.get("/admin"), stranger.get("/admin/sign-in"), owner.client.get("/admin/nothing")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "https:" not in answer.headers["Content-Security-Policy"], "no script from elsewhere on these pages"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["X-Robots-Tag"].startswith("noindex")


def test_a_page_that_is_not_there_says_so_to_the_owner_only(owner: Owner, stranger: FlaskClient) -> None:
    assert owner.client.get("/admin/nothing").status_code == 404
    assert stranger.get("/admin/nothing").status_code == 303


def test_characters_that_cannot_be_typed_are_refused(locked: World) -> None:
    assert locked.client.post("/admin/sign-in", data={"password": "a\x00b"}).status_code == 400
    assert locked.client.post("/admin/sign-in", data={"password": "a" * 30_000}).status_code == 400


@pytest.mark.parametrize(
    ("lang", "said"), [("zh-CN", "这里没有内容"), ("zh-TW", "這裡沒有內容"), ("en", "There is nothing here")]
)
def test_what_is_not_there_is_said_in_the_owners_language(owner: Owner, lang: str, said: str) -> None:
    for path in ("/admin/nowhere", "/admin/orders/nothing/at/all"):
        answer = owner.client.get(f"{path}?lang={lang}")
        assert answer.status_code == 404
        assert said in words(answer.text)


def test_a_page_that_is_only_sent_to_says_so(owner: Owner) -> None:
    answer = owner.client.get("/admin/sign-out?lang=zh-CN")
    assert answer.status_code in (404, 405)
    assert not LATIN.search(shown(answer.text)), shown(answer.text)
    answer = owner.client.post("/admin?lang=zh-CN")
    assert answer.status_code == 405
    assert not LATIN.search(shown(answer.text)), shown(answer.text)


def test_our_own_mistake_is_admitted_in_the_owners_language(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setitem(owner.views, "admin.devices", broken)
    answer = owner.client.get("/admin/devices?lang=zh-CN")
    assert answer.status_code == 500
    assert "我们这边出了点问题" in words(answer.text)
    assert not LATIN.search(shown(answer.text)), shown(answer.text)
    assert "inside" not in answer.text


def test_a_database_that_fails_is_admitted_too(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(_cookie: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setitem(owner.views, "admin.devices", lambda: unable(None))
    answer = owner.client.get("/admin/devices?lang=zh-CN")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert not LATIN.search(shown(answer.text)), shown(answer.text)


def test_a_refusal_names_the_page_and_no_command(owner: Owner) -> None:
    answer = owner.client.get("/admin/devices/nobody?lang=en")
    assert words(answer.text).startswith("There is nothing here There is no working phone nobody; the page Phones")
    answer = owner.client.get("/admin/devices/nobody?lang=zh-CN")
    assert not LATIN.search(shown(answer.text).replace("nobody", "")), shown(answer.text)


def test_a_refusal_that_nobody_has_translated_is_explained_and_then_quoted(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise Refusal(Code.CONFLICT, "Something that nobody has translated.")

    monkeypatch.setitem(owner.views, "admin.devices", refused)
    answer = owner.client.get("/admin/devices?lang=zh-CN")
    assert answer.status_code == 409
    assert '<p class="help" lang="en">Something that nobody has translated.</p>' in answer.text
    assert not LATIN.search(shown(answer.text).replace("Something that nobody has translated.", ""))
    assert "translated" in words(owner.client.get("/admin/devices?lang=en").text)


def shown(page: str) -> str:
    """The title and the words of a page."""
    title = re.search("<title>(.*?)</title>", page, re.DOTALL)
    assert title is not None
    return f"{title[1]} {words(page)}"

"""Signing in: one password, few guesses, sessions that end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from msgspec.structs import replace

from checkout import ids, sessions
from checkout import owner as rules
from checkout.app import create_app
from checkout.settings import Settings
from tests.admin.desk import PASSWORD, Owner, reason, words
from tests.world import DEVICE_KEY, FakeClock, Outside, World

FIRST = "/admin/first"


def link(world: World) -> str:
    return rules.first_link(world.store, world.clock())


def test_without_a_password_nobody_gets_in_and_the_page_says_how_to_set_one(world: World) -> None:
    client = world.client
    assert client.get("/admin").headers["Location"].startswith("/admin/sign-in")
    assert "checkout admin password" in client.get("/admin/sign-in").text
    assert client.post("/admin/sign-in", data={"password": ""}).status_code == 422


def test_the_right_password_opens_the_overview(locked: World) -> None:
    owner = Owner(locked).sign_in()
    assert "Overview" in owner.see("/admin")
    assert [entry.action for entry in owner.world.audit()][:1] == ["owner.sign-in"]


def test_a_wrong_password_says_so_and_opens_nothing(stranger: FlaskClient) -> None:
    answer = stranger.post("/admin/sign-in?lang=en", data={"password": "wrong"})
    assert answer.status_code == 422
    assert reason(answer.text, "password") == "The password is wrong."
    assert stranger.get("/admin").status_code == 303


def test_after_ten_wrong_passwords_the_right_one_has_to_wait_too(locked: World, stranger: FlaskClient) -> None:
    for _ in range(10):
        stranger.post("/admin/sign-in", data={"password": "wrong"})
    answer = locked.client.post(
        "/admin/sign-in?lang=en", data={"password": PASSWORD}, environ_base={"REMOTE_ADDR": "203.0.113.9"}
    )
    assert reason(answer.text, "password") == "Too many wrong passwords; try again in 15 min."
    locked.clock.go(900)
    Owner(locked).sign_in()


def test_a_browser_known_from_before_is_not_locked_out_by_strangers(owner: Owner, stranger: FlaskClient) -> None:
    owner.send("/admin", "sign-out")
    for _ in range(10):
        stranger.post("/admin/sign-in", data={"password": "wrong"})
    assert stranger.post("/admin/sign-in", data={"password": PASSWORD}).status_code == 422
    owner.sign_in()


def test_ten_wrong_passwords_from_a_known_browser_are_enough_too(owner: Owner) -> None:
    owner.send("/admin", "sign-out")
    for _ in range(10):
        assert "wrong" in owner.client.post("/admin/sign-in?lang=en", data={"password": "wrong"}).text
    assert "Too many" in owner.client.post("/admin/sign-in?lang=en", data={"password": PASSWORD}).text


def test_the_cookie_is_new_at_each_sign_in_and_not_in_the_database(owner: Owner) -> None:
    cookie = owner.client.get_cookie("checkout-owner")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    with owner.world.store.read() as db:
        assert db.all("SELECT id FROM sessions") == [(sessions.id_of(cookie.value),)]
    owner.client.post("/admin/sign-in", data={"password": PASSWORD})
    again = owner.client.get_cookie("checkout-owner")
    assert again is not None
    assert again.value != cookie.value
    owner.client.set_cookie("checkout-owner", cookie.value)
    assert owner.client.get("/admin").status_code == 303, "the session before has ended"


def test_behind_https_the_cookies_are_bound_to_the_host(locked: World) -> None:
    answer = locked.client.post("/admin/sign-in", data={"password": PASSWORD}, base_url="https://pay.example")
    cookies = answer.headers.getlist("Set-Cookie")
    assert cookies
    assert all(one.startswith("__Host-") and "; Secure" in one and "; Path=/" in one for one in cookies)


def test_a_session_ends_after_half_a_day_without_use(owner: Owner) -> None:
    owner.later(sessions.IDLE_S - 1).get("/admin")
    owner.later(sessions.IDLE_S - 1).get("/admin")
    assert owner.later(sessions.IDLE_S).client.get("/admin").status_code == 303


def test_a_page_that_refreshes_itself_is_no_use(owner: Owner) -> None:
    for _ in range(2):
        owner.later(sessions.IDLE_S // 3).get("/admin/status")
    answer = owner.later(sessions.IDLE_S // 3).client.get("/admin/status", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/admin/sign-in"


def test_a_session_ends_after_two_weeks_whatever_happens(owner: Owner) -> None:
    for _ in range(28):
        owner.later(sessions.IDLE_S - 1).client.get("/admin")
    assert owner.later(60).client.get("/admin").status_code == 303


def test_signing_out_ends_the_session_for_good(owner: Owner) -> None:
    cookie = owner.client.get_cookie("checkout-owner")
    assert cookie is not None
    owner.send("/admin", "sign-out")
    owner.client.set_cookie("checkout-owner", cookie.value)
    assert owner.client.get("/admin").status_code == 303


def test_who_signed_out_is_told_so_once(owner: Owner) -> None:
    assert "You are signed out." in owner.send("/admin", "sign-out").text
    assert "You are signed out." not in owner.client.get("/admin/sign-in").text


def test_signing_in_leads_back_to_the_page_that_was_wanted_and_never_elsewhere(locked: World) -> None:
    client = locked.client
    place = client.get("/admin/audit?noun=order").headers["Location"]
    assert place == "/admin/sign-in?next=%2Fadmin%2Faudit%3Fnoun%3Dorder"
    assert 'value="/admin/audit?noun=order"' in client.get(place).text
    for wanted, leads in {
        "/admin/audit?noun=order": "/admin/audit?noun=order",
        "https://evil.example/": "/admin",
        "//evil.example/admin/": "/admin",
        "/admin//evil.example": "/admin",
        "/admin/\\evil.example": "/admin",
        "/adminevil": "/admin",
    }.items():
        answer = locked.client.post("/admin/sign-in", data={"password": PASSWORD, "next": wanted})
        assert answer.headers["Location"] == leads


def test_below_a_path_of_the_base_url_every_address_stays_below_it(
    settings: Settings, clock: FakeClock, outside: Outside
) -> None:
    below = replace(settings, base_url="http://localhost/co")
    app = create_app(below, clock=clock, send=outside.send, work=False)
    world = World.set_up(app, clock, outside)
    rules.set_password(world.store, PASSWORD, actor="test", new_id=ids.new_id, now=clock())
    client = world.client
    place = client.get("/co/admin/orders?state=paid").headers["Location"]
    assert place == "/co/admin/sign-in?next=%2Fco%2Fadmin%2Forders%3Fstate%3Dpaid"
    answer = client.post(
        "/co/admin/sign-in", data={"password": PASSWORD, "next": "/co/admin/orders?state=paid"}, follow_redirects=True
    )
    assert answer.request.path == "/co/admin/orders"
    assert 'href="/admin' not in answer.text
    assert 'action="/admin' not in answer.text
    world.store.close()


def test_the_first_link_sets_the_password_once(world: World) -> None:
    token = link(world)
    client = world.client
    assert "Choose your password" in words(client.get(FIRST, query_string={"link": token, "lang": "en"}).text)
    fields = {"link": token, "password": PASSWORD, "password_again": PASSWORD}
    assert client.post(FIRST, data=fields).headers["Location"] == "/admin"
    assert client.get("/admin").status_code == 200
    other = world.client
    assert other.get(FIRST, query_string={"link": token}).status_code == 403
    answer = other.post(f"{FIRST}?lang=en", data={**fields, "password": "x" * 20, "password_again": "x" * 20})
    assert reason(answer.text) or "was used" in words(answer.text)
    Owner(world).sign_in()


def test_of_two_first_visits_at_once_the_second_changes_nothing(world: World) -> None:
    token = link(world)
    one, two = world.client, world.client
    for client in (one, two):
        assert client.get(FIRST, query_string={"link": token}).status_code == 200
    one.post(FIRST, data={"link": token, "password": PASSWORD, "password_again": PASSWORD})
    two.post(FIRST, data={"link": token, "password": "somebody else", "password_again": "somebody else"})
    Owner(world).sign_in()
    assert two.get("/admin").status_code == 303


def test_the_first_link_ends_after_an_hour_and_when_a_newer_one_is_made(world: World) -> None:
    old = link(world)
    new = link(world)
    assert world.client.get(FIRST, query_string={"link": old}).status_code == 403
    assert world.client.get(FIRST, query_string={"link": new}).status_code == 200
    world.clock.go(rules.LINK_S)
    fields = {"link": new, "password": PASSWORD, "password_again": PASSWORD}
    assert world.client.post(FIRST, data=fields).status_code == 422
    assert not rules.is_set(world.store)


def test_no_link_is_made_when_there_is_a_password(locked: World) -> None:
    assert link(locked) == ""
    assert locked.client.get(FIRST, query_string={"link": ""}).status_code == 403


def test_passwords_that_are_short_or_differ_are_refused_with_the_reason(world: World) -> None:
    token = link(world)
    for password, again, why in (
        ("short", "short", "10 to 200"), ("long enough 1", "long enough 2", "differ"), ("x" * 201, "x" * 201, "10 to"),
    ):  # fmt: skip
        fields = {"link": token, "password": password, "password_again": again}
        answer = world.client.post(f"{FIRST}?lang=en", data=fields)
        assert answer.status_code == 422
        assert why in reason(answer.text, "password")
    assert not rules.is_set(world.store)


def test_a_new_password_ends_the_sessions_of_all_others(owner: Owner) -> None:
    rules.set_password(owner.world.store, "another password", actor="cli", new_id=owner.world.parts.new_id, now=1)
    assert owner.client.get("/admin").status_code == 303
    owner.sign_in("another password")


def test_one_password_is_compared_or_hashed_at_a_time(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes 19 MB and a processor: strangers must not make the server do many at once."""
    alone: list[bool] = []

    def watched(original: Callable[..., Any]) -> Callable[..., Any]:
        def working(*given: Any) -> Any:
            is_free = rules._one_at_a_time.acquire(blocking=False)
            alone.append(not is_free)
            if is_free:  # or whoever comes next would wait for ever, instead of the test failing
                rules._one_at_a_time.release()
            return original(*given)

        return working

    for name in ("verify", "hash"):
        monkeypatch.setattr(PasswordHasher, name, watched(getattr(PasswordHasher, name)))
    Owner(locked).sign_in()
    rules.set_password(locked.store, "another password", actor="t", new_id=ids.new_id, now=locked.clock())
    assert alone == [True, True]


def changed_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next password that is typed is compared just before somebody sets another one."""
    fits = rules._fits

    def comparing(hashed: str, typed: str) -> bool:
        monkeypatch.setattr(rules, "_fits", fits)
        found = fits(hashed, typed)
        rules.set_password(world.store, "another password", actor="cli", new_id=world.parts.new_id, now=world.clock())
        return found

    monkeypatch.setattr(rules, "_fits", comparing)


def test_whoever_signs_in_while_the_password_is_changed_is_not_in(
    locked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed_meanwhile(locked, monkeypatch)
    thief = locked.client
    answer = thief.post("/admin/sign-in?lang=en", data={"password": PASSWORD})
    assert reason(answer.text, "password") == "The password is wrong."
    assert thief.get("/admin").status_code == 303
    Owner(locked).sign_in("another password")


def test_of_two_who_change_the_password_at_once_the_second_changes_nothing(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed_meanwhile(owner.world, monkeypatch)
    typed = {"password": PASSWORD, "password_new": "of the thief", "password_again": "of the thief"}
    answer = owner.send("/admin/settings", "settings/password", **typed)
    assert "The password is wrong." in answer.text
    assert owner.client.get("/admin").status_code == 303
    Owner(owner.world).sign_in("another password")


def test_nothing_is_handed_out_for_a_password_that_is_changed_while_it_is_compared(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.later(301)
    changed_meanwhile(owner.world, monkeypatch)
    answer = owner.send("/admin/devices/phone", "devices/phone/pairing", password=PASSWORD)
    assert "The password is wrong." in answer.text
    assert DEVICE_KEY not in answer.text
    assert owner.client.get("/admin").status_code == 303


def test_guesses_are_counted_before_they_are_checked(locked: World) -> None:
    """Twenty at once must not become twenty tries: the count is written in the transaction that reads it."""
    with locked.store.transaction() as db:
        for number in range(10):
            db.run("INSERT INTO password_tries VALUES (:id, 'strangers', :at)", id=f"t{number}", at=locked.clock())
    assert locked.client.post("/admin/sign-in", data={"password": PASSWORD}).status_code == 422
    with locked.store.read() as db:
        assert db.one("SELECT count(*) FROM password_tries") == (10,), "a try that is not checked is not counted"

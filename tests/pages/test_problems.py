"""What people and programs are told when something goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

import checkout
from checkout.pages import problem
from checkout.pages.problems import SENTENCES
from checkout.store.sqlite import SqliteStore
from tests.world import World

SOURCES = [*Path(checkout.__file__).parent.rglob("*.py")]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


def test_a_browser_gets_a_page_in_the_buyers_language_with_the_reason(client: FlaskClient) -> None:
    answer = client.get("/nothing", headers={"Accept": BROWSER, "Accept-Language": "zh-CN"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert '<html lang="zh-CN">' in answer.text
    assert "这里没有内容" in answer.text
    assert '<p class="fine">错误 404。</p>' in answer.text
    assert "script-src" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"


@pytest.mark.parametrize("accept", ["application/json", "application/problem+json"])
def test_a_program_gets_a_problem_document(client: FlaskClient, accept: str) -> None:
    answer = client.get("/nothing", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    found = answer.get_json()
    assert found["type"] == "about:blank"
    assert (found["title"], found["status"]) == ("Not Found", 404)
    assert found["detail"]


@pytest.mark.parametrize("accept", ["*/*", "", "text/plain", "image/png"])
def test_others_get_one_sentence(client: FlaskClient, accept: str) -> None:
    answer = client.get("/nothing", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (404, "text/plain")
    assert answer.text.count("\n") == 0


@pytest.mark.parametrize(
    ("status", "heading"),
    [
        (400, "This does not work"), (403, "This does not work"), (404, "There is nothing here"),
        (410, "There is nothing here"), (429, "Too many tries"), (500, "Something went wrong on our side"),
        (503, "One moment, please"), (599, "Something went wrong on our side"),
    ],
)  # fmt: skip
def test_each_status_has_its_words(world: World, status: int, heading: str) -> None:
    with world.app.test_request_context("/x", headers={"Accept": "text/html", "Accept-Language": "en"}):
        answer = problem(status, "<b>Why</b>")
    assert answer.status_code == status
    html = answer.get_data(as_text=True)
    assert f"<h1>{heading}</h1>" in html
    # What the page has said already is not said again; the rest is for the shop, which reads it in English.
    assert ("&lt;b&gt;Why&lt;/b&gt;" in html) is (status not in (404, 410, 429, 500))
    assert "<b>Why" not in html


def test_a_reason_that_is_the_shops_to_mend_says_whose_it_is(world: World) -> None:
    with world.app.test_request_context("/x", headers={"Accept": "text/html", "Accept-Language": "zh-CN"}):
        html = problem(400, "The sign is wrong.").get_data(as_text=True)
    assert '<p class="fine">错误 400。 供商家排查： <span lang="en">The sign is wrong.</span></p>' in html


@pytest.mark.parametrize("sentence", sorted(SENTENCES))
def test_what_a_buyer_can_meet_is_said_in_the_buyers_language_alone(world: World, sentence: str) -> None:
    assert any(sentence in path.read_text() for path in SOURCES if path.name != "problems.py")
    for language in ("zh-CN", "zh-TW"):
        with world.app.test_request_context("/x", headers={"Accept": "text/html", "Accept-Language": language}):
            html = problem(403, sentence).get_data(as_text=True)
        assert sentence not in html
        assert 'lang="en">' not in html.partition("<main")[2].partition("</main>")[0]


@pytest.mark.parametrize(
    ("status", "method", "again"), [(429, "GET", True), (503, "GET", True), (503, "POST", False), (404, "GET", False)]
)
def test_what_passes_can_be_tried_again_with_one_press(world: World, status: int, method: str, again: bool) -> None:
    place = "/buy/ebook?ref=me&lang=en"
    with world.app.test_request_context(place, method=method, headers={"Accept": "text/html"}):
        html = problem(status, "Why").get_data(as_text=True)
    assert ('<a class="button" href="?ref=me&amp;lang=en">Try again</a>' in html) is again


def test_a_status_without_a_name_is_an_error(world: World) -> None:
    with world.app.test_request_context("/x", headers={"Accept": "application/json"}):
        answer = problem(599, "Why")
    found = answer.get_json()
    assert found["title"] == "Error"


def test_a_page_needs_no_database_to_say_that_it_is_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from checkout.errors import StoreError

    def broken(self: SqliteStore) -> None:
        raise StoreError("The database file is damaged.")

    monkeypatch.setattr(SqliteStore, "read", broken)
    answer = world.client.get(f"/pay/{'0' * 32}", headers={"Accept": BROWSER, "Accept-Language": "en"})
    assert answer.status_code == 503
    assert "One moment, please" in answer.text
    assert "damaged" not in answer.text

"""What people and programs are told when something goes wrong."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from checkout.pages import problem
from checkout.store.sqlite import SqliteStore
from tests.world import World

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


def test_a_browser_gets_a_page_in_the_buyers_language_with_the_reason(client: FlaskClient) -> None:
    answer = client.get("/nothing", headers={"Accept": BROWSER, "Accept-Language": "zh-CN"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert '<html lang="zh-CN">' in answer.text
    assert "这里没有内容" in answer.text
    assert '<p class="fine" lang="en">404: ' in answer.text
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
    assert "&lt;b&gt;Why&lt;/b&gt;" in html


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

"""The owner at a browser without scripts: gets pages, fills in the forms that are on them, and sends them."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from lxml import html
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from tests.world import World

PASSWORD = "a long walk by the sea"


class Owner:
    """`world` is the shop; `client` keeps the cookies."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client: FlaskClient = world.app.test_client()

    def sign_in(self, password: str = PASSWORD) -> Owner:
        answer = self.client.post("/admin/sign-in", data={"password": password})
        assert answer.status_code == 303, answer.text
        return self

    def get(self, path: str, **query: str) -> TestResponse:
        """A page, in English, that is there."""
        answer = self.client.get(path, query_string={"lang": "en", **query})
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer

    @property
    def views(self) -> dict[str, Any]:
        """Of the pages, which are an application of their own."""
        pages: Flask = self.world.app.extensions["checkout.admin"]
        return pages.view_functions

    def see(self, path: str, **query: str) -> str:
        """The words on a page, with single spaces."""
        return words(self.get(path, **query).text)

    def send(self, page: str, action: str, **fields: str) -> TestResponse:
        """Fills in the form of `page` that goes to `action` (below /admin, without query) and sends it: hidden and
        preset fields go along as a browser would send them, `fields` are typed."""
        form = self.form(page, action)
        data = MultiDict(form.form_values())
        for name, value in fields.items():
            data[name] = value
        return self.client.post(form.action, data=data, follow_redirects=True)

    def form(self, page: str, action: str) -> Any:
        tree: Any = html.fromstring(self.get(page).text)
        found = [form for form in tree.forms if (form.action or "").partition("?")[0] == f"/admin/{action}"]
        assert found, f"{page} has no form for /admin/{action}: {[form.action for form in tree.forms]}"
        return found[0]

    def later(self, seconds: int) -> Owner:
        """Time passes, so that the password has to be typed again; the phone keeps beating."""
        self.world.clock.go(seconds)
        return self


def words(page: str) -> str:
    """The text of a page's content."""
    found = _found(page, "//main") or _found(page, "//body")
    return _text(found[0])


def reason(page: str, field: str = "") -> str:
    """The reason at a field of a refused form, or that of the whole form."""
    found = _found(page, f"//*[@id='{field}-reason']" if field else "//*[@id='refused']")
    return _text(found[0]) if found else ""


def _found(page: str, xpath: str) -> list[Any]:
    found: Any = html.fromstring(page).xpath(xpath)
    return list(found)


def _text(element: Any) -> str:
    return " ".join(element.text_content().split())

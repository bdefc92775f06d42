"""docs/api-reference: it is what the program says of itself, in both languages, and every example in it works."""

from __future__ import annotations

import json
import re
import shlex
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from checkout import api_keys
from checkout import store as stores
from checkout.api_keys import Scope
from checkout.errors import Code
from checkout.protocols.api import problems
from checkout.protocols.api.operations import OPERATIONS
from checkout.web import STATUS
from release import reference
from release.examples import BASE
from release.reference import LANGUAGES, Page
from tests.servers import on_loopback
from tests.world import World, product

STATUSES = {one.name: one.status for one in OPERATIONS} | {"get_receipt": 200}


def examples(kind: str) -> dict[str, str]:
    """The examples of the page by the operation's name."""
    text = reference.path("en").read_text(encoding="utf-8")
    found = re.findall(rf"(?s)```{kind}\n(.*?)\n```", text)
    return dict(zip(STATUSES, found, strict=True))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_what_the_program_says_of_itself(language: str) -> None:
    page = Page(language)
    made = page.text()
    assert page.missing == [], "translate these in release/reference.zh.toml"
    assert reference.path(language).read_text(encoding="utf-8") == made, "run: python -m release.reference"


def test_no_translation_is_left_over() -> None:
    page = Page("zh")
    page.text()
    assert set(page._words) - page.used == set()


def test_every_code_of_a_problem_is_explained() -> None:
    never = {Code.BAD_SIGNATURE, Code.ZERO_AMOUNT}  # those of dialects that sign, and that have prices of nothing
    given = {code.value for code in set(STATUS) - never} | set(problems._CODES.values()) | {"missing_scope"}
    assert set(reference.CODES) == given


class Prepared:
    """A shop in which everything that an example names is there."""

    def __init__(self, world: World) -> None:
        self.world = world
        with world.store.transaction() as db:
            stores.products.add(db, product())
        world.beat()
        self.key = api_keys.add(
            world.store, 1001, "docs", Scope, actor="test", new_id=world.parts.new_id, now=world.clock()
        ).secret

    def names(self, operation: str) -> dict[str, str]:
        """What the variables of an example stand for."""
        order: str = self.world.create("A1")["data"]["orderId"]
        if operation in ("create_refund", "list_refunds", "get_receipt"):
            self.world.push("9.90")
        if operation in ("get_payment", "link_payment"):
            self.world.push("47.11")
        payments = self.world.payments()
        with self.world.store.read() as db:
            receipt = stores.receipts.of_order(db, order)
        return {
            "KEY": self.key, "ORDER": order, "PAYMENT": payments[0].id if payments else "",
            "RECEIPT": receipt.token if receipt else "",
        }  # fmt: skip


@pytest.mark.parametrize("operation", STATUSES)
def test_the_commands_of_the_page_do_what_they_say(world: World, operation: str) -> None:
    shop = Prepared(world)
    command = examples("sh")[operation]
    for name, value in shop.names(operation).items():
        command = command.replace(f"${name}", value)
    with on_loopback(world.app) as base_url:
        status, said = _run(command, base_url)
    assert status == STATUSES[operation], said
    assert isinstance(said, dict)


@pytest.mark.parametrize("operation", STATUSES)
def test_the_python_of_the_page_does_what_it_says(
    world: World, operation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Prepared(world)
    names: dict[str, Any] = shop.names(operation)
    if operation == "list_orders":
        world.push("9.90")
    with on_loopback(world.app) as base_url:
        program = examples("python")[operation].replace(BASE.removesuffix("/api/v1"), base_url)
        exec(program, names)  # noqa: S102 - our own page
    assert capsys.readouterr().out.strip()


def _run(command: str, base_url: str) -> tuple[int, Any]:
    """Does what curl does with these words."""
    words = shlex.split(command)
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    (url,) = [word for word in words if word.startswith(BASE)]
    body = words[words.index("-d") + 1] if "-d" in words else None
    place = urlsplit(url)
    connection = HTTPConnection(urlsplit(base_url).netloc, timeout=10)
    connection.request("POST" if body else "GET", f"{place.path}?{place.query}".rstrip("?"), body, headers)
    answer = connection.getresponse()
    said = answer.status, json.loads(answer.read())
    connection.close()
    return said

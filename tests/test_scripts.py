"""The scripts for other people's pages: small enough, and verify.js judges returns as it should (run by Node)."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from checkout import returns
from checkout import store as stores
from tests.browser.host import EVENTS
from tests.conftest import skip_or_fail
from tests.pages.shop import opened, settled
from tests.world import World

STATIC = Path(__file__).resolve().parents[1] / "static"

RUNNER = """
const { readFileSync } = require("node:fs")
const { vm, keys, now, cases } = JSON.parse(readFileSync(0))
globalThis.document = { currentScript: { src: "https://pay.example/static/verify.js" } }
globalThis.location = { href: cases[0].url }
globalThis.window = globalThis
globalThis.fetch = async (url) => {
  if (String(url) !== "https://pay.example/.well-known/checkout-keys.json") throw Error(url)
  return { json: async () => keys }
}
Date.now = () => now * 1000
;(0, eval)(vm)
Promise.all(cases.map(({ url, expected }) => verifyCheckout(expected, url)))
  .then((found) => console.log(JSON.stringify(found)))
"""


@pytest.mark.parametrize(("name", "most"), [("checkout.js", 2500), ("verify.js", 1000), ("frame.js", 1200)])
def test_scripts_stay_small(name: str, most: int) -> None:
    assert len(gzip.compress((STATIC / name).read_bytes(), 9)) <= most


def test_scripts_need_nothing_and_are_not_minified() -> None:
    for name in ("checkout.js", "verify.js", "frame.js", "receipt.js"):
        text = (STATIC / name).read_text()
        assert max(map(len, text.splitlines())) <= 140
        for word in ("eval(", "innerHTML", "window.open", "document.write", "document.cookie", 'setAttribute("style'):
            assert word not in text


def verdicts(world: World, cases: list[tuple[str, dict[str, str]]], later: int = 0) -> list[dict[str, object] | None]:
    """What verify.js says of each (return address, what the page expects)."""
    if shutil.which("node") is None:
        skip_or_fail("node", "no Node is installed (apt install nodejs)")
    asked = {
        "vm": (STATIC / "verify.js").read_text(),
        "keys": returns.public_keys(world.store, world.clock()),
        "now": world.clock() + later,
        "cases": [{"url": url, "expected": expected} for url, expected in cases],
    }
    done = subprocess.run(["node", "-e", RUNNER], input=json.dumps(asked), capture_output=True, text=True, check=True)
    found: list[dict[str, object] | None] = json.loads(done.stdout)
    return found


def return_of(world: World, url: str = "https://site.example/thanks") -> str:
    order = opened(world, dialect="embed", product="ebook", buyer="用户 42&co_state=paid", return_url=url)
    found = returns.address(world.store, world.parts.dialects, settled(world, order), world.clock())
    assert found
    return found


def changed(url: str, **values: str) -> str:
    place = urlsplit(url)
    return place._replace(query=urlencode({**dict(parse_qsl(place.query)), **values})).geturl()


def test_a_return_of_ours_is_accepted_and_read(world: World) -> None:
    url = return_of(world)
    (found,) = verdicts(world, [(url, {"product": "ebook"})])
    order = dict(parse_qsl(urlsplit(url).query))["co_order"]
    assert found == {
        "order": order, "product": "ebook", "ref": "用户 42&co_state=paid", "amount": 990, "at": world.clock(),
    }  # fmt: skip


def test_a_return_behind_a_fragment_is_found(world: World) -> None:
    assert verdicts(world, [(return_of(world, "https://site.example/#/thanks"), {})])[0]


def test_any_change_is_refused(world: World) -> None:
    url = return_of(world)
    cases = [
        changed(url, co_amount="1"), changed(url, co_product="other"), changed(url, co_ref="me"),
        changed(url, co_order="0" * 32), changed(url, co_ts=str(world.clock() + 1)), changed(url, co_kid="0" * 16),
        changed(url, co_state="PAID"), changed(url, co_sig=""), changed(url, co_sig="A" * 86), changed(url, co_sig="é"),
        changed(url, co_ref="用户 42", co_state="paid&co_state=paid"), "https://site.example/thanks",
        "https://site.example/?co_order=",
    ]  # fmt: skip
    assert verdicts(world, [(case, {}) for case in cases]) == [None] * len(cases)


def test_no_return_can_be_cut_into_one_of_another_product(world: World) -> None:
    """The buyer of something cheap names his own ref: `x&co_product=dear` in it must not become a value of its own."""
    order = opened(
        world, dialect="embed", product="ebook", buyer="x&co_product=dear&co_ref=y", return_url="https://s.example/"
    )
    url = returns.address(world.store, world.parts.dialects, settled(world, order), world.clock())
    assert url
    cut = changed(url, co_order=f"{order.token}&co_product=ebook&co_ref=x", co_product="dear", co_ref="y")
    honest, *others = verdicts(world, [(url, {"product": "ebook"}), (cut, {"product": "dear"}), (cut, {})])
    assert honest
    assert others == [None, None]


def test_a_return_for_another_product_or_amount_is_refused(world: World) -> None:
    url = return_of(world)
    assert verdicts(world, [(url, {"product": "other"}), (url, {"ref": "somebody"})]) == [None, None]


def test_a_return_ends_after_a_quarter_of_an_hour(world: World) -> None:
    url = return_of(world)
    assert verdicts(world, [(url, {})], later=900)[0]
    assert verdicts(world, [(url, {})], later=901) == [None]
    assert verdicts(world, [(url, {})], later=-901) == [None]


def test_a_key_of_another_checkout_is_refused(world: World) -> None:
    url = return_of(world)
    key_id = dict(parse_qsl(urlsplit(url).query))["co_kid"]
    with world.store.transaction() as db:
        db.run("DELETE FROM signing_keys WHERE id = :id", id=key_id)
    other, pem = returns.signing_key(world.store, world.clock())
    with world.store.transaction() as db:
        db.run("DELETE FROM signing_keys WHERE id = :id", id=other)
        stores.keys.add(db, key_id, pem, world.clock())
    assert verdicts(world, [(url, {})]) == [None]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_on_static_sites_names_every_attribute_event_and_method(language: str) -> None:
    script = (STATIC / "checkout.js").read_text()
    page = (STATIC.parent / "docs" / f"static-sites.{language}.md").read_text(encoding="utf-8")
    grammar = re.search(r"const GRAMMAR = \{(.*?)\n  \}", script, re.DOTALL)
    assert grammar
    names = set(re.findall(r"(?m)(?:^ +|, )(\w+): /", grammar[1])) - {"product", "order"}
    assert set(re.findall(r"(?m)^\| `data-([\w-]+)`", page)) == names | {
        "checkout",
        "checkout-inline",
        "checkout-order",
    }
    assert set(re.findall(r"(?m)^\| `checkout:(\w+)`", page)) == set(EVENTS.split())
    methods = re.search(r"window\.Checkout = \{(.*)\}", script)
    assert methods
    assert set(re.findall(r"`Checkout\.(\w+)", page)) == set(re.findall(r"(?:^|, )\s*(\w+)(?=[:,])", methods[1]))

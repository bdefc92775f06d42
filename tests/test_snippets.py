"""What owners paste: whatever was chosen, it is markup of ours and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from lxml import html

from checkout import snippets
from tests.world import product

BASE = "https://pay.example.com"
ALL = {
    "method": "wechat", "mode": "modal", "quantity": "2", "amount": "9.90", "ref": "user-42", "lang": "en",
    "theme": "dark", "return": "https://blog.example/thanks?a=1&b=2",
}  # fmt: skip
HOSTILE = "\"></script><script>alert(1)</script>' & 中文 \u2028"


def made(**chosen: str) -> dict[str, str]:
    return {one.name: one.html for one in snippets.of(product(), BASE, chosen)}


def parsed(text: str) -> Any:
    return html.fromstring(f"<div>{text}</div>")


def test_without_a_choice_they_are_as_short_as_can_be() -> None:
    assert made()["link"] == f'<a href="{BASE}/buy/ebook">购买</a>'
    assert f'<a href="{BASE}/buy/ebook" data-checkout="ebook">购买</a>' in made()["dialog"]
    assert 'Checkout.open({ product: "ebook" })' in made()["script"]


def test_every_choice_stands_in_every_way_that_knows_it() -> None:
    found = made(**ALL)
    for name in ("dialog", "inline"):
        (element,) = parsed(found[name]).xpath("//*[@data-checkout or @data-checkout-inline]")
        assert {each: element.get(f"data-{each}") for each in ALL} == ALL
    (link,) = parsed(found["link"]).xpath("//a/@href")
    assert "mode=" not in link
    assert "return=https%3A%2F%2Fblog.example%2Fthanks%3Fa%3D1%26b%3D2" in link
    opened = re.search(r"Checkout\.open\((\{.*\})\)", found["script"])
    assert opened
    assert json.loads(re.sub(r"(\w+): ", r'"\1": ', opened[1])) == {"product": "ebook", **ALL}


@pytest.mark.parametrize("name", ["link", "dialog", "inline", "script"])
def test_a_label_with_markup_stays_a_label(name: str) -> None:
    found = made(ref=HOSTILE)[name]
    tree = parsed(found)
    assert len(tree.xpath("//script")) == {"link": 0, "dialog": 1, "inline": 1, "script": 2}[name]
    assert "alert(1)</script>" not in found
    for value in tree.xpath("//@data-ref"):
        assert value == HOSTILE


def test_an_order_of_the_merchant_brings_all_but_its_looks() -> None:
    one = snippets.of_order("0" * 32, BASE, ALL)
    (element,) = parsed(one.html).xpath("//a")
    assert dict(element.attrib) == {
        "href": f"{BASE}/pay/{'0' * 32}", "data-checkout-order": "0" * 32, "data-mode": "modal", "data-lang": "en",
        "data-theme": "dark",
    }  # fmt: skip

"""The page that puts together what to paste, without scripts: a form of GET."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import html

from checkout import store
from tests.admin.desk import Owner, reason
from tests.world import product

PLACE = "/admin/products/ebook/embed"


@pytest.fixture
def shop(owner: Owner) -> Owner:
    with owner.world.store.transaction() as db:
        store.products.add(db, product(lowest=100, highest=5000))
    return owner


def parsed(page: str) -> Any:
    return html.fromstring(page)


def snippet(page: str, name: str) -> str:
    (text,) = parsed(page).xpath(f"//textarea[@id='snippet-{name}']/text()")
    return str(text).strip()


def test_what_was_chosen_stands_in_every_snippet_and_in_the_preview(shop: Owner) -> None:
    page = shop.get(PLACE, method="alipay", quantity="2", language="zh-TW", theme="dark", amount="20").text
    for text in ('data-method="alipay"', 'data-quantity="2"', 'data-lang="zh-TW"', 'data-amount="20"'):
        assert text in snippet(page, "dialog")
    assert 'data-checkout-order="ORDER"' in snippet(page, "order")
    (seen,) = parsed(page).xpath("//iframe/@src")
    preview = shop.client.get(seen).text
    assert 'lang="zh-TW"' in preview
    assert 'data-theme="dark"' in preview
    assert preview.index('value="alipay"') < preview.index('value="wechat"')


def test_the_form_keeps_what_was_typed(shop: Owner) -> None:
    page = parsed(shop.get(PLACE, ref='a "b" <c>', mode="modal").text)
    (form,) = [one for one in page.forms if one.method == "GET"]
    assert (form.fields["ref"], form.fields["mode"]) == ('a "b" <c>', "modal")


@pytest.mark.parametrize(
    ("field", "value"),
    [("method", "cash"), ("mode", "popup"), ("language", "fr"), ("theme", "pink"), ("quantity", "4"),
     ("quantity", "1e1"), ("amount", "60"), ("amount", "NaN"), ("ref", "x" * 201), ("ref", "a\x00b"),
     ("return", "https://evil.example/"), ("return", "javascript:alert(1)")],
)  # fmt: skip
def test_what_the_buyers_page_would_refuse_is_left_out_and_said_at_its_field(
    shop: Owner, field: str, value: str
) -> None:
    page = shop.client.get(PLACE, query_string={"lang": "en", "method": "wechat", field: value})
    assert page.status_code == 200
    assert reason(page.text, field)
    name = "lang" if field == "language" else field
    assert f"data-{name}=" not in snippet(page.text, "dialog")


def test_a_fixed_price_takes_no_amount(owner: Owner) -> None:
    with owner.world.store.transaction() as db:
        store.products.add(db, product())
    assert "amount" not in owner.get(PLACE).text.partition('<form method="get"')[2].partition("</form>")[0]
    page = owner.client.get(PLACE, query_string={"lang": "en", "amount": "9.90"})
    assert reason(page.text, "amount")


def test_nobody_else_sees_it(shop: Owner) -> None:
    assert shop.world.client.get(PLACE).status_code == 303
    assert shop.client.get("/admin/products/nothing/embed").status_code == 404

"""The receipt: permanent, with the goods; files and links behind addresses that end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from checkout import store as stores
from checkout.catalogue import Goods
from checkout.model.orders import Order
from checkout.model.products import Receipt
from checkout.pages.goods import html
from tests.pages.test_buy import add, change, orders, send
from tests.world import World


def bought(world: World, **values: str) -> tuple[Order, Receipt]:
    send(world, **values)
    order = orders(world)[0]
    assert order.really_price
    world.push(f"{order.really_price // 100}.{order.really_price % 100:02d}")
    with world.store.read() as db:
        receipt = stores.receipts.of_order(db, order.token)
    assert receipt
    return world.order(order.token), receipt


def page_of(world: World, receipt: Receipt) -> TestResponse:
    return world.client.get(f"/receipt/{receipt.token}?lang=en", headers={"Accept": "text/html"})


def test_the_page_of_a_paid_order_leads_to_the_receipt_for_a_day(world: World) -> None:
    add(world)
    order, receipt = bought(world)
    assert f"/receipt/{receipt.token}" in world.client.get(f"/pay/{order.token}").text
    world.clock.go(86_400)
    assert receipt.token not in world.client.get(f"/pay/{order.token}").text
    assert page_of(world, receipt).status_code == 200


def test_before_the_payment_there_is_no_receipt(world: World) -> None:
    add(world)
    send(world)
    order = orders(world)[0]
    assert "/receipt/" not in world.client.get(f"/pay/{order.token}").text
    assert world.client.get(f"/receipt/{order.token}").status_code == 404


@pytest.mark.parametrize("token", ["0" * 32, "x", "..", "%00", "A" * 32])
def test_an_unknown_receipt_is_a_plain_page(world: World, token: str) -> None:
    for path in (f"/receipt/{token}", f"/receipt/{token}/file", f"/receipt/{token}/link", f"/api/v1/receipts/{token}"):
        assert world.client.get(path).status_code == 404


def test_keys_stand_on_the_receipt_and_stay(world: World) -> None:
    add(world, goods=Goods("keys", "KEY-1\nKEY-2\nKEY-3"), max_quantity=2)
    _, receipt = bought(world, quantity="2")
    text = page_of(world, receipt).text
    assert re.findall(r"<code>([^<]+)", text) == ["KEY-1", "KEY-2"]
    change(world, enabled=False, goods=Goods("return"))
    world.clock.go(10 * 365 * 86_400)
    assert "KEY-1" in page_of(world, receipt).text


def test_a_missing_key_is_said_to_be_missing(world: World) -> None:
    add(world, goods=Goods("keys", "KEY-1"))
    send(world)
    with world.store.transaction() as db:
        db.run("DELETE FROM product_keys")
    order = orders(world)[0]
    assert order.really_price
    world.push(f"{order.really_price // 100}.{order.really_price % 100:02d}")
    with world.store.read() as db:
        receipt = stores.receipts.of_order(db, order.token)
    assert receipt
    assert "1 key is still missing" in page_of(world, receipt).text


def test_markdown_is_shown_cleaned(world: World) -> None:
    add(world, goods=Goods("text", "# Hello\n\n[book](https://x.example/b) <script>alert(1)</script>\n\n|a|\n|-|\n|b|"))
    text = page_of(world, bought(world)[1]).text
    assert '<a href="https://x.example/b"' in text
    assert "<table>" in text
    assert "<script>alert" not in text


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>", "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](data:text/html,x)",
        "![x](https://evil.test/p.png)", '<a href="x" onclick="y">z</a>', "<svg onload=alert(1)>", "<iframe src=x>",
        "[x](vbscript:x)", "<style>*{display:none}</style>", '[x](https://a.test "\\" onmouseover=alert(1) x=\\"")',
        "[x](&#106;avascript:alert(1))", "<https://a.test/\"onload=x>", "`<img src=x onerror=alert(1)>`",
    ],
)  # fmt: skip
def test_markdown_carries_nothing_that_runs_or_loads(evil: str) -> None:
    found = html(evil)
    tags = re.findall(r"<(\w+)([^>]*)>", found)
    assert {name for name, _ in tags} <= {"p", "a", "code"}
    for _, attributes in tags:
        names = set(re.findall(r'([\w-]+)="[^"]*"', attributes))
        assert names <= {"href", "title", "target", "rel"}
        assert not re.search(r'href="(?!https?:|mailto:)', attributes)


def test_a_file_is_behind_a_link_that_ends(world: World, tmp_path: Path) -> None:
    (tmp_path / "书 1.pdf").write_bytes(b"%PDF book")
    add(world, goods=Goods("file", str(tmp_path / "书 1.pdf")))
    _, receipt = bought(world)
    text = page_of(world, receipt).text
    assert str(tmp_path) not in text
    found = re.search(rf'href="(/receipt/{receipt.token}/file[^"]+)"', text)
    assert found
    place = found[1].replace("&amp;", "&")
    answer = world.client.get(place)
    assert (answer.status_code, answer.data) == (200, b"%PDF book")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    answer.close()
    world.clock.go(600)
    assert world.client.get(place).status_code == 403
    assert world.client.get(f"/receipt/{receipt.token}/file").status_code == 403
    assert world.client.get(f"/receipt/{receipt.token}/link{place[place.index('?') :]}").status_code == 403


@pytest.mark.parametrize(
    ("asked", "status", "got"),
    [
        ("bytes=0-1", 206, b"ab"),
        ("bytes=3-", 206, b"def"),
        ("bytes=-2", 206, b"ef"),
        ("bytes=2-99", 206, b"cdef"),
        ("bytes=6-", 416, None),
        ("bytes=0-0,2-3", 416, None),
    ],
)
def test_a_download_can_be_resumed(world: World, tmp_path: Path, asked: str, status: int, got: bytes | None) -> None:
    (tmp_path / "book").write_bytes(b"abcdef")
    add(world, goods=Goods("file", str(tmp_path / "book")))
    _, receipt = bought(world)
    place = re.search(r'href="(/receipt/[^"]+/file[^"]+)"', page_of(world, receipt).text)
    assert place
    with world.client.get(place[1], headers={"Range": asked}) as answer:
        assert answer.status_code == status
        if got is not None:
            assert (answer.data, answer.headers["Content-Length"]) == (got, str(len(got)))
            assert answer.headers["Cache-Control"] == "private, no-store"


def test_a_file_that_is_gone_is_no_server_error(world: World, tmp_path: Path) -> None:
    book = tmp_path / "book.pdf"
    book.write_bytes(b"x")
    add(world, goods=Goods("file", str(book)))
    _, receipt = bought(world)
    place = re.search(r'href="(/receipt/[^"]+/file[^"]+)"', page_of(world, receipt).text)
    assert place
    book.unlink()
    assert world.client.get(place[1].replace("&amp;", "&")).status_code == 404


def test_a_link_is_named_only_to_who_has_a_grant(world: World) -> None:
    add(world, goods=Goods("link", "https://files.example/secret"))
    _, receipt = bought(world)
    text = page_of(world, receipt).text
    assert "files.example" not in text
    place = re.search(r'href="(/receipt/[^"]+/link[^"]+)"', text)
    assert place
    answer = world.client.get(place[1].replace("&amp;", "&"))
    assert (answer.status_code, answer.location) == (302, "https://files.example/secret")


def test_any_site_can_ask_what_a_receipt_is_for_and_nothing_else(world: World) -> None:
    add(world, goods=Goods("keys", "KEY-1"))
    order, receipt = bought(world, ref="user-42")
    answer = world.client.get(f"/api/v1/receipts/{receipt.token}")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.get_json() == {
        "receipt": receipt.token, "state": "paid", "product": "ebook", "quantity": 1, "ref": "user-42",
        "price": {"amount": 990, "currency": "CNY"}, "paid_at": "2026-09-21T14:13:20Z",
        "refunded": {"amount": 0, "currency": "CNY"},
    }  # fmt: skip
    assert order.token not in answer.text
    assert "KEY-1" not in answer.text
    assert world.client.get(f"/api/v1/receipts/{'0' * 32}").headers["Access-Control-Allow-Origin"] == "*"


def test_nobody_is_taken_away_from_goods_by_itself(world: World) -> None:
    add(world, goods=Goods("text", "Hello"), return_url="https://shop.example/thanks")
    order, _ = bought(world)
    text = world.client.get(f"/pay/{order.token}").text
    assert "https://shop.example/thanks?co_order=" in text
    assert "data-return-in" not in text
    change(world, goods=Goods("return"))
    send(world)
    other = orders(world)[0]
    if other.token == order.token:
        other = orders(world)[1]
    assert other.really_price
    world.push(f"{other.really_price // 100}.{other.really_price % 100:02d}", t=world.clock() * 1000 + 9)
    assert "data-return-in" in world.client.get(f"/pay/{other.token}").text

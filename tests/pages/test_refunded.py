"""What buyers see of refunds: on the page of the order, on the receipt, and what is handed over no more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from checkout import ids, products, store
from checkout.catalogue import Goods
from checkout.model.orders import Order
from checkout.model.refunds import Refund, RefundState
from checkout.refunds import ledger
from tests.pages.test_buy import add
from tests.pages.test_receipt import bought, page_of
from tests.world import World

WHOLE = "The shop has sent all of the money back."


def send_back(world: World, order: Order, amount: int | None = None) -> None:
    ledger.by_hand(
        world.store, order.token, amount=amount, reason="returned", actor="o", new_id=ids.new_id, now=world.clock()
    )


def page(world: World, order: Order) -> str:
    return world.client.get(f"/pay/{order.token}?lang=en", headers={"Accept": "text/html"}).text


def rows(text: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>([^<]*)</dt><dd>(?:<b>)?([^<]*)", text))


def test_a_part_is_a_row_of_the_page_and_of_the_receipt(world: World) -> None:
    add(world)
    order, receipt = bought(world)
    send_back(world, order, 100)
    for text in (page(world, order), page_of(world, receipt).text):
        assert rows(text)["Refunded"].endswith("1.00")
        assert WHOLE not in text
    assert world.client.get(f"/api/v1/receipts/{receipt.token}").get_json()["state"] == "paid"


def test_all_of_it_is_said_first_and_nobody_is_taken_back_to_the_shop(world: World) -> None:
    add(world)
    order, receipt = bought(world)
    send_back(world, order)
    text = page(world, order)
    assert '<h1 tabindex="-1">Refunded</h1>' in text
    assert "<title>Refunded" in text
    assert WHOLE in text
    assert "data-return-in" not in text
    assert WHOLE in page_of(world, receipt).text
    found = world.client.get(f"/api/v1/receipts/{receipt.token}").get_json()
    assert (found["state"], found["refunded"]["amount"]) == ("refunded", order.really_price)


def test_nothing_that_says_paid_is_signed_any_more_and_the_buyer_finds_the_shop(world: World) -> None:
    token = world.create("N1", "9.90")["data"]["orderId"]
    world.push("9.90")
    order = world.order(token)
    assert "co_sig=" in page(world, order)
    send_back(world, order)
    text = page(world, order)
    assert "co_state" not in text
    assert 'href="https://shop.example/"' in text


def test_money_on_its_way_back_is_said_and_the_goods_stay_until_it_is_there(world: World) -> None:
    add(world, goods=Goods("keys", "KEY-1"))
    order, receipt = bought(world)
    assert order.really_price
    under_way = Refund(
        "ref_1", order.token, "ref_1", order.really_price, "r", RefundState.ASKED, world.clock(), None, due_at=1
    )
    with world.store.transaction() as db:
        store.refunds.add(db, under_way)
    text = page_of(world, receipt).text
    assert "On its way back" in rows(text)
    assert "KEY-1" in text


def test_keys_of_a_refunded_order_are_shown_no_more_and_named_to_the_owner(world: World) -> None:
    add(world, goods=Goods("keys", "KEY-1\nKEY-2"))
    order, receipt = bought(world)
    with world.store.read() as db:
        assert products.keys_to_block(db, order) == []
    send_back(world, order)
    assert "KEY-1" not in page_of(world, receipt).text
    assert receipt.token in page(world, order)  # the proof stays
    with world.store.read() as db:
        assert products.keys_to_block(db, order) == ["KEY-1"]


def test_keys_that_were_owed_to_a_refunded_order_go_to_the_next(world: World) -> None:
    add(world, goods=Goods("keys", "KEY-1"))
    order, receipt = bought(world)
    with world.store.transaction() as db:
        store.receipts.supply(db, receipt.token, "", 1)  # as if the keys had run out
    send_back(world, order)
    with world.store.transaction() as db:
        product = store.products.get(db, order.product)
        assert product is not None
        assert products.add_keys(db, product, ["KEY-9"], world.clock()) == (1, 0)


@pytest.mark.parametrize("deliver", ["file", "link"])
def test_links_to_goods_end_with_the_refund_also_those_that_were_handed_out(
    world: World, deliver: str, tmp_path: Path
) -> None:
    book = tmp_path / "book.pdf"
    book.write_bytes(b"PDF")
    add(world, goods=Goods(deliver, str(book) if deliver == "file" else "https://example.com/book"))
    order, receipt = bought(world)
    address = re.search(rf'href="([^"]*/{deliver}\?[^"]*)"', page_of(world, receipt).text)
    assert address
    handed_out = address[1].replace("&amp;", "&")
    with world.client.get(handed_out) as answer:
        assert answer.status_code in (200, 302)
    send_back(world, order)
    refused: Any = world.client.get(handed_out)
    assert refused.status_code == 403
    assert "grant=" not in page_of(world, receipt).text

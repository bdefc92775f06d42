from __future__ import annotations

from contextlib import closing

from checkout import store as stores
from checkout.model.deliveries import Try
from checkout.store import open_store
from tests.cli.conftest import Console
from tests.cli.test_orders import opened, pushed


def test_what_a_buyer_or_shop_wrote_turns_no_line_around(shop: Console) -> None:
    order = opened(shop, "N\u202e1\u2066")
    for shown in (shop("order", "list").out, shop("order", "show", order.token).out):
        assert "N\ufffd1\ufffd" in shown
        assert "\u202e" not in shown


def test_what_a_shop_answered_cannot_steer_the_terminal(shop: Console) -> None:
    opened(shop)
    pushed(shop, 990)
    (owed,) = shop.json("delivery", "list")
    answer = "\x1b]0;title\x07no\x1b[2J\r\nnot \u009b31m\u202enow"
    with closing(open_store(shop.database)) as store, store.transaction() as db:
        stores.deliveries.add_try(db, Try(owed["id"], 1, shop.clock.now, 500, 3, answer, ""))
    shown = shop("delivery", "show", owed["id"]).out
    assert "now" in shown
    assert all(char.isprintable() or char == "\n" for char in shown)

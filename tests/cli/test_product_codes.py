"""`checkout product qr`: the static code of a product."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from checkout import qr
from tests.channels.wechat import API_KEY
from tests.cli.conftest import Console


@pytest.fixture
def sells(shop: Console) -> Console:
    (shop.folder / "api_key.txt").write_text(API_KEY)
    (shop.folder / "api_key.txt").chmod(0o600)
    (shop.folder / "checkout.toml").write_text(
        '[channels.wechat]\nkind = "wechat"\napp_id = "wx2421b1c4370ec43b"\nmch_id = "1900000109"\n'
        'api_key = "api_key.txt"\n'
    )
    shop("product", "add", "tea", "--title", "茶", "--price", "9.90")
    return shop


def test_it_is_printed_with_the_address_to_enter(sells: Console, tmp_path: Path) -> None:
    picture = tmp_path / "tea.png"
    found = sells.json("product", "qr", "tea", "--channel", "wechat", "--png", str(picture))
    query = parse_qs(urlsplit(found["text"]).query)
    assert (query["product_id"], query["mch_id"]) == (["tea"], ["1900000109"])
    assert found["callback"] == "http://127.0.0.1:8000/notify/wechat/product"
    assert qr.read(picture.read_bytes()) == found["text"]
    shown = sells("product", "qr", "tea", "--channel", "wechat")
    assert ("█" in shown.out, API_KEY in shown.out) == (True, False)


@pytest.mark.parametrize(("product", "channel"), [("tea", "alipay"), ("coffee", "wechat"), ("tea", "personal")])
def test_what_has_no_code_is_refused(sells: Console, product: str, channel: str) -> None:
    assert sells.refused("product", "qr", product, "--channel", channel)


def test_an_id_that_wechat_does_not_take_is_refused(sells: Console) -> None:
    sells("product", "add", "t" * 40, "--title", "茶", "--price", "9.90")
    assert "at most 32" in sells.refused("product", "qr", "t" * 40, "--channel", "wechat")

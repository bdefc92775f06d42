"""Products by the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Console

ADD = ("product", "add", "ebook", "--title", "电子书", "--price", "9.90")


def test_a_product_is_added_with_its_defaults(shop: Console) -> None:
    added = shop.json(*ADD)
    assert (added["id"], added["title"], added["price"], added["merchant"]) == ("ebook", "电子书", "9.90", 1001)
    assert (added["lowest"], added["stock"], added["per_buyer"], added["max_quantity"]) == (None, None, None, 1)
    assert (added["origins"], added["deliver"], added["left"], added["brand"]) == ([], "return", None, {})
    assert added["buy_url"].endswith("/buy/ebook")


def test_everything_that_a_product_can_be_is_an_option(shop: Console) -> None:
    added = shop.json(
        *ADD, "--title-en", "E-book", "--lowest", "1.00", "--highest", "99.00", "--max-quantity", "3", "--stock", "10",
        "--per-buyer", "2", "--low-stock", "4", "--origin", "https://a.example", "--origin", "https://b.example",
        "--return-url", "https://a.example/thanks", "--brand-name", "Books", "--brand-color", "#AA0000", "--lang", "en",
    )  # fmt: skip
    assert (added["title_en"], added["lowest"], added["highest"]) == ("E-book", "1.00", "99.00")
    assert (added["max_quantity"], added["stock"], added["per_buyer"], added["left"]) == (3, 10, 2, 10)
    assert added["origins"] == ["https://a.example", "https://b.example"]
    assert added["return_url"] == "https://a.example/thanks"
    assert added["brand"] == {"name": "Books", "color": "#aa0000", "lang": "en"}


def test_what_is_not_named_stays_and_none_takes_a_limit_away(shop: Console) -> None:
    shop.json(*ADD, "--stock", "10", "--per-buyer", "2", "--lang", "zh-TW", "--origin", "https://a.example")
    changed = shop.json("product", "set", "ebook", "--price", "12.80")
    assert (changed["price"], changed["stock"], changed["brand"]["lang"]) == ("12.80", 10, "zh-TW")
    freed = shop.json(
        "product", "set", "ebook", "--stock", "none", "--per-buyer", "none", "--lang", "none",
        "--remove-origin", "https://a.example",
    )  # fmt: skip
    assert (freed["stock"], freed["per_buyer"], freed["brand"], freed["origins"]) == (None, None, {}, [])


def test_keys_are_counted_and_never_shown(shop: Console) -> None:
    keys = shop.folder / "keys.txt"
    keys.write_text("KEY-1\nKEY-2\nKEY-2\n\n", encoding="utf-8")
    assert shop.json(*ADD, "--deliver-keys", str(keys))["left"] == 2
    more = shop.folder / "more.txt"
    more.write_text("KEY-2\nKEY-3\n", encoding="utf-8")
    assert shop.json("product", "keys", "add", "ebook", str(more)) == {
        "product": "ebook", "added": 1, "handed": 0, "left": 3,
    }  # fmt: skip
    assert shop.json("product", "keys", "left", "ebook")["left"] == 3
    assert "KEY-" not in shop("product", "show", "ebook").out + shop("product", "list", "--json").out


def test_a_product_that_runs_low_says_so(shop: Console) -> None:
    result = shop(*ADD, "--stock", "3")
    assert result.code == 0
    assert "Only 3 left of ebook." in result.err


def test_it_is_taken_from_sale_and_put_back(shop: Console) -> None:
    shop.json(*ADD)
    assert shop.json("product", "disable", "ebook")["disabled_at"]
    assert "disabled" in shop("product", "list").out
    assert shop.json("product", "enable", "ebook")["disabled_at"] is None


def test_what_to_paste_is_printed_for_every_level(shop: Console) -> None:
    shop.json(*ADD)
    result = shop("product", "embed", "ebook")
    assert "name the sites of your pages" in result.err
    for part in ('<a href="', 'data-checkout="ebook"', 'data-checkout-inline="ebook"', "Checkout.open("):
        assert part in result.out
    shop.json("product", "set", "ebook", "--origin", "https://a.example")
    assert shop("product", "embed", "ebook").err == ""


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [(("--price", "9.999"), "look like 9.90"), (("--price", "0"), "greater than 0"), (("--stock", "-1"), "whole"),
     (("--stock", "x"), "whole number"), (("--lowest", "5.00"), "come together"),
     (("--lowest", "20.00", "--highest", "10.00"), "lowest"), (("--title", "a\nb"), "one line"),
     (("--title", "x" * 121), "at most 120"), (("--origin", "https://a.example/path"), "without a path"),
     (("--origin", "a.example"), "looks like"), (("--return-url", "javascript:alert(1)"), "http"),
     (("--brand-color", "red"), "#047f40"), (("--deliver-file", "nowhere.zip"), "There is no file"),
     (("--deliver-text", "nowhere.md"), "cannot be read"), (("--merchant", "9"), "no merchant 9")],
)  # fmt: skip
def test_nonsense_is_refused_in_one_sentence_and_changes_nothing(
    shop: Console, wrong: tuple[str, ...], sentence: str
) -> None:
    before = shop.json(*ADD)
    assert sentence in shop.refused("product", "set", "ebook", *wrong)
    assert shop.json("product", "show", "ebook") == before


def test_wrong_usage_is_said_to_be_so(shop: Console, tmp_path: Path) -> None:
    (tmp_path / "text.md").write_text("hello")
    for arguments in (
        ("product", "add", "ebook", "--title", "x"), ("product", "add", "ebook", "--price", "1.00"),
        (*ADD, "--lang", "fr"), (*ADD, "--deliver-text", "a", "--deliver-link", "https://x.example"),
    ):  # fmt: skip
        assert shop(*arguments).code == 2
    assert shop.json("product", "list") == []


def test_an_id_is_short_and_used_once(shop: Console) -> None:
    shop.json(*ADD)
    assert "There is a product ebook already" in shop.refused(*ADD)
    assert "A product's id has" in shop.refused("product", "add", "E book", "--title", "x", "--price", "1.00")
    assert "There is no such product" in shop.refused("product", "show", "nothing")

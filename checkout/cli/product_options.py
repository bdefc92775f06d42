"""What a product can be told to be, on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from checkout import catalogue, money
from checkout.catalogue import Draft, Goods
from checkout.errors import Code, Refusal

_MAX_TEXT = 1024 * 1024

OPTIONS = (
    click.option("--title", "title_zh", metavar="T", help="What buyers read."),
    click.option("--title-en", metavar="T", help="The same in English."),
    click.option("--price", metavar="9.90", help="For one piece, in yuan."),
    click.option("--lowest", metavar="1.00", help="Buyers name the price, from here …"),
    click.option("--highest", metavar="99.00", help="… to here; --price is what is suggested. With set, none: fixed."),
    click.option("--max-quantity", type=click.IntRange(1, 9999), metavar="N", help="Pieces in one order (default: 1)."),
    click.option("--stock", metavar="N", help="Pieces in all; none: as many as are asked for."),
    click.option("--per-buyer", metavar="N", help="Pieces for one buyer; none: no limit."),
    click.option("--low-stock", type=click.IntRange(0), metavar="N", help="Tell me when fewer are left (default: 5)."),
    click.option("--origin", "add_origins", metavar="O", multiple=True,
                 help="A site that may show the checkout in its pages: https://shop.example.com; repeatable."),
    click.option("--return-url", metavar="URL", help="Where buyers go after they have paid."),
    click.option("--deliver-text", metavar="F", help="Deliver the text in this Markdown file."),
    click.option("--deliver-keys", metavar="F", help="Deliver a licence key for each piece; one on a line."),
    click.option("--deliver-file", metavar="F", help="Deliver this file; it stays where it is."),
    click.option("--deliver-link", metavar="URL", help="Deliver this address."),
    click.option("--brand-name", metavar="N", help="The shop's name on the pages of this product."),
    click.option("--brand-color", metavar="#rrggbb", help="Its colour."),
    click.option("--lang", type=click.Choice([*catalogue.LANGUAGES, "none"]),
                 help="The language of its pages, whatever the browser asks for; none: the buyer's."),
    click.option("--merchant", type=int, metavar="ID", help="Who is told about the payments (default: the first)."),
)  # fmt: skip


def draft_of(wanted: dict[str, Any]) -> Draft:
    """What the options, by name, ask for. Refused: BAD_REQUEST, BAD_AMOUNT."""
    goods = _goods(wanted)
    wanted["price"] = None if wanted["price"] is None else money.fen(wanted["price"])
    for name in ("lowest", "highest"):
        wanted[name] = _limit(wanted[name], money.fen)
    for name in ("stock", "per_buyer"):
        wanted[name] = _limit(wanted[name], _count)
    wanted["lang"] = "" if wanted["lang"] == "none" else wanted["lang"]
    return Draft(goods=goods, **wanted)


def _limit(text: str | None, read: Callable[[str], int]) -> int | None:
    return None if text is None else -1 if text.lower() == "none" else read(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refusal(Code.BAD_REQUEST, f"A number of pieces is a whole number, or none, not {text!r}.")
    return int(text)


def _goods(wanted: dict[str, Any]) -> Goods | None:
    given = {kind: wanted.pop(f"deliver_{kind}") for kind in ("text", "keys", "file", "link")}
    given["return"] = "" if wanted.pop("deliver_nothing", False) else None
    chosen = [(kind, value) for kind, value in given.items() if value is not None]
    if len(chosen) > 1:
        raise click.UsageError("A product delivers one thing: choose one of the --deliver options.")
    return Goods(chosen[0][0], _content(*chosen[0])) if chosen else None


def _content(kind: str, value: str) -> str:
    if kind in ("file", "link", "return"):
        return value
    path = Path(value)
    try:
        if path.stat().st_size > _MAX_TEXT:
            raise Refusal(Code.BAD_REQUEST, f"The file {value} is too large: at most 1 MB.")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Refusal(Code.BAD_REQUEST, f"The file {value} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Refusal(Code.BAD_REQUEST, f"The file {value} is not UTF-8.") from error

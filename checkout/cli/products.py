"""checkout product: what is sold without a shop of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from checkout import catalogue, money, products, snippets, store
from checkout.catalogue import Draft, Goods
from checkout.cli import progress
from checkout.cli.desk import Desk
from checkout.cli.options import options
from checkout.cli.output import as_json, details, next_steps, show, table, warn, when
from checkout.cli.product_codes import product_qr
from checkout.cli.section import Section
from checkout.errors import Code, Refusal
from checkout.merchants import Reach
from checkout.model.products import Product
from checkout.money import yuan

_MAX_TEXT = 1024 * 1024

_OPTIONS = (
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


@click.group(cls=Section)
def product() -> None:
    """What is sold by a link or a script tag."""


@product.command()
@click.argument("name", metavar="ID")
@options(_OPTIONS)
@as_json
@click.pass_obj
def add(desk: Desk, /, name: str, as_json: bool, **wanted: Any) -> None:
    """Add a product under a short ID such as ebook; it stands in addresses.

    \b
    checkout product add ebook --title 电子书 --price 9.90 --deliver-link https://…
    """
    if wanted["price"] is None:
        raise click.UsageError("Missing option '--price'.")
    if wanted["title_zh"] is None and wanted["title_en"] is None:
        raise click.UsageError("Missing option '--title'.")
    added = catalogue.add(desk.store, name, _draft(wanted), Reach.of(desk.settings), **desk.by)
    _answer(desk, added, as_json)
    next_steps(as_json, f"checkout product embed {name}    (what to paste into your page)")


@product.command("set")
@click.argument("name", metavar="ID")
@options(_OPTIONS)
@click.option("--deliver-nothing", is_flag=True, help="Deliver nothing: buyers just return.")
@click.option("--remove-origin", "remove_origins", metavar="O", multiple=True, help="Take a site off the list.")
@as_json
@click.pass_obj
def set_(desk: Desk, /, name: str, as_json: bool, **wanted: Any) -> None:
    """Change a product; orders that exist keep their price."""
    _change(desk, name, _draft(wanted), as_json)


@product.command()
@click.argument("name", metavar="ID")
@as_json
@click.pass_obj
def disable(desk: Desk, name: str, as_json: bool) -> None:
    """Sell it no longer; receipts stay."""
    _change(desk, name, Draft(enabled=False), as_json)


@product.command()
@click.argument("name", metavar="ID")
@as_json
@click.pass_obj
def enable(desk: Desk, name: str, as_json: bool) -> None:
    """Sell it again."""
    _change(desk, name, Draft(enabled=True), as_json)


@product.command("list")
@as_json
@click.pass_obj
def list_(desk: Desk, as_json: bool) -> None:
    """List all products."""
    with desk.store.read() as db:
        found = store.products.all_of(db)
    rows = [
        (one.id, one.title("zh"), yuan(one.price), one.deliver, _left(desk, one) or "",
         "disabled" if one.disabled_at is not None else "")
        for one in found
    ]  # fmt: skip
    heads, empty = ("ID", "TITLE", "PRICE", "DELIVERS", "LEFT", ""), "No products yet: checkout product add ID …"
    show([shape(desk, one) for one in found], as_json, lambda: table(heads, rows, empty))


@product.command("show")
@click.argument("name", metavar="ID")
@as_json
@click.pass_obj
def show_(desk: Desk, name: str, as_json: bool) -> None:
    """Show a product."""
    _answer(desk, _existing(desk, name), as_json)


@product.command()
@click.argument("name", metavar="ID")
@as_json
@click.pass_obj
def embed(desk: Desk, name: str, as_json: bool) -> None:
    """Print what to paste into a page: a link, a dialog, a part of the page, a script."""
    one = _existing(desk, name)
    found = snippets.of(one, desk.settings.base_url)
    data = [{"name": s.name, "about": s.about, "html": s.html, "needs_origin": s.needs_origin} for s in found]
    show(data, as_json, lambda: "\n\n".join(f"<!-- {s.name}: {s.about} -->\n{s.html}" for s in found))
    if not one.origins:
        warn(
            "Only the link works so far, and the others lead to it: name the sites of your pages with"
            f" checkout product set {name} --origin https://…"
        )


product.add_command(product_qr)


@product.group(cls=Section)
def keys() -> None:
    """Licence keys; each goes to one buyer."""


@keys.command("add")
@click.argument("name", metavar="ID")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@as_json
@click.pass_obj
def add_keys(desk: Desk, name: str, file: Any, as_json: bool) -> None:
    """Add the keys in FILE, one on a line (- reads them from stdin); buyers who still miss some get theirs first."""

    def watch(batches: list[list[str]]) -> Iterator[list[str]]:
        return progress.steps(batches, "Adding keys", len(batches), quiet=as_json)

    added, handed, left = catalogue.add_keys(desk.store, name, file.read(), **desk.by, watch=watch)
    told = f"{added} added" + (f", {handed} of them handed over at once" if handed else "") + f"; {left} left."
    show({"product": name, "added": added, "handed": handed, "left": left}, as_json, lambda: told)


@keys.command("left")
@click.argument("name", metavar="ID")
@as_json
@click.pass_obj
def keys_left(desk: Desk, name: str, as_json: bool) -> None:
    """How many keys are left."""
    _existing(desk, name)
    with desk.store.read() as db:
        left = store.products.keys_left(db, name)
    show({"product": name, "left": left}, as_json, lambda: f"{left} left.")


def shape(desk: Desk, one: Product) -> dict[str, Any]:
    """The JSON of a product; keys are counted, never shown."""
    return {
        "id": one.id, "merchant": one.merchant, "title": one.title_zh, "title_en": one.title_en,
        "price": yuan(one.price), "lowest": _yuan(one.lowest), "highest": _yuan(one.highest),
        "max_quantity": one.max_quantity, "stock": one.stock, "per_buyer": one.per_buyer, "left": _left(desk, one),
        "low_stock": one.low_stock, "origins": list(one.origins), "return_url": one.return_url,
        "deliver": one.deliver, "brand": catalogue.brand(one), "buy_url": _buy_url(desk, one),
        "disabled_at": one.disabled_at, "created_at": one.created_at,
    }  # fmt: skip


def _answer(desk: Desk, one: Product, as_json: bool) -> None:
    bounds = f"{_yuan(one.lowest)} to {_yuan(one.highest)}" if one.lowest is not None else None
    pairs = [
        ("id", one.id), ("address", _buy_url(desk, one)), ("title", one.title_zh), ("title in English", one.title_en),
        ("price", yuan(one.price)), ("buyers name", bounds), ("pieces in one order", one.max_quantity),
        ("left", _left(desk, one)), ("for one buyer", one.per_buyer), ("sites", ", ".join(one.origins)),
        ("return URL", one.return_url), ("delivers", one.deliver),
        ("language", catalogue.brand(one).get("lang")), ("disabled", when(one.disabled_at)),
    ]  # fmt: skip
    show(shape(desk, one), as_json, lambda: details(pairs))
    left = _left(desk, one)
    if left is not None and left < one.low_stock and one.disabled_at is None:
        warn(f"Only {left} left of {one.id}.")


def _change(desk: Desk, name: str, draft: Draft, as_json: bool) -> None:
    _answer(desk, catalogue.change(desk.store, name, draft, Reach.of(desk.settings), **desk.by), as_json)


def _existing(desk: Desk, name: str) -> Product:
    with desk.store.read() as db:
        return products.get(db, name)


def _left(desk: Desk, one: Product) -> int | None:
    with desk.store.read() as db:
        return products.pieces_left(db, one, desk.clock())


def _buy_url(desk: Desk, one: Product) -> str:
    return f"{desk.settings.base_url}/buy/{one.id}"


def _yuan(amount: int | None) -> str | None:
    return None if amount is None else yuan(amount)


def _draft(wanted: dict[str, Any]) -> Draft:
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

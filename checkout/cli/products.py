"""checkout product: what is sold without a shop of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from checkout import catalogue, products, snippets, store
from checkout.catalogue import Draft
from checkout.cli import progress
from checkout.cli.desk import Desk
from checkout.cli.options import options
from checkout.cli.output import as_json, details, next_steps, show, table, warn, when
from checkout.cli.product_codes import product_qr
from checkout.cli.product_options import OPTIONS, draft_of
from checkout.cli.section import Section
from checkout.merchants import Reach
from checkout.model.products import Product
from checkout.money import yuan


@click.group(cls=Section)
def product() -> None:
    """What is sold by a link or a script tag."""


@product.command()
@click.argument("name", metavar="ID")
@options(OPTIONS)
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
    added = catalogue.add(desk.store, name, draft_of(wanted), Reach.of(desk.settings), **desk.by)
    _answer(desk, added, as_json)
    next_steps(as_json, f"checkout product embed {name}    (what to paste into your page)")


@product.command("set")
@click.argument("name", metavar="ID")
@options(OPTIONS)
@click.option("--deliver-nothing", is_flag=True, help="Deliver nothing: buyers just return.")
@click.option("--remove-origin", "remove_origins", metavar="O", multiple=True, help="Take a site off the list.")
@as_json
@click.pass_obj
def set_(desk: Desk, /, name: str, as_json: bool, **wanted: Any) -> None:
    """Change a product; orders that exist keep their price."""
    _change(desk, name, draft_of(wanted), as_json)


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

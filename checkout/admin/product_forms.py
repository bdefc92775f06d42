"""What the forms of a product say: texts of people become drafts of the catalogue, each refusal at its field."""

from __future__ import annotations

from pathlib import Path

from flask import request

from checkout import money
from checkout.admin.forms import Form, Wrong
from checkout.catalogue import Draft, Goods
from checkout.errors import Refusal
from checkout.model.products import Product
from checkout.money import yuan
from checkout.pages.language import translated as _
from checkout.settings import Settings

FIELDS = (
    "title_zh", "title_en", "price", "lowest", "highest", "max_quantity", "stock", "per_buyer", "low_stock", "origins",
    "return_url", "brand_name", "brand_color", "lang", "merchant",
)  # fmt: skip
_KEPT = 500_000  # characters of an uploaded list of keys
_NOTHING = -1  # takes a bound away


def first(form: Form) -> Draft:
    """A new product: what it cannot do without."""
    return Draft(
        title_zh=form["title_zh"], title_en=form["title_en"], price=_amount(form, "price"),
        add_origins=tuple(form["origins"].split()),
    )  # fmt: skip


def settings(form: Form, before: Product) -> Draft:
    """Every field of the form; an empty one takes its bound away."""
    origins = tuple(form["origins"].split())
    return Draft(
        title_zh=form["title_zh"], title_en=form["title_en"], price=_amount(form, "price"),
        lowest=_amount(form, "lowest") if form["lowest"] else _NOTHING,
        highest=_amount(form, "highest") if form["highest"] else _NOTHING,
        max_quantity=_number(form, "max_quantity"), low_stock=_number(form, "low_stock"),
        stock=_number(form, "stock") if form["stock"] else _NOTHING,
        per_buyer=_number(form, "per_buyer") if form["per_buyer"] else _NOTHING,
        add_origins=origins, remove_origins=tuple(one for one in before.origins if one not in origins),
        return_url=form["return_url"], brand_name=form["brand_name"], brand_color=form["brand_color"],
        lang=form["lang"], merchant=_number(form, "merchant") if form["merchant"] else None,
    )  # fmt: skip


def is_cheaper(draft: Draft, before: Product) -> bool:
    """Whether somebody could buy for less than before: a thief at the owner's browser would."""
    return draft.price is not None and _least(draft.price, draft.lowest) < _least(before.price, before.lowest)


def shown(product: Product) -> dict[str, str]:
    """The fields as they stand now."""
    numbers = {name: getattr(product, name) for name in ("max_quantity", "stock", "per_buyer", "low_stock")}
    amounts = {name: getattr(product, name) for name in ("price", "lowest", "highest")}
    return {
        **{name: "" if value is None else str(value) for name, value in numbers.items()},
        **{name: "" if value is None else yuan(value) for name, value in amounts.items()},
    }


def goods(form: Form, before: Product, settings: Settings) -> Goods:
    """What buyers get. Files are those of our own folder, or the one that the command line has named: these pages must
    not hand out whatever the server can read."""
    kind = form["deliver"]
    if kind not in ("return", "text", "keys", "file", "link"):
        raise Wrong("deliver", _("Please choose what buyers get."))
    if kind == "file" and form["file"] not in files(settings, before):
        raise Wrong("file", _("Please choose one of the files."))
    text = {"text": form["text"], "link": form["link"], "file": form["file"]}.get(kind, "")
    if kind in ("text", "link") and not text:
        raise Wrong(kind, _("Please fill this in."))
    return Goods(kind, text)


def files(settings: Settings, product: Product) -> list[str]:
    """The paths that may be delivered."""
    place = folder(settings)
    found = sorted(str(path) for path in place.iterdir() if path.is_file()) if place.is_dir() else []
    own = [product.goods] if product.deliver == "file" and product.goods not in found else []
    return [*own, *found]


def folder(settings: Settings) -> Path:
    """Where an owner puts files that buyers get."""
    return settings.data_dir / "goods"


def uploaded() -> str:
    """The text of the file that was sent with the form, "" where there is none. Refused at the field `keys`."""
    file = request.files.get("list")
    if file is None or not file.filename:
        return ""
    try:
        text = file.stream.read(_KEPT * 4 + 1).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Wrong("keys", _("The file is no text in UTF-8.")) from error
    if len(text) > _KEPT:
        raise Wrong("keys", _("The file is too long; send it in parts."))
    return text


def _least(price: int, lowest: int | None) -> int:
    return price if lowest in (None, _NOTHING) else min(price, lowest)


def _amount(form: Form, name: str) -> int:
    try:
        return money.fen(form[name])
    except Refusal as refusal:
        raise Wrong(name, _("An amount looks like 9.90.")) from refusal


def _number(form: Form, name: str) -> int:
    text = form[name]
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Wrong(name, _("Please type a whole number."))
    return int(text)

"""Managing products: what the command line and the admin pages share. Every change is audited."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from checkout import audit, products, selling, store
from checkout.errors import Code, Conflict, Refusal
from checkout.interfaces import NewId, Rows, Store, Value
from checkout.merchants import Reach, check_url
from checkout.model.products import Product
from checkout.money import yuan
from checkout.products import PRODUCT_ID

MAX_GOODS = 65536
BATCH = 5000  # keys that are added at once
Watch = Callable[[list[list[str]]], Iterable[list[str]]]
LANGUAGES = ("zh-CN", "zh-TW", "en")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_KEY = re.compile(r"[^\x00-\x1f\x7f]{1,500}")
_PLAIN = ("price", "max_quantity", "low_stock", "return_url")
_LIMITS = ("lowest", "highest", "stock", "per_buyer")


class Goods(Struct, frozen=True):
    """What a buyer gets. `deliver` is return, text, keys, file or link; `text` the Markdown, the keys one on a line,
    the path or the address."""

    deliver: str
    text: str = ""


class Draft(Struct, frozen=True):
    """What an owner wants to set; None leaves a field as it is; -1 removes a bound, the stock or the limit."""

    title_zh: str | None = None
    title_en: str | None = None
    price: int | None = None
    lowest: int | None = None
    highest: int | None = None
    max_quantity: int | None = None
    stock: int | None = None
    per_buyer: int | None = None
    low_stock: int | None = None
    add_origins: tuple[str, ...] = ()
    remove_origins: tuple[str, ...] = ()
    return_url: str | None = None
    goods: Goods | None = None
    brand_name: str | None = None
    brand_color: str | None = None
    lang: str | None = None
    merchant: int | None = None
    enabled: bool | None = None


def add(
    db_store: Store, product_id: str, draft: Draft, reach: Reach, *, actor: str, new_id: NewId, now: int
) -> Product:
    """A new product. Refused: BAD_REQUEST, BAD_URL, CONFLICT (the id is taken), NOT_FOUND (no merchant)."""
    if not PRODUCT_ID.fullmatch(product_id):
        raise Refusal(Code.BAD_REQUEST, "A product's id has 1 to 64 of a-z, 0-9, - and _, and begins with a-z or 0-9.")
    fresh = Product(
        id=product_id, merchant=0, title_zh="", title_en="", price=0, lowest=None, highest=None, max_quantity=1,
        stock=None, per_buyer=None, origins=(), return_url="", deliver="return", goods="", low_stock=5, brand="{}",
        disabled_at=None, created_at=now,
    )  # fmt: skip
    with db_store.transaction() as db:
        product = replace(_with(fresh, draft, reach, now), merchant=_merchant(db, draft.merchant))
        _check(product)
        try:
            store.products.add(db, product)
        except Conflict as error:
            raise Refusal(Code.CONFLICT, f"There is a product {product_id} already: checkout product set.") from error
        _stock_up(db, product, draft, now)
        audit.note(db, actor, "product.add", product_id, _public(product), new_id, now)
        return product


def change(
    db_store: Store, product_id: str, draft: Draft, reach: Reach, *, actor: str, new_id: NewId, now: int
) -> Product:
    """Sets what the draft names. Existing orders keep their price and title. Refused: NOT_FOUND, otherwise as `add`."""
    with db_store.transaction() as db:
        before = products.get(db, product_id)
        after = _with(before, draft, reach, now)
        if draft.merchant is not None:
            after = replace(after, merchant=_merchant(db, draft.merchant))
        _check(after)
        if after != before:
            store.products.update(db, after)
            audit.note(db, actor, "product.set", product_id, _difference(before, after), new_id, now)
        _stock_up(db, after, draft, now)
        return after


def add_keys(
    db_store: Store, product_id: str, text: str, *, actor: str, new_id: NewId, now: int, watch: Watch = iter
) -> tuple[int, int, int]:
    """Adds licence keys, one on a line; returns (added, handed over at once, left). Refused: NOT_FOUND, NOT_ALLOWED,
    BAD_REQUEST; then nothing was added.

    Many keys are added in batches, so that money reported meanwhile does not wait for all of them; an interrupted call
    can be repeated as it was. `watch` is given the batches and yields them one by one."""
    keys, added, handed = _keys(text), 0, 0
    for batch in watch([keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]):
        with db_store.transaction() as db:
            product = products.get(db, product_id)
            if product.deliver != "keys":
                raise Refusal(Code.NOT_ALLOWED, f"The product {product_id} delivers no keys: --deliver-keys.")
            new, given = products.add_keys(db, product, batch, now)
            audit.note(db, actor, "product.keys", product_id, {"added": new, "handed": given}, new_id, now)
        added, handed = added + new, handed + given
    with db_store.read() as db:
        return added, handed, store.products.keys_left(db, product_id)


def brand(product: Product) -> dict[str, str]:
    """`name`, `color` and `lang` (zh-CN, zh-TW, en), where the product has its own."""
    found: dict[str, str] = json.loads(product.brand)
    return found


def origin_of(text: str) -> str:
    """A site as browsers name it: scheme, host, and a port that is not the scheme's own. Refused: BAD_URL."""
    found = selling.origin(text)
    if not found or text.lower().rstrip("/") != found:
        raise Refusal(Code.BAD_URL, f"An origin looks like https://shop.example.com, without a path, not {text!r}.")
    return found


def _with(product: Product, draft: Draft, reach: Reach, now: int) -> Product:
    given: dict[str, Any] = {name: getattr(draft, name) for name in (*_PLAIN, *_LIMITS)}
    changes = {name: value for name, value in given.items() if value is not None}
    changes |= {name: None for name in _LIMITS if given[name] == -1}
    for name in ("title_zh", "title_en"):
        if (title := getattr(draft, name)) is not None:
            changes[name] = _line(title, "title", 120)
    if draft.return_url:
        check_url(draft.return_url, "return", reach)
    removed = {origin_of(text) for text in draft.remove_origins}
    origins = dict.fromkeys((*product.origins, *map(origin_of, draft.add_origins)))
    changes["origins"] = tuple(origin for origin in origins if origin not in removed)
    if draft.goods is not None:
        changes |= _delivering(draft.goods, reach)
    changes["brand"] = _brand(product, draft)
    if draft.enabled is not None:
        changes["disabled_at"] = None if draft.enabled else product.disabled_at or now
    return replace(product, **changes)


def _delivering(goods: Goods, reach: Reach) -> dict[str, str]:
    text = goods.text
    if goods.deliver == "link":
        check_url(text, "return", reach)
    elif goods.deliver == "file":
        text = str(_file(text))
    elif goods.deliver == "text" and not 0 < len(text) <= MAX_GOODS:
        raise Refusal(Code.BAD_REQUEST, f"The text to deliver must have 1 to {MAX_GOODS} characters.")
    return {"deliver": goods.deliver, "goods": "" if goods.deliver == "keys" else text}


def _file(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise Refusal(Code.BAD_REQUEST, f"There is no file {path}.")
    return path


def _stock_up(db: Rows, product: Product, draft: Draft, now: int) -> None:
    if draft.goods is not None and draft.goods.deliver == "keys" and draft.goods.text:
        products.add_keys(db, product, _keys(draft.goods.text), now)


def _keys(text: str) -> list[str]:
    keys = list(dict.fromkeys(filter(None, (line.strip() for line in text.lstrip("\ufeff").splitlines()))))
    if not keys or not all(map(_KEY.fullmatch, keys)):
        raise Refusal(Code.BAD_REQUEST, "Keys stand one on a line, each with 1 to 500 printable characters.")
    return keys


def _brand(product: Product, draft: Draft) -> str:
    found = brand(product)
    if draft.brand_name is not None:
        found["name"] = _line(draft.brand_name, "brand name", 64)
    if draft.brand_color is not None:
        if draft.brand_color and not _COLOR.fullmatch(draft.brand_color):
            raise Refusal(Code.BAD_REQUEST, f"A colour looks like #047f40, not {draft.brand_color!r}.")
        found["color"] = draft.brand_color.lower()
    if draft.lang is not None:
        if draft.lang not in ("", *LANGUAGES):
            raise Refusal(Code.BAD_REQUEST, f"The language must be {', '.join(LANGUAGES)}, not {draft.lang!r}.")
        found["lang"] = draft.lang
    return json.dumps({name: value for name, value in found.items() if value}, ensure_ascii=False)


def _check(product: Product) -> None:
    """Checks that the fields fit together."""
    if not product.title_zh and not product.title_en:
        raise Refusal(Code.BAD_REQUEST, "A product needs a title: --title.")
    if (product.lowest is None) != (product.highest is None):
        raise Refusal(Code.BAD_REQUEST, "--lowest and --highest come together: buyers name the price between them.")
    if not (product.lowest or 0) <= product.price <= (product.highest or product.price):
        raise Refusal(Code.BAD_AMOUNT, "The price is what is suggested: it must lie between lowest and highest.")
    if not 1 <= product.max_quantity <= 9999:
        raise Refusal(Code.BAD_REQUEST, "The largest quantity must be from 1 to 9999.")
    if (product.stock is not None and product.stock < 0) or (product.per_buyer is not None and product.per_buyer < 1):
        raise Refusal(Code.BAD_REQUEST, "The stock must be 0 or more, the limit for each buyer 1 or more.")


def _line(text: str, what: str, longest: int) -> str:
    text = text.strip()
    if not text.isprintable() or len(text) > longest:
        raise Refusal(Code.BAD_REQUEST, f"The {what} must be one line of at most {longest} printable characters.")
    return text


def _merchant(db: Rows, merchant_id: int | None) -> int:
    found = store.merchants.default(db) if merchant_id is None else store.merchants.get(db, merchant_id)
    if found is None:
        what = "There is no merchant yet" if merchant_id is None else f"There is no merchant {merchant_id}"
        raise Refusal(Code.NOT_FOUND, f"{what}: checkout merchant add NAME.")
    return found.id


def _public(product: Product) -> dict[str, Value]:
    """What may go into the audit log: not the goods."""
    return {
        "title_zh": product.title_zh, "title_en": product.title_en, "price": yuan(product.price),
        "lowest": product.lowest, "highest": product.highest, "max_quantity": product.max_quantity,
        "stock": product.stock, "per_buyer": product.per_buyer, "origins": " ".join(product.origins),
        "return_url": product.return_url, "deliver": product.deliver, "brand": product.brand,
        "merchant": product.merchant, "disabled_at": product.disabled_at,
    }  # fmt: skip


def _difference(before: Product, after: Product) -> dict[str, Value]:
    old, new = _public(before), _public(after)
    return {name: value for name, value in new.items() if old[name] != value}

"""What the page of a product shows: the price, what can be chosen, and why it cannot be bought just now."""

from __future__ import annotations

import re
import secrets

from flask import request
from msgspec import Struct
from msgspec.structs import replace

from checkout import catalogue, grants, money, products, selling
from checkout.errors import Code, Refusal
from checkout.model.products import Product
from checkout.pages import language
from checkout.pages.frames import Frame
from checkout.products import MAX_REF, Wish
from checkout.settings import secret_for
from checkout.web import Parts, client_address

FORM_VALID_S = 7200
_QUANTITY = re.compile(r"[1-9][0-9]{0,3}")
_FORM = re.compile(r"[0-9a-f]{16}\.[0-9a-f.]{34,46}")
FIELDS = ("form", "method", "quantity", "amount", "ref", "return", "lang", "theme", "embed")


class Asked(Struct, frozen=True):
    """What the address or the form says, in its own spelling."""

    method: str = ""
    quantity: str = "1"
    amount: str = ""
    ref: str = ""
    return_url: str = ""

    @classmethod
    def of(cls, given: dict[str, str]) -> Asked:
        return cls(
            given.get("method", ""), given.get("quantity", "") or "1", given.get("amount", ""),
            given.get("ref", ""), given.get("return", ""),
        )  # fmt: skip


class Offer(Struct, frozen=True):
    """One page. `notice`: "" or why it cannot be bought, or could not just now; `wait`: seconds, 0 for none."""

    product: Product
    title: str
    asked: Asked
    methods: tuple[str, ...]
    left: int | None
    form: str  # goes with the order: sent twice, it opens one
    frame: Frame
    notice: str = ""
    wait: int = 0

    @property
    def is_over(self) -> bool:
        """Nothing can be bought here now, whatever the buyer changes."""
        return self.notice in ("closed", "sold_out") or not self.methods

    @property
    def digits(self) -> tuple[str, int, str]:
        """(currency, yuan, two digits of fen) of the price of one piece."""
        return language.symbol(), self.product.price // 100, f"{self.product.price % 100:02d}"

    @property
    def most(self) -> int:
        """The largest quantity that can be asked for."""
        most = self.product.max_quantity
        return most if self.left is None else max(1, min(most, self.left))

    @property
    def look(self) -> dict[str, str]:
        """The product's own name of the shop and colour."""
        return catalogue.brand(self.product)


def offer(shop: Parts, product: Product, asked: Asked, frame: Frame, now: int) -> Offer:
    """The page of a product at `now`, with a fresh form."""
    with shop.store.read() as db:
        left, methods = products.pieces_left(db, product, now), selling.methods(db)
    ordered = tuple(sorted(map(str, methods), key=lambda method: method != asked.method))
    notice = "closed" if product.disabled_at is not None else "sold_out" if left is not None and left < 1 else ""
    title = product.title(language.current())
    return Offer(product, title, asked, ordered, left, _new_form(shop, product, now), frame, notice)


def refused(found: Offer, refusal: Refusal) -> Offer:
    """The offer with the reason why the buyer's choice was turned down."""
    return replace(found, notice=found.notice or _reason(found, refusal), wait=refusal.retry_after or 0)


def form_of(shop: Parts, product: Product, given: str, now: int) -> str:
    """The part of a form's name that stands for one purchase; "" when it is not ours or too old."""
    if not _FORM.fullmatch(given):
        return ""
    name, _, grant = given.partition(".")
    return name if grants.is_granted(grant, secret_for(shop.settings), "buy", f"{product.id}:{name}", now) else ""


def wish_of(shop: Parts, asked: Asked) -> Wish:
    """What a buyer asks for. Refused: BAD_REQUEST, BAD_AMOUNT."""
    if not _QUANTITY.fullmatch(asked.quantity):
        raise Refusal(Code.BAD_REQUEST, "The quantity must be a whole number.")
    if len(asked.ref) > MAX_REF:
        raise Refusal(Code.BAD_REQUEST, f"The ref must have at most {MAX_REF} characters.")
    amount = money.fen(asked.amount) if asked.amount else None
    client = products.client_digest(secret_for(shop.settings), client_address(request.environ))
    return Wish(int(asked.quantity), amount, asked.ref, client)


def _new_form(shop: Parts, product: Product, now: int) -> str:
    name = secrets.token_hex(8)
    return f"{name}.{grants.grant(secret_for(shop.settings), 'buy', f'{product.id}:{name}', now + FORM_VALID_S)}"


def _reason(found: Offer, refusal: Refusal) -> str:
    if len(found.asked.ref) > MAX_REF:
        return "ref"
    if refusal.code is Code.NOT_ALLOWED:
        few = found.left is not None and found.left < int(found.asked.quantity)
        return "few" if few else "per_buyer" if found.product.per_buyer is not None else "closed"
    return {
        Code.LIMITED: "busy", Code.BUSY: "busy", Code.PHONE_OFFLINE: "offline", Code.BAD_AMOUNT: "amount",
        Code.ZERO_AMOUNT: "amount", Code.BAD_REQUEST: "quantity", Code.BAD_URL: "return",
    }.get(refusal.code, "unavailable")  # fmt: skip

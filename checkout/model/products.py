"""What an owner sells without a shop, and what its buyer keeps."""

from __future__ import annotations

from msgspec import Struct


class Product(Struct, frozen=True):
    """What an owner sells without a shop of its own."""

    id: str
    merchant: int
    title_zh: str
    title_en: str
    price: int
    lowest: int | None  # pay what you want: from here ...
    highest: int | None  # ... to here
    max_quantity: int
    stock: int | None  # pieces in all, paid and waiting orders count against it
    per_buyer: int | None
    origins: tuple[str, ...]  # sites that may frame the checkout and be returned to
    return_url: str
    deliver: str  # return | text | keys | file | link
    goods: str  # Markdown, a file's path or an address, by `deliver`
    low_stock: int  # tell the owner when fewer keys or pieces than this are left
    brand: str  # JSON object: name, color, logo, lang
    disabled_at: int | None
    created_at: int

    def title(self, language: str) -> str:
        """The title in a language, or in the other one when there is none."""
        first, second = (self.title_en, self.title_zh) if language.startswith("en") else (self.title_zh, self.title_en)
        return first or second


class Receipt(Struct, frozen=True):
    """What a buyer keeps: the proof of the purchase and the goods."""

    token: str  # 128 random bits in hex, not the order's
    order_token: str
    deliver: str
    goods: str  # as they were when the order was paid; keys one on a line
    short: int  # keys that were missing: the owner owes them
    created_at: int

"""What an owner pastes into a page to sell a product, from a plain link to a script."""

from __future__ import annotations

from dataclasses import dataclass

from checkout.model import Product


@dataclass(frozen=True, slots=True)
class Snippet:
    name: str  # link | dialog | inline | script
    about: str
    html: str
    needs_origin: bool  # works only on a site that the product lists


def of(product: Product, base_url: str) -> list[Snippet]:
    """The four ways, the simplest first. Ids and the base URL hold nothing that HTML would read as markup."""
    buy = f"{base_url}/buy/{product.id}"
    script = f'<script src="{base_url}/static/checkout.js" async></script>'
    return [
        Snippet("link", "Works everywhere, in a README too.", f'<a href="{buy}">购买</a>', False),
        Snippet(
            "dialog", "The same link, opened over the page.",
            f'{script}\n<a href="{buy}" data-checkout="{product.id}">购买</a>', True,
        ),
        Snippet(
            "inline", "The checkout as a part of the page.",
            f'{script}\n<div data-checkout-inline="{product.id}"><a href="{buy}">购买</a></div>', True,
        ),
        Snippet(
            "script", "Opened by your own code, which is told what came of it.",
            f'{script}\n<button id="buy">购买</button>\n<script>\n'
            '  document.querySelector("#buy").onclick = async () => {\n'
            f'    const {{ state, receipt }} = await Checkout.open({{ product: "{product.id}" }})\n'
            '    if (state === "paid") console.log("receipt", receipt)\n  }\n</script>', True,
        ),
    ]  # fmt: skip

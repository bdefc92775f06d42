"""What an owner pastes into a page to sell a product, from a plain link to a script, with the chosen options filled
in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from urllib.parse import quote, urlencode

from msgspec import Struct

from checkout.model.products import Product

# What can be chosen, in the order of the documentation; the names are those of the attributes without `data-`.
CHOICES = ("method", "mode", "quantity", "amount", "ref", "lang", "theme", "return")
_OF_ORDERS = ("mode", "lang", "theme")  # an order brings the rest
_NOT_IN_LINKS = ("mode",)
_LABEL = "购买"


class Snippet(Struct, frozen=True):
    name: str  # link | dialog | inline | script | order
    about: str
    html: str
    needs_origin: bool  # works only on a site that the product, or for orders the merchant, lists


def of(product: Product, base_url: str, chosen: Mapping[str, str] | None = None) -> list[Snippet]:
    """The four ways, simplest first. `chosen`: values by the names of `CHOICES`, already checked. Ids and the base URL
    hold nothing that HTML would read as markup."""
    wish = {name: value for name in CHOICES if (value := (chosen or {}).get(name, ""))}
    link = escape(address(product, base_url, wish))
    buy, script, data = f"{base_url}/buy/{product.id}", _script(base_url), _attributes(wish)
    return [
        Snippet("link", "Works everywhere, in a README too.", f'<a href="{link}">{_LABEL}</a>', False),
        Snippet(
            "dialog", "The same link, opened over the page.",
            f'{script}\n<a href="{buy}" data-checkout="{product.id}"{data}>{_LABEL}</a>', True,
        ),
        Snippet(
            "inline", "The checkout as a part of the page.",
            f'{script}\n<div data-checkout-inline="{product.id}"{data}><a href="{buy}">{_LABEL}</a></div>', True,
        ),
        Snippet(
            "script", "Opened by your own code, which is told what came of it.",
            f'{script}\n<button id="buy">{_LABEL}</button>\n<script>\n'
            '  document.querySelector("#buy").onclick = async () => {\n'
            f"    const {{ state, receipt }} = await Checkout.open({_literal({'product': product.id, **wish})})\n"
            '    if (state === "paid") console.log("receipt", receipt)\n  }\n</script>', True,
        ),
    ]  # fmt: skip


def of_order(token: str, base_url: str, chosen: Mapping[str, str] | None = None) -> Snippet:
    """For an order that the merchant's own server has opened; `token` is the order's, or a placeholder for it."""
    wish = {name: value for name in _OF_ORDERS if (value := (chosen or {}).get(name, ""))}
    link = f'<a href="{base_url}/pay/{token}" data-checkout-order="{token}"{_attributes(wish)}>{_LABEL}</a>'
    about = "An order that your own server has opened by the API, over the page."
    return Snippet("order", about, f"{_script(base_url)}\n{link}", True)


def address(product: Product, base_url: str, wish: Mapping[str, str]) -> str:
    """The buyer's page with the chosen options."""
    kept = {name: value for name, value in wish.items() if name not in _NOT_IN_LINKS}
    query = urlencode(kept, quote_via=quote)
    return f"{base_url}/buy/{product.id}{'?' if query else ''}{query}"


def _script(base_url: str) -> str:
    return f'<script src="{base_url}/static/checkout.js" async></script>'


def _attributes(wish: Mapping[str, str]) -> str:
    return "".join(f' data-{name}="{escape(value)}"' for name, value in wish.items())


def _literal(wish: Mapping[str, str]) -> str:
    """A JavaScript object that may stand in a page: nothing in it can end the script."""
    pairs = (f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in wish.items())
    text = f"{{ {', '.join(pairs)} }}"
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")

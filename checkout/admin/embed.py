"""What to paste into a page, chosen piece by piece, beside the buyers' page as it will look."""

from __future__ import annotations

import re

from flask import Blueprint, Response, request
from msgspec.structs import replace

from checkout import catalogue, products, selling, snippets
from checkout.admin import layout
from checkout.admin.forms import Form, Wrong
from checkout.admin.products import PAGE, existing
from checkout.errors import Code, Refusal
from checkout.model.accounts import Method
from checkout.model.products import Product
from checkout.pages import answers
from checkout.pages.frames import Frame
from checkout.pages.language import prefer
from checkout.pages.language import translated as _
from checkout.pages.offer import Asked, offer, wish_of
from checkout.web import parts

_MODES, _THEMES = ("auto", "modal", "redirect"), ("light", "dark", "auto")
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")
_LANGUAGE = "language"  # `lang` in the address is the owner's own


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/products/<product>/embed", "product_embed", view)
    blueprint.add_url_rule("/products/<product>/preview", "product_preview", preview)


def view(product: str) -> Response:
    """A form of GET: what it says stands in the address, so the page can be kept and sent to a colleague."""
    found = existing(product)
    form, wish = _chosen(found)
    base_url = parts().settings.base_url
    answer = layout.page(
        "admin/embed.html", PAGE, form=form, product=found,
        snippets=snippets.of(found, base_url, wish), of_order=snippets.of_order("ORDER", base_url, wish),
        preview=_query(wish), lists=_lists(),
    )  # fmt: skip
    policy = answer.headers["Content-Security-Policy"]
    answer.headers["Content-Security-Policy"] = f"{policy}; frame-src 'self'"
    answer.status_code = 200  # nothing was refused: what makes no sense is left out, and htmx shows it
    return answer


def preview(product: str) -> Response:
    """The buyer's page, to be looked at in a frame of ours; it opens no orders there."""
    one = existing(product)
    wish = _chosen(one)[1]
    prefer(catalogue.brand(one).get("lang", ""))
    found = offer(parts(), one, Asked.of(wish), Frame(), parts().clock())
    answer = answers.page("buy.html", offer=found, view=found, look=found.look, frame=found.frame)
    policy = answer.headers["Content-Security-Policy"]
    policy = policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
    answer.headers["Content-Security-Policy"] = policy.replace("form-action 'self'", "form-action 'none'")
    return answer


def _chosen(product: Product) -> tuple[Form, dict[str, str]]:
    """What the address asks for, and of it what can be had; the reason for the rest is at its field."""
    given = {name: request.args.get(_field(name), "").strip()[:2048] for name in snippets.CHOICES}
    form = Form({_field(name): value for name, value in given.items()})
    wish: dict[str, str] = {}
    for name, value in given.items():
        with form.catching({Code.BAD_URL: name, Code.BAD_AMOUNT: name, Code.ZERO_AMOUNT: name, Code.BAD_REQUEST: name}):
            if value:
                _check(product, name, value)
                wish[name] = value
    return form, wish


def _check(product: Product, name: str, value: str) -> None:
    """Refused as the buyer's page would refuse it."""
    if name in (lists := _lists()):
        if value not in lists[name]:
            raise Wrong(_field(name), _("Please choose one of these."))
    elif name == "return":
        selling.check_return(product, value)
    elif name == "ref" and (len(value) > products.MAX_REF or not _PRINTABLE.fullmatch(value)):
        raise Wrong(name, _("At most 200 characters on one line."))
    elif name in ("quantity", "amount"):
        asked = replace(Asked(), **{name: value})
        try:
            products.price_of(product, wish_of(parts(), asked))
        except Refusal as refusal:
            raise Wrong(name, _bounds(product, name)) from refusal


def _bounds(product: Product, name: str) -> str:
    if name == "quantity":
        return _("A whole number, at most %(most)s.") % {"most": product.max_quantity}
    return _("Only where buyers name the price, and within its bounds.")


def _lists() -> dict[str, tuple[str, ...]]:
    """What is chosen from a list, by its name."""
    return {"method": tuple(map(str, Method)), "mode": _MODES, "lang": tuple(catalogue.LANGUAGES), "theme": _THEMES}


def _query(wish: dict[str, str]) -> dict[str, str]:
    """The address of the preview: there `lang` is that of the buyers' page."""
    return wish | ({_LANGUAGE: wish["lang"]} if "lang" in wish else {})


def _field(name: str) -> str:
    return _LANGUAGE if name == "lang" else name

"""Products: what is sold by a link or a script tag, what buyers get for it, and what to paste into a page."""

from __future__ import annotations

from flask import Blueprint, Response

from checkout import catalogue, products, snippets, store
from checkout.admin import forms, layout, product_forms, session
from checkout.admin.forms import Form
from checkout.admin.nav import Page
from checkout.catalogue import Draft
from checkout.errors import Code
from checkout.merchants import Reach
from checkout.model.products import Product
from checkout.pages import goods
from checkout.pages.language import N_
from checkout.pages.language import translated as _
from checkout.web import parts

PAGE = Page("products", N_("Products"), "M4 8l8-4 8 4-8 4zM4 8v8l8 4 8-4V8M12 12v8", 40)


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/products", "products", view)
    blueprint.add_url_rule("/products", "products_add", add, methods=["POST"])
    place = "/products/<product>"
    blueprint.add_url_rule(place, "product", one)
    for name, action in (("settings", change), ("goods", deliver), ("keys", add_keys), ("state", switch)):
        blueprint.add_url_rule(f"{place}/{name}", f"product_{name}", action, methods=["POST"])


def view() -> Response:
    return _list(Form())


def add() -> Response:
    form = forms.read("id", "title_zh", "title_en", "price", "origins")
    with form.catching({Code.CONFLICT: "id", Code.BAD_URL: "origins"}):
        draft = product_forms.first(form)
        added = catalogue.add(parts().store, form["id"], draft, _reach(), **session.by())
        return layout.done(layout.path("products", added.id), _("The product is added. Say below what buyers get."))
    return _list(form)


def one(product: str) -> Response:
    return _page(existing(product), Form())


def change(product: str) -> Response:
    """Where buyers are sent, who is told, and a lower price change with the password only."""
    before, form = existing(product), forms.read(*product_forms.FIELDS, "password")
    with form.catching({Code.BAD_URL: "return_url"}):
        draft = product_forms.settings(form, before)
        listed = set(draft.add_origins) - set(before.origins)  # pages there may name where their buyers return to
        session.prove_if(
            form, (before.return_url, draft.return_url), (before.merchant, draft.merchant), (set(), listed),
            (False, product_forms.is_cheaper(draft, before)),
        )  # fmt: skip
        catalogue.change(parts().store, product, draft, _reach(), **session.by())
        return layout.done(layout.path("products", product), _("Saved."))
    return _page(before, form, "settings")


def deliver(product: str) -> Response:
    """What buyers get, with the password; receipts that exist keep what they have."""
    before, form = existing(product), forms.read("deliver", "text", "link", "file", "password")
    with form.catching({Code.BAD_URL: "link"}):
        wanted = product_forms.goods(form, before, parts().settings)
        session.prove_if(form, ((before.deliver, before.goods), (wanted.deliver, wanted.text)))
        catalogue.change(parts().store, product, Draft(goods=wanted), _reach(), **session.by())
        return layout.done(layout.path("products", product), _("Saved."))
    return _page(before, form, "goods")


def add_keys(product: str) -> Response:
    form = forms.read("keys")
    with form.catching({Code.BAD_REQUEST: "keys", Code.NOT_ALLOWED: "keys"}):
        text = product_forms.uploaded() or form["keys"]
        asked = sum(bool(line.strip()) for line in text.splitlines())
        added, handed, left = catalogue.add_keys(parts().store, product, text, **session.by())
        parts().wake()
        told = _("Keys added: %(added)s of %(asked)s lines. Handed over at once: %(handed)s. Left: %(left)s.")
        numbers = {"added": added, "asked": asked, "handed": handed, "left": left}
        return layout.done(layout.path("products", product), told % numbers)
    return _page(existing(product), form, "keys")


def switch(product: str) -> Response:
    """Sells it no longer, or again."""
    form = forms.read("enabled")
    draft = Draft(enabled=form["enabled"] == "1")
    catalogue.change(parts().store, product, draft, _reach(), **session.by())
    return layout.done(layout.path("products", product), _("Saved."))


def existing(product_id: str) -> Product:
    """Refused: NOT_FOUND."""
    with parts().store.read() as db:
        return products.get(db, product_id)


def _list(form: Form) -> Response:
    now = parts().clock()
    with parts().store.read() as db:
        found = [(one, products.pieces_left(db, one, now)) for one in store.products.all_of(db)]
    return layout.page("admin/products.html", PAGE, form=form, products=found)


def _page(product: Product, form: Form, doing: str = "") -> Response:
    """`doing`: the action whose form was refused."""
    with parts().store.read() as db:
        left = products.pieces_left(db, product, parts().clock())
        choices = [(merchant.id, f"{merchant.id} {merchant.name}") for merchant in store.merchants.all_of(db)]
    answer = layout.page(
        "admin/product.html", PAGE, form=form, blank=Form(), doing=doing, product=product, left=left,
        brand=catalogue.brand(product), choices=choices, now_set=product_forms.shown(product),
        language_choices=[("", _("the buyer's")), *((tag, tag) for tag in catalogue.LANGUAGES)],
        file_choices=[("", "–"), *((path, path) for path in product_forms.files(parts().settings, product))],
        snippets=snippets.of(product, parts().settings.base_url),
        rendered=goods.html(product.goods) if product.deliver == "text" else "",
        buy=f"{parts().settings.base_url}/buy/{product.id}", folder=product_forms.folder(parts().settings),
    )  # fmt: skip
    policy = answer.headers["Content-Security-Policy"]
    answer.headers["Content-Security-Policy"] = f"{policy}; frame-src 'self'"
    return answer


def _reach() -> Reach:
    return Reach.of(parts().settings)

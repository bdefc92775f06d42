"""`/buy/<product>`: the buyer chooses. Looking changes and reserves nothing; the form opens the order."""

from __future__ import annotations

from flask import Blueprint, Response

from checkout import catalogue, products, selling
from checkout.errors import Refusal
from checkout.model.accounts import Method
from checkout.model.products import Product
from checkout.pages import answers, frames, language, links
from checkout.pages.offer import FIELDS, Asked, Offer, form_of, offer, refused, wish_of
from checkout.products import Caps
from checkout.selling import Purchase
from checkout.settings import secret_for
from checkout.web import STATUS, fields, parts

_CAPS = Caps()


def routes() -> Blueprint:
    blueprint = Blueprint("buy", __name__)
    blueprint.add_url_rule("/buy/<product_id>", "choose", choose)
    blueprint.add_url_rule("/buy/<product_id>", "open", open_, methods=["POST"])
    return blueprint


def choose(product_id: str) -> Response:
    """The product, and how it can be paid for. Parameters of a page that make no sense are said to be so."""
    asked = Asked.of(fields(known=FIELDS))
    found = _offer(_product(product_id), asked)
    try:
        _price(found)
    except Refusal as refusal:
        return _page(refused(found, refusal), STATUS[refusal.code])
    return _page(found, {"closed": 410, "sold_out": 409}.get(found.notice, 200))


def open_(product_id: str) -> Response:
    """Opens the order, or finds the one that the same form has opened, and goes to its page."""
    given, now = fields(known=FIELDS), parts().clock()
    asked, product = Asked.of(given), _product(product_id)
    form = form_of(parts(), product, given.get("form", ""), now)
    if not form or asked.method not in list(Method):
        return _again(product, asked)
    try:
        order = selling.open_order(parts().store, _purchase(product, asked, form), parts().rules, _CAPS, now)
    except Refusal as refusal:
        answer = _page(refused(_offer(product, asked), refusal), STATUS[refusal.code])
        if refusal.retry_after is not None:
            answer.headers["Retry-After"] = str(refusal.retry_after)
        return answer
    return answers.see(links.path("pay", order.token))


def _purchase(product: Product, asked: Asked, form: str) -> Purchase:
    number = selling.number_of(secret_for(parts().settings), product.id, form)
    wish = wish_of(parts(), asked)
    return Purchase(product, wish, asked.method, number, language.current(), asked.return_url)


def _price(found: Offer) -> None:
    """Refused as the purchase itself would be, for what stands in the address."""
    products.price_of(found.product, wish_of(parts(), found.asked))
    if found.asked.return_url:
        selling.check_return(found.product, found.asked.return_url)


def _product(product_id: str) -> Product:
    with parts().store.read() as db:
        product = products.get(db, product_id)
    language.prefer(catalogue.brand(product).get("lang", ""))
    return product


def _offer(product: Product, asked: Asked) -> Offer:
    return offer(parts(), product, asked, frames.within(product.origins), parts().clock())


def _page(found: Offer, status: int) -> Response:
    answer = answers.page("buy.html", status, offer=found, view=found, look=found.look, frame=found.frame)
    return frames.allowed(answer, found.frame)


def _again(product: Product, asked: Asked) -> Response:
    """A form that is too old, or none of ours: the buyer sees a fresh one, filled in as before."""
    kept = {"method": asked.method, "quantity": asked.quantity, "amount": asked.amount, "ref": asked.ref,
            "return": asked.return_url}  # fmt: skip
    return answers.see(links.path("buy", product.id, **{name: value for name, value in kept.items() if value}))

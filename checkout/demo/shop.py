"""A small shop that is paid through Checkout, as a merchant writes it: about all that a shop needs.

It knows the server's address, its own API key and its merchant's key, nothing else. It asks for an order with
`checkout.client`, sends the buyer to the page, and believes only a webhook that `verify_webhook` lets through. Its
second product is sold as shops did before there was an API: see `plugin`.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Flask, Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from checkout.client import Checkout, CheckoutError, WebhookError, verify_webhook
from checkout.demo.plugin import Plugin
from checkout.money import yuan
from checkout.resources import resource_dir

METHODS = ("wechat", "alipay")
TITLES = {"book": ("《茶事》电子书", "Notes on Tea, an e-book"), "sample": ("茶样一份", "A sample of tea")}
PRICES = {"book": 990, "sample": 500}  # fen


@dataclass
class Sale:
    """One order in the shop's own books."""

    number: str
    goods: str  # book | sample
    method: str
    is_paid: bool = False

    @property
    def price(self) -> int:
        return PRICES[self.goods]


@dataclass
class Shop:
    own_url: str
    checkout: Checkout
    webhook_key: str = field(repr=False)
    plugin: Plugin
    sales: dict[str, Sale] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sell(self, goods: str, method: str, language: str) -> str:
        """Makes an order and gives the address of its checkout page; ValueError with the reason when there is none."""
        sale = Sale(f"TEA-{secrets.token_hex(6).upper()}", goods, method)
        with self.lock:
            self.sales[sale.number] = sale
        back = f"{self.own_url}/orders/{sale.number}?lang={language}"
        if goods == "sample":
            return f"{self.plugin.ask(sale.number, method, yuan(sale.price), back)}?lang={language}"
        try:
            order = self.checkout.create(
                sale.number, amount=sale.price, method=method, title=TITLES[goods][language == "en"],
                notify_url=f"{self.own_url}/webhook", return_url=back,
            )  # fmt: skip
        except CheckoutError as error:
            raise ValueError(error.detail) from error
        return f"{order.pay_url}?lang={language}"

    def hear(self, headers: dict[str, str], body: bytes, now: int | None = None) -> None:
        """Takes a webhook. A signature alone is not enough: the price must be the one in our own books.
        Raises `WebhookError`."""
        event = verify_webhook(self.webhook_key, headers, body, self._price_of("book"), now=now)
        if event.type == "order.paid" and event.order is not None:
            self._deliver(event.order.number)

    def hear_plugin(self, values: dict[str, str]) -> bool:
        """Takes a callback of the plugin; False when it is not to be believed."""
        with self.lock:
            sale = self.sales.get(values.get("payId", ""))
        if sale is None or sale.goods != "sample" or not self.plugin.believes(values, sale.method, yuan(sale.price)):
            return False
        self._deliver(sale.number)
        return True

    def _price_of(self, goods: str) -> Callable[[str], int | None]:
        def look_up(number: str) -> int | None:
            with self.lock:
                sale = self.sales.get(number)
            return sale.price if sale is not None and sale.goods == goods else None

        return look_up

    def _deliver(self, number: str) -> None:
        """The goods are on the page of the order from now on; hearing of it twice changes nothing."""
        with self.lock:
            self.sales[number].is_paid = True


def make_shop(shop: Shop, base_url: str) -> Flask:
    """The shop's web site; `base_url` is where Checkout is."""
    app = Flask("tea-house", template_folder=str(resource_dir("templates") / "demo"), static_folder=None)

    @app.get("/")
    def front() -> Response:
        return _page(base_url, "shop.html")

    @app.post("/buy")
    def buy() -> AnyResponse:
        goods, method = request.form.get("goods", ""), request.form.get("method", "")
        if goods not in PRICES or method not in METHODS:
            abort(400)
        try:
            return redirect(shop.sell(goods, method, _language()), 303)
        except ValueError as error:
            return _page(base_url, "shop.html", 503, trouble=str(error))

    @app.post("/webhook")
    def webhook() -> tuple[str, int]:
        try:
            shop.hear(dict(request.headers), request.get_data())
        except WebhookError as error:
            return str(error), 400
        return "", 204

    @app.route("/notify", methods=["GET", "POST"])
    def notify() -> tuple[str, int]:
        return ("success", 200) if shop.hear_plugin(request.values.to_dict()) else ("refused", 400)

    @app.get("/orders/<number>")
    def sale(number: str) -> Response:
        """Where the buyer comes back to. What the address says counts for nothing."""
        found = shop.sales.get(number)
        return _page(base_url, "sale.html", sale=found) if found else abort(404)

    @app.get("/style.css")
    def style() -> Response:
        return Response((resource_dir("static") / "demo" / "shop.css").read_bytes(), mimetype="text/css")

    return app


def _page(base_url: str, template: str, status: int = 200, **values: object) -> Response:
    language = _language()
    prices = {goods: yuan(price) for goods, price in PRICES.items()}
    titles = {goods: both[language == "en"] for goods, both in TITLES.items()}
    text = render_template(template, language=language, base_url=base_url, prices=prices, titles=titles, **values)
    return Response(text, status, headers={"Content-Security-Policy": "default-src 'none'; style-src 'self'"})


def _language() -> str:
    """zh or en."""
    asked = request.values.get("lang") or request.accept_languages.best_match(["zh", "en"], "zh")
    return "en" if asked.startswith("en") else "zh"

"""A small shop that is paid through Checkout, as a merchant writes it: about all that a shop needs.

It knows the server's address and its own key, nothing else. It asks for an order (createOrder of the dialect vmq),
sends the buyer to the page, and believes only the signed callback.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from checkout.http import Client, Outgoing, Unreachable
from checkout.interfaces import Send
from checkout.resources import resource_dir

PRICE = "9.90"
TYPES = {"wechat": "1", "alipay": "2"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Sale:
    """One order in the shop's own books."""

    number: str
    type: str
    is_paid: bool = False


@dataclass
class Shop:
    base_url: str  # of Checkout
    own_url: str
    key: str = field(repr=False)
    send: Send = field(default_factory=lambda: Client(allow_private=True).send)
    sales: dict[str, Sale] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sell(self, method: str, language: str) -> str:
        """Makes an order and gives the address of its checkout page; ValueError with the reason when there is none."""
        sale = Sale(f"TEA-{secrets.token_hex(6).upper()}", TYPES[method])
        with self.lock:
            self.sales[sale.number] = sale
        values = {
            "payId": sale.number, "type": sale.type, "price": PRICE, "param": "",
            "returnUrl": f"{self.own_url}/orders/{sale.number}?lang={language}",
            "sign": self._md5(sale.number, "", sale.type, PRICE),
        }  # fmt: skip
        answer = self._asked("/createOrder", values)
        if answer["code"] != 1:
            raise ValueError(answer["msg"])
        return f"{self.base_url}/pay/{answer['data']['orderId']}?lang={language}"

    def told(self, values: dict[str, str]) -> bool:
        """Judges a callback. A signature alone is not enough: price and order must be those in our own books, and
        no value may be empty, because some other signed messages could be read as a callback with one missing."""
        signed = ("payId", "param", "type", "price", "reallyPrice")
        if not all(name in values for name in signed):
            return False
        expected = self._md5(*(values[name] for name in signed))
        if not hmac.compare_digest(values.get("sign", "").encode(), expected.encode()):
            return False
        with self.lock:
            sale = self.sales.get(values["payId"])
            if sale is None or not values["reallyPrice"]:
                return False
            if (values["price"], values["type"], values["param"]) != (PRICE, sale.type, ""):
                return False
            sale.is_paid = True
        return True

    def _asked(self, path: str, values: dict[str, str]) -> dict[str, Any]:
        try:
            answer = self.send(Outgoing("POST", self.base_url + path, _FORM, urlencode(values).encode()))
            found: dict[str, Any] = json.loads(answer.body)
        except (Unreachable, ValueError) as error:
            raise ValueError(str(error)) from error
        return found

    def _md5(self, *parts: str) -> str:
        return hashlib.md5("".join((*parts, self.key)).encode(), usedforsecurity=False).hexdigest()


def make_shop(shop: Shop) -> Flask:
    """The shop's web site."""
    app = Flask("tea-house", template_folder=str(resource_dir("templates") / "demo"), static_folder=None)

    def page(template: str, status: int = 200, **values: Any) -> Response:
        text = render_template(template, language=_language(), base_url=shop.base_url, price=PRICE, **values)
        return Response(text, status, headers={"Content-Security-Policy": "default-src 'none'; style-src 'self'"})

    @app.get("/")
    def front() -> Response:
        return page("shop.html")

    @app.post("/buy")
    def buy() -> AnyResponse:
        method = request.form.get("method", "")
        if method not in TYPES:
            abort(400)
        try:
            return redirect(shop.sell(method, _language()), 303)
        except ValueError as error:
            return page("shop.html", 503, trouble=str(error))

    @app.route("/notify", methods=["GET", "POST"])
    def notify() -> tuple[str, int]:
        return ("success", 200) if shop.told(request.values.to_dict()) else ("refused", 400)

    @app.get("/orders/<number>")
    def sale(number: str) -> Response:
        """Where the buyer comes back to. What the address says counts for nothing."""
        found = shop.sales.get(number)
        return page("sale.html", sale=found) if found else abort(404)

    @app.get("/style.css")
    def style() -> Response:
        return Response((resource_dir("static") / "demo" / "shop.css").read_bytes(), mimetype="text/css")

    return app


def _language() -> str:
    """zh or en."""
    asked = request.values.get("lang") or request.accept_languages.best_match(["zh", "en"], "zh")
    return "en" if asked.startswith("en") else "zh"

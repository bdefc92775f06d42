"""How shops that were written for V免签 are paid, as one of their plugins does it: createOrder and its callback."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from checkout.http.client import Client, Outgoing, Unreachable
from checkout.interfaces import Send

TYPES = {"wechat": "1", "alipay": "2"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_SIGNED = ("payId", "param", "type", "price", "reallyPrice")


@dataclass
class Plugin:
    """Set up with the address of Checkout and the merchant's key. Prices are yuan, as texts."""

    base_url: str
    key: str = field(repr=False)
    send: Send = field(default_factory=lambda: Client(allow_private=True).send)

    def ask(self, number: str, method: str, price: str, back: str) -> str:
        """Makes an order and gives the address of its checkout page; ValueError with the reason when there is none."""
        values = {
            "payId": number, "type": TYPES[method], "price": price, "param": "", "returnUrl": back,
            "sign": self._md5(number, "", TYPES[method], price),
        }  # fmt: skip
        answer = self._asked("/createOrder", values)
        if answer["code"] != 1:
            raise ValueError(answer["msg"])
        return f"{self.base_url}/pay/{answer['data']['orderId']}"

    def believes(self, values: dict[str, str], method: str, price: str) -> bool:
        """Judges a callback about an order of ours of this method and price. A signature alone is not enough: no value
        may be empty or differ, because some other signed messages could be read as a callback with one missing."""
        if not all(name in values for name in _SIGNED):
            return False
        expected = self._md5(*(values[name] for name in _SIGNED))
        if not hmac.compare_digest(values.get("sign", "").encode(), expected.encode()):
            return False
        asked = (values["price"], values["type"], values["param"])
        return bool(values["reallyPrice"]) and asked == (price, TYPES[method], "")

    def _asked(self, path: str, values: dict[str, str]) -> dict[str, Any]:
        try:
            answer = self.send(Outgoing("POST", self.base_url + path, _FORM, urlencode(values).encode()))
            found: dict[str, Any] = json.loads(answer.body)
        except (Unreachable, ValueError) as error:
            raise ValueError(str(error)) from error
        return found

    def _md5(self, *parts: str) -> str:
        return hashlib.md5("".join((*parts, self.key)).encode(), usedforsecurity=False).hexdigest()

"""Requests to Alipay's open platform: signed with our key, their answers checked with Alipay's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote, urlencode

from checkout.beijing import in_beijing
from checkout.channel import GatewayError
from checkout.channels import keys
from checkout.channels.alipay_answers import answer_of
from checkout.http.client import Outgoing, Unreachable
from checkout.interfaces import Send
from checkout.model.orders import Order
from checkout.records import Discreet
from checkout.signing import sorted_pairs

if TYPE_CHECKING:
    from Crypto.PublicKey.RSA import RsaKey


class Config(Discreet, frozen=True):
    SECRET: ClassVar = ("private",)

    app_id: str
    private: RsaKey
    alipay_public: RsaKey
    seller_id: str  # "" when it is not checked
    gateway: str
    product: str  # what the scene `qr` becomes: precreate | page | wap | page+wap (wap on phones)


class Gateway:
    """One app at Alipay's gateway."""

    def __init__(self, config: Config, send: Send) -> None:
        self._config = config
        self._send = send

    def ask(
        self, method: str, order: Order, content: Mapping[str, str], now: int, *, notify_url: str = ""
    ) -> Mapping[str, str]:
        """One request about an order; the answer's values, which are about the same order. Raises `Business`."""
        content = {"out_trade_no": order.token, **content}
        form = encoded(self.signed(method, content, now, notify_url=notify_url))
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
        # Alipay reads the charset from the query alone.
        url = f"{self._config.gateway}?charset=utf-8"
        try:
            answer = self._send(Outgoing("POST", url, headers, form.encode()))
        except Unreachable as problem:
            raise GatewayError(f"Alipay did not answer: {problem.message}", permanent=False) from problem
        if answer.status != 200:
            raise GatewayError(f"Alipay answered with the status {answer.status}.", permanent=False)
        values = answer_of(answer.body, method, self.holds)
        if values.get("out_trade_no", order.token) != order.token:
            raise GatewayError("Alipay's answer is about another order.", permanent=False)
        return values

    def signed(
        self, method: str, content: Mapping[str, str], now: int, *, notify_url: str = "", return_url: str = ""
    ) -> dict[str, str]:
        """The parameters of a request. `sign_type` is signed too; empty ones are neither signed nor sent."""
        params = {
            "app_id": self._config.app_id, "method": method, "format": "JSON", "charset": "utf-8",
            "sign_type": "RSA2", "timestamp": in_beijing(now), "version": "1.0", "notify_url": notify_url,
            "return_url": return_url, "biz_content": json.dumps(content, ensure_ascii=False, separators=(",", ":")),
        }  # fmt: skip
        params = {name: value for name, value in params.items() if value}
        return params | {"sign": keys.rsa_sign(self._config.private, sorted_pairs(params).encode())}

    def holds(self, sign: str, message: bytes) -> bool:
        """Whether Alipay signed this."""
        return keys.rsa_signed_by(self._config.alipay_public, sign, message)


def encoded(params: Mapping[str, str]) -> str:
    return urlencode(params, quote_via=quote, safe="")

"""The roads of WeChat Pay's 2014 form: the app's interface (a token, then a prepaid order) and Tenpay's.

Tenpay's answers are signed with the partner key; those of the app's interface are not and rest on TLS.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from checkout import xml
from checkout.channel import GatewayError
from checkout.channels.wechat_2014_messages import Partner
from checkout.channels.wechat_messages import MD5, is_signed, sign
from checkout.http.client import Outgoing, Unreachable
from checkout.interfaces import Send

SPENT_TOKEN = frozenset({40001, 40014, 42001})
EARLY_S = 300  # before a token's end it is not used any more


class Refused(Exception):
    """A signed refusal of Tenpay; `code` is its retcode."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(code)
        self.code = code
        self.sentence = f"Tenpay refused the request: {code} {words}".rstrip() + "."


class AppInterface:
    """api.weixin.qq.com. A token is good for two hours; a new one ends the one before it."""

    def __init__(self, partner: Partner, app_secret: str, address: str, send: Send) -> None:
        self._partner = partner
        self._secret = app_secret
        self._address = address.rstrip("/")
        self._send = send
        self._lock = threading.Lock()
        self._token, self._until = "", 0

    def prepay(self, order: Mapping[str, str], now: int) -> str:
        """The prepayid of a signed order. Raises `GatewayError`."""
        for last in (False, True):
            token = self._valid_token(now)
            answer = self._json("POST", "/pay/genprepay", {"access_token": token}, json.dumps(order).encode())
            prepay_id, code = answer.get("prepayid"), answer.get("errcode", 0)
            if isinstance(prepay_id, str) and re.fullmatch(r"[!-~]{1,64}", prepay_id) and code == 0:
                return prepay_id
            if last or code not in SPENT_TOKEN:
                raise GatewayError(f"WeChat Pay prepared no order: {_shown(code)}.", permanent=False)
            self._forget(token)
        raise AssertionError("the second try ends in one way or the other")

    def _valid_token(self, now: int) -> str:
        with self._lock:
            if self._token and now < self._until:
                return self._token
            asked = {"grant_type": "client_credential", "appid": self._partner.app_id, "secret": self._secret}
            answer = self._json("GET", "/cgi-bin/token", asked, b"")
            token, lives = answer.get("access_token"), answer.get("expires_in")
            if not isinstance(token, str) or not re.fullmatch("[!-~]{1,600}", token) or not isinstance(lives, int):
                raise GatewayError(f"WeChat gave no token: {_shown(answer.get('errcode'))}.", permanent=False)
            self._token, self._until = token, now + max(0, lives - EARLY_S)
            return token

    def _forget(self, token: str) -> None:
        with self._lock:
            if self._token == token:
                self._token = ""

    def _json(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> dict[str, object]:
        url = f"{self._address}{path}?{urlencode(query, quote_via=quote, safe='')}"
        headers = {"Content-Type": "application/json"} if body else {}
        answer = _answered(self._send, Outgoing(method, url, headers, body), "WeChat")
        try:
            values = json.loads(answer)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise GatewayError("WeChat's answer is no JSON object.", permanent=False)
        return values


class Tenpay:
    """gw.tenpay.com and mch.tenpay.com. `send_certified` shows our client certificate; None: there is none."""

    def __init__(
        self, partner: Partner, query_gateway: str, gateway: str, send: Send, send_certified: Send | None
    ) -> None:
        self._partner = partner
        self._query_gateway = query_gateway.rstrip("/")
        self._gateway = gateway.rstrip("/")
        self._send = send
        self._send_certified = send_certified

    def ask(self, path: str, values: Mapping[str, str]) -> dict[str, str]:
        """A question. Raises `GatewayError`, or `Refused`."""
        return self._asked(self._send, self._query_gateway + path, values)

    def ask_certified(self, path: str, values: Mapping[str, str]) -> dict[str, str]:
        if self._send_certified is None:
            raise GatewayError("Refunds need cert, cert_key and op_user_passwd.", permanent=True)
        return self._asked(self._send_certified, self._gateway + path, values)

    def _asked(self, send: Send, url: str, values: Mapping[str, str]) -> dict[str, str]:
        asked = {"input_charset": "UTF-8", "partner": self._partner.partner, **values}
        asked = {name: value for name, value in asked.items() if value}
        form = urlencode(asked | {"sign": sign(asked, self._partner.partner_key, MD5)}, quote_via=quote, safe="")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            answer = xml.parse(_answered(send, Outgoing("POST", url, headers, form.encode()), "Tenpay"), "root")
        except xml.XmlError as error:
            raise GatewayError(f"Tenpay's answer cannot be used: {error}", permanent=False) from None
        if not is_signed(answer, self._partner.partner_key, MD5):
            raise GatewayError("Tenpay's answer is not signed with the partner key.", permanent=False)
        if answer.get("retcode") != "0":
            raise Refused(_shown(answer.get("retcode")), _shown(answer.get("retmsg")))
        if answer.get("partner") != self._partner.partner:
            raise GatewayError("Tenpay's answer is for another partner.", permanent=False)
        return answer


def _answered(send: Send, request: Outgoing, who: str) -> bytes:
    try:
        answer = send(request)
    except Unreachable as problem:
        raise GatewayError(f"{who} did not answer: {problem.message}", permanent=False) from problem
    if answer.status != 200:
        raise GatewayError(f"{who} answered with the status {answer.status}.", permanent=False)
    return answer.body


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, str | int) else "no reason"
    return "".join(char for char in text if char.isprintable())[:80].rstrip(" .。")

"""Requests to WeChat Pay v2: signed with our key, answers checked with the same key, refusals understood.

`return_code` speaks of the transport and is not signed when it says FAIL; `result_code` and `err_code` speak of the
matter itself and are signed.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import NoReturn

from checkout import xml
from checkout.channel import GatewayError
from checkout.channels.wechat_messages import Merchant, is_signed, signed
from checkout.http.client import Outgoing, Unreachable
from checkout.interfaces import Send

# What will be refused again, however often it is asked. Others may pass: the system is busy, the till is empty.
PERMANENT = frozenset(
    {"NOAUTH", "ORDERPAID", "ORDERCLOSED", "APPID_NOT_EXIST", "MCHID_NOT_EXIST", "APPID_MCHID_NOT_MATCH"}
    | {"LACK_PARAMS", "PARAM_ERROR", "OUT_TRADE_NO_USED", "SIGNERROR", "XML_FORMAT_ERROR", "REQUIRE_POST_METHOD"}
    | {"POST_DATA_EMPTY", "NOT_UTF8", "INVALID_REQUEST", "CERT_ERROR", "ORDERNOTEXIST", "INVALID_TRANSACTIONID"}
    | {"TRADE_OVERDUE", "TRADE_STATE_ERROR", "USER_ACCOUNT_ABNORMAL", "REFUND_FEE_MISMATCH"}
)


class Refused(Exception):
    """A signed refusal; `code` is the gateway's."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(code)
        self.code = code
        self.words = words

    def error(self) -> GatewayError:
        return GatewayError(self.sentence(), permanent=self.code in PERMANENT)

    def sentence(self) -> str:
        return f"WeChat Pay refused the request: {self.code or 'no reason'} {self.words}".rstrip() + "."


class Gateway:
    """One merchant at WeChat's gateway. `send_certified` shows our client certificate; None: there is none."""

    def __init__(self, merchant: Merchant, address: str, send: Send, send_certified: Send | None) -> None:
        self._merchant = merchant
        self._address = address.rstrip("/")
        self._send = send
        self._send_certified = send_certified

    def ask(self, path: str, values: Mapping[str, str]) -> dict[str, str]:
        """The signed answer to a signed request. Raises `GatewayError`, or `Refused` when the matter is refused."""
        return self._asked(self._send, path, values)

    def ask_certified(self, path: str, values: Mapping[str, str]) -> dict[str, str]:
        if self._send_certified is None:
            raise GatewayError("Refunds need the merchant's certificate: set cert and cert_key.", permanent=True)
        return self._asked(self._send_certified, path, values)

    def _asked(self, send: Send, path: str, values: Mapping[str, str]) -> dict[str, str]:
        merchant = self._merchant
        request = {
            "appid": merchant.app_id, "mch_id": merchant.mch_id, "nonce_str": nonce(), **values,
            "sign_type": merchant.sign_type,
        }  # fmt: skip
        answer = self._answer(send, path, xml.build(signed(request, merchant)))
        if not is_signed(answer, merchant.api_key, merchant.sign_type):
            _unusable("is not signed with our key")
        if answer.get("appid") != merchant.app_id or answer.get("mch_id") != merchant.mch_id:
            _unusable("is for another merchant")
        if answer.get("result_code") != "SUCCESS":
            raise Refused(_plain(answer.get("err_code", ""), 40), _plain(answer.get("err_code_des", ""), 120))
        return answer

    def _answer(self, send: Send, path: str, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "text/xml; charset=utf-8"}
        try:
            answer = send(Outgoing("POST", self._address + path, headers, body))
        except Unreachable as problem:
            raise GatewayError(f"WeChat Pay did not answer: {problem.message}", permanent=False) from problem
        if answer.status != 200:
            raise GatewayError(f"WeChat Pay answered with the status {answer.status}.", permanent=False)
        try:
            values = xml.parse(answer.body)
        except xml.XmlError as error:
            raise GatewayError(f"WeChat Pay's answer cannot be used: {error}", permanent=False) from None
        if values.get("return_code") != "SUCCESS":
            # Nobody signed these words, so they decide nothing for good.
            words = _plain(values.get("return_msg", ""), 120) or "no reason"
            raise GatewayError(f"WeChat Pay did not take the request: {words}.", permanent=False)
        return values


def nonce() -> str:
    """32 characters that nobody has seen before."""
    return secrets.token_hex(16)


def _unusable(why: str) -> NoReturn:
    raise GatewayError(f"WeChat Pay's answer {why}.", permanent=False)


def _plain(text: str, limit: int) -> str:
    return "".join(char for char in text if char.isprintable())[:limit].rstrip(" .。")

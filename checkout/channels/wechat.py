"""WeChat Pay v2: XML messages signed with MD5 or HMAC-SHA256.

Specification: WeChat Pay merchant documentation v2, unifiedorder (NATIVE, APP, JSAPI, MWEB), orderquery, closeorder,
refund, refundquery, their notices, and native mode 1 (a static code for each product).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from msgspec.structs import replace

from checkout.channel import (
    WENT_BACK,
    Channel,
    Found,
    GatewayError,
    Heard,
    Notice,
    NoticeRefused,
    Paid,
    Prompt,
    PromptKind,
    Raw,
    RefundAsk,
    Refunded,
    RefundStanding,
    Reply,
    Scene,
    Standing,
    Start,
)  # fmt: skip
from checkout.channels import wechat_messages as messages
from checkout.channels.sections import Section
from checkout.channels.static_codes import OpenOrder
from checkout.channels.wechat_gateway import PERMANENT, Gateway, Refused, nonce
from checkout.channels.wechat_messages import HMAC, MD5, Merchant
from checkout.channels.wechat_orders import TRADE_TYPES, client_params, order_of
from checkout.channels.wechat_product import call_of, code_of, told
from checkout.channels.wechat_refunds import is_taken, notice_of, refund_of, standing_of
from checkout.channels.wechat_section import clients
from checkout.errors import Refusal
from checkout.model.orders import Order

LIVE = "https://api.mch.weixin.qq.com"
CAME = frozenset({"SUCCESS", "REFUND"})  # money that went back later came all the same
CLOSED = frozenset({"CLOSED", "REVOKED"})
WAITING = frozenset({"NOTPAY", "USERPAYING", "PAYERROR", "ACCEPT"})
OVER = frozenset({"ORDERPAID", "ORDERCLOSED", "ORDERNOTEXIST"})  # what closeorder says when there is nothing to close


def make(name: str, table: Mapping[str, object], folder: Path, allow_private: bool) -> Channel:
    """The channel of a section of kind "wechat". Raises `SettingsError`."""
    section = Section(name, table, folder)
    app_id = section.text("app_id", "wx[0-9A-Za-z]{6,30}", "an app's id, which begins with wx")
    mch_id = section.text("mch_id", "[0-9]{8,10}", "a merchant's number of 8 to 10 digits")
    api_key = section.secret("api_key")
    if not re.fullmatch("[0-9A-Za-z]{32}", api_key):
        raise section.bad("api_key", "must name a text of 32 letters and digits")
    sign_type = section.choice("sign_type", HMAC, MD5, default=HMAC)
    gateway = section.gateway("gateway", LIVE, allow_private=allow_private)
    send, certified = clients(section, folder, allow_private)
    section.done()
    merchant = Merchant(app_id, mch_id, api_key, sign_type)
    return WeChat(name, merchant, Gateway(merchant, gateway, send, certified))


class WeChat:
    """One merchant number with one app."""

    method = "wechat"

    def __init__(self, name: str, merchant: Merchant, gateway: Gateway) -> None:
        self.name = name
        self._merchant = merchant
        self._gateway = gateway

    def scenes(self) -> frozenset[Scene]:
        return frozenset(TRADE_TYPES)

    def phone_scene(self) -> Scene:
        return Scene.H5

    def start(self, ask: Start) -> Prompt:
        answer = self._ordered(ask, ask.order.token)
        if ask.scene is Scene.QR:
            return Prompt(PromptKind.QR, _given(answer, "code_url", r"[!-~]{1,512}"))
        if ask.scene is Scene.H5:
            url = _given(answer, "mweb_url", r"https?://[!-~]{1,1024}")
            joint = "&" if "?" in url else "?"
            return Prompt(PromptKind.LINK, f"{url}{joint}redirect_url={quote(ask.return_url, safe='')}")
        prepay_id = _given(answer, "prepay_id", r"[!-~]{1,64}")
        return Prompt(PromptKind.CLIENT, params=client_params(ask, self._merchant, prepay_id, nonce()))

    def query(self, order: Order, now: int) -> Found:
        try:
            answer = self._gateway.ask("/pay/orderquery", {"out_trade_no": order.token})
        except Refused as refusal:
            if refusal.code == "ORDERNOTEXIST":
                return Found(Standing.UNPAID)
            raise refusal.error() from None
        if answer.get("out_trade_no") != order.token:
            raise GatewayError("WeChat Pay's answer is about another order.", permanent=False)
        state = answer.get("trade_state", "")
        if state in CAME:
            return Found(Standing.PAID, _paid(answer), doubt=WENT_BACK if state == "REFUND" else "")
        if state not in WAITING | CLOSED:
            raise GatewayError("WeChat Pay's answer names no state that is known.", permanent=False)
        return Found(Standing.CLOSED if state in CLOSED else Standing.UNPAID)

    def close(self, order: Order, now: int) -> None:
        """An order that was paid in the meantime takes no more money either; the query that follows finds it."""
        try:
            self._gateway.ask("/pay/closeorder", {"out_trade_no": order.token})
        except Refused as refusal:
            if refusal.code not in OVER:
                raise refusal.error() from None

    def refund(self, ask: RefundAsk) -> Refunded:
        """The same number never moves money twice. That it was taken says nothing of its end."""
        try:
            answer = self._gateway.ask_certified("/secapi/pay/refund", refund_of(ask))
        except Refused as refusal:
            if refusal.code in PERMANENT:
                return Refunded(RefundStanding.FAILED, refusal.sentence())
            raise refusal.error() from None
        if not is_taken(answer, ask):
            raise GatewayError("WeChat Pay's answer is about another refund.", permanent=False)
        return Refunded(RefundStanding.PROCESSING)

    def refund_standing(self, ask: RefundAsk) -> Refunded:
        try:
            answer = self._gateway.ask("/pay/refundquery", {"out_refund_no": ask.number})
        except Refused as refusal:
            if refusal.code == "REFUNDNOTEXIST":
                return Refunded(RefundStanding.REPEAT)
            raise refusal.error() from None
        return standing_of(answer, ask)

    def read_notice(self, raw: Raw) -> Notice:
        if raw.method != "POST":
            raise NoticeRefused("WeChat Pay's notices are sent by POST.")
        values = messages.read(raw.body)
        if "req_info" in values:
            return notice_of(values, self._merchant)
        values = messages.believed(raw.body, self._merchant)
        text = messages.kept(values)
        if values.get("result_code") != "SUCCESS" or values.get("trade_state", "SUCCESS") != "SUCCESS":
            return Notice(Heard.NOTHING, values.get("out_trade_no", ""), text)
        paid = messages.paid_by(values)
        return Notice(Heard.PAID, paid.order_token, text, paid, mismatch=messages.mismatch(values, self._merchant))

    def reply_accepted(self) -> Reply:
        return _xml(b"<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>")

    def reply_refused(self) -> Reply:
        return _xml(
            b"<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[not accepted]]></return_msg></xml>"
        )

    def read_return(self, raw: Raw) -> str:
        raise NoticeRefused("WeChat Pay signs no returns.")

    def product_code(self, product: str, now: int) -> str:
        return code_of(product, self._merchant, nonce(), now)

    def answer_product(self, raw: Raw, open_order: OpenOrder) -> Reply:
        try:
            call = call_of(raw, self._merchant)
        except NoticeRefused:
            return self.reply_refused()
        try:
            answer = self._ordered(replace(open_order(call), scene=Scene.QR), call.product)
            outcome = {"prepay_id": _given(answer, "prepay_id", r"[!-~]{1,64}"), "result_code": "SUCCESS"}
        except (Refusal, GatewayError) as problem:
            outcome = {"result_code": "FAIL", "err_code_des": messages.title(problem.message)}
        return told(self._merchant, nonce(), outcome)

    def _ordered(self, ask: Start, product: str) -> Mapping[str, str]:
        if ask.scene not in TRADE_TYPES:
            raise GatewayError(f"WeChat Pay has no payment for the scene {ask.scene}.", permanent=True)
        try:
            answer = self._gateway.ask("/pay/unifiedorder", order_of(ask, product))
        except Refused as refusal:
            raise refusal.error() from None
        if answer.get("trade_type") != TRADE_TYPES[ask.scene]:
            raise GatewayError("WeChat Pay's answer is about another kind of payment.", permanent=False)
        return answer


def _paid(answer: Mapping[str, str]) -> Paid:
    if answer.get("fee_type", "CNY") not in ("", "CNY"):
        raise GatewayError("WeChat Pay reports a payment in another currency.", permanent=True)
    try:
        return messages.paid_by(answer)
    except NoticeRefused as problem:
        raise GatewayError(f"WeChat Pay's answer cannot be used: {problem}", permanent=False) from None


def _given(answer: Mapping[str, str], name: str, pattern: str) -> str:
    value = answer.get(name, "")
    if not re.fullmatch(pattern, value):
        raise GatewayError(f"WeChat Pay's answer holds no {name}.", permanent=False)
    return value


def _xml(body: bytes) -> Reply:
    return Reply(body, "text/xml; charset=utf-8")

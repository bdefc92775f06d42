"""WeChat Pay with API v3 in public-key mode: QR codes, pages inside WeChat, mobile browsers and apps.

Specification: WeChat Pay API v3, /v3/pay/transactions/{native,jsapi,h5,app}, out-trade-no queries and closing,
/v3/refund/domestic/refunds. Amounts are fen, as ours are. Platform certificates are not used.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from checkout.channel import (
    WENT_BACK,
    Channel,
    Found,
    GatewayError,
    Notice,
    NoticeRefused,
    Prompt,
    Raw,
    RefundAsk,
    Refunded,
    RefundStanding,
    Reply,
    Scene,
    Standing,
    Start,
)  # fmt: skip
from checkout.channels import keys
from checkout.channels import wechat_v3_messages as messages
from checkout.channels.sections import Section
from checkout.channels.wechat_v3_gateway import Config, Gateway, Refused
from checkout.channels.wechat_v3_notices import notice_of
from checkout.channels.wechat_v3_orders import KINDS, order_of, prompt_of
from checkout.http.client import Client
from checkout.interfaces import Send
from checkout.model.orders import Order

LIVE = "https://api.mch.weixin.qq.com"
ORDERS = "/v3/pay/transactions"
DEADLINE_S = 10  # seconds, for one request in all
REFUNDS = "/v3/refund/domestic/refunds"

# Without underscores, because the documentation spells some both ways.
UNKNOWN = frozenset({"ORDERNOTEXIST", "ORDERNOTEXISTS", "RESOURCENOTEXISTS"})
OVER = UNKNOWN | {"ORDERCLOSED", "ORDERPAID"}
NO_FUNDS = "NOTENOUGH"  # passes once the merchant has filled its till
PAID = frozenset({"SUCCESS", "REFUND"})  # REFUND: was paid, and some of it or all went back
WAITING = frozenset({"NOTPAY", "USERPAYING", "PAYERROR"})
CLOSED = frozenset({"CLOSED", "REVOKED"})


def make(name: str, table: Mapping[str, object], folder: Path, allow_private: bool) -> Channel:
    """The channel of a section of kind "wechat_v3". Raises `SettingsError`."""
    section = Section(name, table, folder)
    public_text = section.secret("wechat_public_key", is_secret=False)
    config = Config(
        app_id=section.text("app_id", r"wx[0-9A-Za-z]{6,30}", "an app id, wx and 16 digits and letters"),
        mch_id=section.text("mch_id", r"[0-9]{6,12}", "the merchant's number"),
        api_v3_key=_api_key(section),
        private=keys.load_private(section.secret("private_key"), section.what("private_key")),
        serial_no=section.text(
            "serial_no", r"[0-9A-Fa-f]{16,40}", "the serial number of the merchant's certificate in hexadecimal"
        ).upper(),
        wechat_public=keys.load_public(public_text, section.what("wechat_public_key")),
        public_key_id=section.text("public_key_id", r"PUB_KEY_ID_[0-9A-Za-z]{1,64}", "PUB_KEY_ID_ and digits"),
        gateway=section.gateway("gateway", LIVE, allow_private=allow_private).rstrip("/"),
    )
    section.done()
    if keys.are_a_pair(config.private, config.wechat_public):
        raise section.bad(
            "wechat_public_key", "is our own public key; WeChat Pay's is downloaded beside its PUB_KEY_ID_"
        )
    return WechatV3(name, config, Client(allow_private=allow_private, ports=None, deadline_s=DEADLINE_S).send)


def _api_key(section: Section) -> str:
    key = section.secret("api_v3_key")
    if not re.fullmatch(r"[!-~]{32}", key):
        raise section.bad("api_v3_key", "must hold the APIv3 key: 32 characters")
    return key


def _nonce() -> str:
    return secrets.token_hex(16)


class WechatV3:
    """One app of one merchant at WeChat Pay."""

    method = "wechat"

    def __init__(self, name: str, config: Config, send: Send, new_nonce: Callable[[], str] = _nonce) -> None:
        self.name = name
        self._config = config
        self._new_nonce = new_nonce
        self._gateway = Gateway(config, send, new_nonce)

    def scenes(self) -> frozenset[Scene]:
        return frozenset(KINDS)

    def phone_scene(self) -> Scene:
        return Scene.H5

    def start(self, ask: Start) -> Prompt:
        """The same order asked for again is the same request, so that WeChat Pay answers it again."""
        kind = KINDS.get(ask.scene)
        if kind is None:
            raise GatewayError(f"WeChat Pay has no payment for the scene {ask.scene}.", permanent=True)
        content = order_of(ask, self._config)
        try:
            values = self._gateway.ask("POST", f"{ORDERS}/{kind}", content, ask.now)
        except Refused as refusal:
            raise GatewayError(refusal.reason, permanent=True) from None
        return prompt_of(ask, values, self._config, self._new_nonce())

    def query(self, order: Order, now: int) -> Found:
        try:
            values = self._gateway.ask("GET", f"{_path(order)}?mchid={self._config.mch_id}", None, now)
        except Refused as refusal:
            if refusal.code in UNKNOWN:
                return Found(Standing.UNPAID)
            raise GatewayError(refusal.reason, permanent=True) from None
        if values.get("out_trade_no") != order.token:
            raise GatewayError("WeChat Pay's answer is about another order.", permanent=False)
        return self._found(values, now)

    def close(self, order: Order, now: int) -> None:
        try:
            self._gateway.ask("POST", f"{_path(order)}/close", {"mchid": self._config.mch_id}, now)
        except Refused as refusal:
            if refusal.code not in OVER:
                raise GatewayError(refusal.reason, permanent=True) from None

    def refund(self, ask: RefundAsk) -> Refunded:
        """The same number never moves money twice."""
        of = {"transaction_id": ask.reference} if ask.reference else {"out_trade_no": ask.order.token}
        content: dict[str, object] = {**of, "out_refund_no": ask.number}
        texts = {"reason": messages.shortened(ask.reason, 80), "notify_url": ask.notify_url}
        content |= {name: value for name, value in texts.items() if value}
        content["amount"] = {"refund": ask.amount, "total": ask.paid, "currency": "CNY"}
        try:
            values = self._gateway.ask("POST", REFUNDS, content, ask.now)
        except Refused as refusal:
            if refusal.code == NO_FUNDS:
                raise GatewayError(refusal.reason, permanent=False) from None
            return Refunded(RefundStanding.FAILED, refusal.reason)
        return _refunded(ask, values)

    def refund_standing(self, ask: RefundAsk) -> Refunded:
        try:
            values = self._gateway.ask("GET", f"{REFUNDS}/{quote(ask.number, safe='')}", None, ask.now)
        except Refused as refusal:
            if refusal.code in UNKNOWN:
                return Refunded(RefundStanding.REPEAT)
            raise GatewayError(refusal.reason, permanent=True) from None
        return _refunded(ask, values)

    def read_notice(self, raw: Raw) -> Notice:
        if raw.method != "POST":
            raise NoticeRefused("WeChat Pay's notices are sent by POST.")
        try:
            self._gateway.check(raw.headers, raw.body, raw.now)
            return notice_of(raw.body, self._config, raw.now)
        except messages.Unsigned as problem:
            raise NoticeRefused(f"The notice {problem}{_stop(problem)}") from None
        except messages.Malformed as problem:
            raise NoticeRefused(str(problem)) from None

    def reply_accepted(self) -> Reply:
        return Reply('{"code":"SUCCESS","message":"成功"}'.encode(), "application/json")

    def reply_refused(self) -> Reply:
        return Reply('{"code":"FAIL","message":"失败"}'.encode(), "application/json", 500)

    def read_return(self, raw: Raw) -> str:
        """WeChat Pay signs no returns: browsers come back to the order's page itself."""
        raise NoticeRefused("WeChat Pay sends no signed returns.")

    def _found(self, values: Mapping[str, object], now: int) -> Found:
        state = values.get("trade_state")
        if state in PAID:
            if problem := messages.mismatch_of(values, self._config.app_id, self._config.mch_id):
                raise GatewayError(f"WeChat Pay's answer cannot be used: {problem}", permanent=False)
            try:
                paid = messages.paid_of(values, now)
                return Found(Standing.PAID, paid, doubt=WENT_BACK if state == "REFUND" else "")
            except messages.Malformed as problem:
                raise GatewayError(f"WeChat Pay's answer cannot be used: {problem}", permanent=False) from None
        if state in WAITING or state in CLOSED:
            return Found(Standing.CLOSED if state in CLOSED else Standing.UNPAID)
        raise GatewayError("WeChat Pay's answer names no state that is known.", permanent=False)


def _path(order: Order) -> str:
    return f"{ORDERS}/out-trade-no/{order.token}"


def _refunded(ask: RefundAsk, values: Mapping[str, object]) -> Refunded:
    about = (values.get("out_refund_no"), values.get("out_trade_no"), messages.part(values, "amount").get("refund"))
    if about != (ask.number, ask.order.token, ask.amount):
        raise GatewayError("WeChat Pay's answer is about another refund.", permanent=False)
    status = values.get("status")
    if status == "SUCCESS":
        return Refunded(RefundStanding.DONE)
    if status == "PROCESSING":
        return Refunded(RefundStanding.PROCESSING)
    if status == "CLOSED":
        return Refunded(RefundStanding.FAILED, "WeChat Pay closed the refund.")
    if status == "ABNORMAL":
        reason = "The money could not reach the buyer's account; finish the refund on pay.weixin.qq.com."
        return Refunded(RefundStanding.FAILED, reason)
    raise GatewayError("WeChat Pay's answer names no refund status that is known.", permanent=False)


def _stop(problem: Exception) -> str:
    return "" if str(problem).endswith("?") else "."

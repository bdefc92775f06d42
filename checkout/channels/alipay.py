"""Alipay's open platform with RSA2 keys: face-to-face QR codes, web, mobile web and app payments.

Specification: Alipay open platform, alipay.trade.precreate, page.pay, wap.pay, app.pay, query, close, refund and
fastpay.refund.query, version 1.0. An order ends by close, then query; cancel is never called, because it refunds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from checkout.beijing import in_beijing
from checkout.channel import (
    Channel,
    Found,
    GatewayError,
    Notice,
    NoticeRefused,
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
from checkout.channels import keys
from checkout.channels.alipay_answers import Business
from checkout.channels.alipay_forms import CLOSED, PAID, WAITING, fields_of, notice_of, paid_by, verified
from checkout.channels.alipay_gateway import Config, Gateway, encoded
from checkout.channels.sections import Section
from checkout.http.client import Client
from checkout.interfaces import Send
from checkout.model.orders import Order
from checkout.money import yuan

if TYPE_CHECKING:
    from Crypto.PublicKey.RSA import RsaKey

LIVE = "https://openapi.alipay.com/gateway.do"
NOT_KNOWN = "ACQ.TRADE_NOT_EXIST"  # also: the buyer has not opened the cashier yet
NO_FUNDS = "ACQ.SELLER_BALANCE_NOT_ENOUGH"  # passes once the seller has filled the account
OVER = frozenset(
    {NOT_KNOWN, "ACQ.TRADE_STATUS_ERROR", "ACQ.TRADE_HAS_CLOSE", "ACQ.TRADE_HAS_SUCCESS", "ACQ.TRADE_HAS_FINISHED"}
    | {"ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS"}
)  # what close says of an order that takes no money any more
PRODUCTS = {
    Scene.PAGE: ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
    Scene.H5: ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),
    Scene.APP: ("alipay.trade.app.pay", "QUICK_MSECURITY_PAY"),
}
QR_SCENES = {"precreate": Scene.QR, "page": Scene.PAGE, "wap": Scene.H5, "page+wap": Scene.PAGE}


def make(name: str, table: Mapping[str, object], folder: Path, allow_private: bool) -> Channel:
    """The channel of a section of kind "alipay". Raises `SettingsError`."""
    section = Section(name, table, folder)
    config = Config(
        app_id=section.text("app_id", r"(?!2088[0-9]{12}$)[0-9]{8,32}", "the app's number (not a seller's 2088…)"),
        private=keys.load_private(section.secret("app_private_key"), section.what("app_private_key")),
        alipay_public=_alipay_public(section),
        seller_id=section.text("seller_id", r"2088[0-9]{12}", "a seller's number, 2088 and 12 digits", default=""),
        gateway=section.gateway("gateway", LIVE, allow_private=allow_private),
        product=section.choice("product", *QR_SCENES, default="precreate"),
    )
    section.done()
    if keys.are_a_pair(config.private, config.alipay_public):
        raise section.bad("alipay_public_key", "is our own public key; Alipay shows its own after ours was uploaded")
    return Alipay(name, config, Client(allow_private=allow_private, ports=None, deadline_s=10).send)


def _alipay_public(section: Section) -> RsaKey:
    text = section.secret("alipay_public_key", is_secret=False)
    return keys.load_public(text, section.what("alipay_public_key"))


class Alipay:
    """One app on Alipay's open platform."""

    method = "alipay"

    def __init__(self, name: str, config: Config, send: Send) -> None:
        self.name = name
        self._config = config
        self._gateway = Gateway(config, send)

    def scenes(self) -> frozenset[Scene]:
        return frozenset({Scene.QR, *PRODUCTS})

    def phone_scene(self) -> Scene:
        """By the contracts that `product` names."""
        return Scene.H5 if self._config.product == "page+wap" else Scene.QR

    def start(self, ask: Start) -> Prompt:
        scene = QR_SCENES[self._config.product] if ask.scene is Scene.QR else ask.scene
        if scene is Scene.QR:
            return self._precreate(ask)
        if scene not in PRODUCTS:
            raise GatewayError(f"Alipay has no payment for the scene {scene}.", permanent=True)
        method, product_code = PRODUCTS[scene]
        content = _order(ask) | {"product_code": product_code}
        if scene is Scene.APP:
            text = encoded(self._gateway.signed(method, content, ask.now, notify_url=ask.notify_url))
            return Prompt(PromptKind.CLIENT, text, {"order_string": text})
        if scene is Scene.H5:
            content["quit_url"] = ask.return_url
        params = self._gateway.signed(method, content, ask.now, notify_url=ask.notify_url, return_url=ask.return_url)
        return Prompt(PromptKind.LINK, f"{self._config.gateway}?{encoded(params)}")

    def query(self, order: Order, now: int) -> Found:
        try:
            values = self._gateway.ask("alipay.trade.query", order, {}, now)
        except Business as refusal:
            if refusal.sub_code == NOT_KNOWN:
                return Found(Standing.UNPAID)
            raise _refused(refusal) from None
        status = values.get("trade_status")
        if status in PAID:
            return self._found_paid(values, now)
        if status not in (WAITING, CLOSED):
            raise GatewayError("Alipay's answer names no status that is known.", permanent=False)
        return Found(Standing.CLOSED if status == CLOSED else Standing.UNPAID)

    def close(self, order: Order, now: int) -> None:
        """An order that nobody has opened yet is not known there; it ends by its own `time_expire`."""
        try:
            self._gateway.ask("alipay.trade.close", order, {}, now)
        except Business as refusal:
            if refusal.sub_code not in OVER:
                raise _refused(refusal) from None

    def refund(self, ask: RefundAsk) -> Refunded:
        """The same number never moves money twice; where it moved none this time, the query tells what stands."""
        content = _refund(ask) | {"refund_amount": yuan(ask.amount), "refund_reason": _plain(ask.reason)[:256]}
        content = {name: value for name, value in content.items() if value}
        try:
            values = self._gateway.ask("alipay.trade.refund", ask.order, content, ask.now)
        except Business as refusal:
            reason = f"Alipay refused the refund: {refusal.sub_code}."
            if refusal.sub_code == NO_FUNDS:
                raise GatewayError(reason, permanent=False) from None
            return Refunded(RefundStanding.FAILED, reason)
        return Refunded(RefundStanding.DONE if values.get("fund_change") == "Y" else RefundStanding.PROCESSING)

    def refund_standing(self, ask: RefundAsk) -> Refunded:
        """Code 10000 alone is no success: an unknown refund is answered with it too."""
        try:
            values = self._gateway.ask("alipay.trade.fastpay.refund.query", ask.order, _refund(ask), ask.now)
        except Business as refusal:
            if refusal.sub_code == NOT_KNOWN:
                return Refunded(RefundStanding.REPEAT)
            raise _refused(refusal) from None
        status, amount = values.get("refund_status", ""), values.get("refund_amount", "")
        if status not in ("", "REFUND_SUCCESS"):
            return Refunded(RefundStanding.PROCESSING)
        if not status and not amount:
            return Refunded(RefundStanding.REPEAT)
        if values.get("out_request_no", ask.number) != ask.number or amount not in ("", yuan(ask.amount)):
            raise GatewayError("Alipay's answer is about another refund.", permanent=False)
        return Refunded(RefundStanding.DONE)

    def read_notice(self, raw: Raw) -> Notice:
        if raw.method != "POST":
            raise NoticeRefused("Alipay's notices are sent by POST.")
        values = verified(fields_of(raw.body), self._gateway.holds)
        return notice_of(values, amount="total_amount", mismatch=self._mismatch(values), now=raw.now)

    def reply_accepted(self) -> Reply:
        return Reply(b"success")

    def reply_refused(self) -> Reply:
        return Reply(b"failure")

    def read_return(self, raw: Raw) -> str:
        values = verified(fields_of(raw.query), self._gateway.holds)
        token = values.get("out_trade_no", "")
        if not token or self._mismatch(values):
            raise NoticeRefused("The return is not for this app.")
        return token

    def _precreate(self, ask: Start) -> Prompt:
        try:
            values = self._gateway.ask(
                "alipay.trade.precreate", ask.order, _order(ask), ask.now, notify_url=ask.notify_url
            )
        except Business as refusal:
            raise _refused(refusal) from None
        code = values.get("qr_code", "")
        if not re.fullmatch(r"[!-~]{1,1024}", code):
            raise GatewayError("Alipay's answer holds no QR code.", permanent=False)
        return Prompt(PromptKind.QR, code)

    def _found_paid(self, values: Mapping[str, str], now: int) -> Found:
        try:
            paid = paid_by(values, amount="total_amount", at=values.get("send_pay_date", ""), now=now)
        except NoticeRefused as problem:
            raise GatewayError(f"Alipay's answer cannot be used: {problem}", permanent=False) from None
        return Found(Standing.PAID, paid)

    def _mismatch(self, values: Mapping[str, str]) -> str:
        if values.get("app_id") != self._config.app_id:
            return "The notice is for another app."
        if self._config.seller_id and values.get("seller_id") != self._config.seller_id:
            return "The notice is for another seller."
        if values.get("trans_currency", "CNY") != "CNY":
            return "The notice is in another currency."
        return ""


def _order(ask: Start) -> dict[str, str]:
    """What every way to pay is told. A time less than a minute ahead would be refused."""
    assert ask.order.really_price is not None
    return {
        "out_trade_no": ask.order.token,
        "total_amount": yuan(ask.order.really_price),
        "subject": _plain(ask.title)[:256] or ask.order.token,
        "time_expire": in_beijing(max(ask.order.expires_at, ask.now + 60)),
    }


def _refund(ask: RefundAsk) -> dict[str, str]:
    content = {"trade_no": ask.reference, "out_request_no": ask.number}
    return {name: value for name, value in content.items() if value}


def _plain(text: str) -> str:
    """A text without what Alipay does not allow in a title (`/ = &`, by their full-width twins) and control marks."""
    text = "".join(char if char.isprintable() else " " for char in text)
    return text.translate(str.maketrans("/=&", "／＝＆")).strip()


def _refused(refusal: Business) -> GatewayError:
    return GatewayError(f"Alipay refused the request: {refusal.sub_code}.", permanent=True)

"""WeChat Pay in its 2014 form: codes that ask back, payments in apps and in pages inside WeChat, Tenpay's refunds.

Specification: 微信支付商户系统接口文档 2.x, of 2013 and 2014. Its live hosts are gone; such contracts were moved to v2.
An order cannot be closed before its time; until then it may still be paid.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from checkout.channel import (
    Channel,
    Found,
    GatewayError,
    Heard,
    Notice,
    NoticeRefused,
    Prompt,
    PromptKind,
    Raw,
    RefundAsk,
    Refunded,
    Reply,
    Scene,
    Standing,
    Start,
)  # fmt: skip
from checkout.channels import wechat_2014_messages as forms
from checkout.channels import wechat_messages as messages
from checkout.channels.sections import Section
from checkout.channels.static_codes import OpenOrder
from checkout.channels.wechat_2014_gateway import AppInterface, Refused, Tenpay
from checkout.channels.wechat_2014_messages import Partner, app_sign
from checkout.channels.wechat_2014_refunds import Operator, Refunds
from checkout.channels.wechat_gateway import nonce
from checkout.channels.wechat_section import clients
from checkout.errors import Refusal
from checkout.model.orders import Order
from checkout.signing import md5_of

LIVE = "https://mch.tenpay.com"
LIVE_QUERY = "https://gw.tenpay.com"
LIVE_API = "https://api.weixin.qq.com"
NOT_KNOWN = "88221009"  # Tenpay knows no such order: nobody has begun to pay it


def make(name: str, table: Mapping[str, object], folder: Path, allow_private: bool) -> Channel:
    """The channel of a section of kind "wechat_2014". Raises `SettingsError`."""
    section = Section(name, table, folder)
    partner = Partner(
        app_id=section.text("app_id", "wx[0-9A-Za-z]{6,30}", "an app's id, which begins with wx"),
        partner=section.text("partner", "[0-9]{8,10}", "a partner's number of 8 to 10 digits"),
        pay_sign_key=_key(section, "pay_sign_key"),
        partner_key=_key(section, "partner_key"),
    )
    app_secret = _key(section, "app_secret")
    gateway = section.gateway("gateway", LIVE, allow_private=allow_private)
    query_gateway = section.gateway("query_gateway", LIVE_QUERY, allow_private=allow_private)
    api = section.gateway("api", LIVE_API, allow_private=allow_private)
    send, certified = clients(section, folder, allow_private)
    user = section.text("op_user_id", "[0-9A-Za-z_.@-]{1,64}", "an operator's number", default=partner.partner)
    has_password = section.text("op_user_passwd", r"[^\n]+", "the path of a file, or env:NAME", default="")
    if has_password and certified is None:
        raise section.bad("op_user_passwd", "is for refunds, which need cert and cert_key too")
    password = section.secret("op_user_passwd") if certified else ""
    section.done()
    tenpay = Tenpay(partner, query_gateway, gateway, send, certified)
    refunds = Refunds(tenpay, Operator(user, md5_of(password)))
    return WeChat2014(name, partner, AppInterface(partner, app_secret, api, send), tenpay, refunds)


class WeChat2014:
    """One app and its Tenpay account."""

    method = "wechat"

    def __init__(self, name: str, partner: Partner, app: AppInterface, tenpay: Tenpay, refunds: Refunds) -> None:
        self.name = name
        self._partner = partner
        self._app = app
        self._tenpay = tenpay
        self._refunds = refunds

    def scenes(self) -> frozenset[Scene]:
        return frozenset({Scene.QR, Scene.APP, Scene.JSAPI})

    def start(self, ask: Start) -> Prompt:
        if ask.scene is Scene.QR:
            return Prompt(PromptKind.QR, self.product_code(ask.order.token, ask.now))
        if ask.scene not in self.scenes():
            raise GatewayError(f"WeChat Pay's 2014 form has no payment for the scene {ask.scene}.", permanent=True)
        package = forms.package_for(ask, self._partner)
        params = self._for_page(package, ask) if ask.scene is Scene.JSAPI else self._for_app(package, ask)
        return Prompt(PromptKind.CLIENT, params=params)

    def query(self, order: Order, now: int) -> Found:
        try:
            answer = self._tenpay.ask("/gateway/normalorderquery.xml", {"out_trade_no": order.token})
        except Refused as refusal:
            if refusal.code == NOT_KNOWN:
                return Found(Standing.UNPAID)
            raise GatewayError(refusal.sentence, permanent=False) from None
        if answer.get("out_trade_no") != order.token:
            raise GatewayError("Tenpay's answer is about another order.", permanent=False)
        if answer.get("trade_state") != "0":
            return Found(Standing.UNPAID)
        if answer.get("fee_type", "1") != "1" or answer.get("trade_mode", "1") != "1":
            raise GatewayError("Tenpay reports a payment of another kind.", permanent=True)
        try:
            return Found(Standing.PAID, messages.paid_by(answer))
        except NoticeRefused as problem:
            raise GatewayError(f"Tenpay's answer cannot be used: {problem}", permanent=False) from None

    def close(self, order: Order, now: int) -> None:
        """Every package carries the order's end; before it there is nothing that would keep a buyer from paying."""
        if now < order.expires_at:
            raise GatewayError("WeChat Pay's 2014 form ends an order at its time, not before.", permanent=False)

    def refund(self, ask: RefundAsk) -> Refunded:
        return self._refunds.refund(ask)

    def refund_standing(self, ask: RefundAsk) -> Refunded:
        return self._refunds.standing(ask)

    def read_notice(self, raw: Raw) -> Notice:
        money, app = forms.notice_parts(raw, self._partner)
        text = forms.kept(money, app)
        if money.get("trade_state") != "0":
            return Notice(Heard.NOTHING, money.get("out_trade_no", ""), text)
        paid = messages.paid_by(money)
        return Notice(Heard.PAID, paid.order_token, text, paid, mismatch=forms.mismatch(money, app, self._partner))

    def reply_accepted(self) -> Reply:
        return Reply(b"success")

    def reply_refused(self) -> Reply:
        return Reply(b"fail")

    def read_return(self, raw: Raw) -> str:
        raise NoticeRefused("WeChat Pay signs no returns.")

    def product_code(self, product: str, now: int) -> str:
        return forms.native_url(product, self._partner, nonce(), now)

    def answer_product(self, raw: Raw, open_order: OpenOrder) -> Reply:
        try:
            call = forms.call_of(raw, self._partner)
        except NoticeRefused:
            return self.reply_refused()
        package, problem = "", ""
        try:
            package = forms.package_for(open_order(call), self._partner)
        except (Refusal, GatewayError) as refusal:
            problem = refusal.message
        return forms.told(package, problem, self._partner, nonce(), raw.now)

    def _for_app(self, package: str, ask: Start) -> dict[str, str]:
        partner, now = self._partner, str(ask.now)
        values = {
            "appid": partner.app_id, "traceid": ask.order.token, "noncestr": nonce(), "package": package,
            "timestamp": now,
        }  # fmt: skip
        sealed = values | {"app_signature": app_sign(values, partner.pay_sign_key), "sign_method": "sha1"}
        params = {
            "appid": partner.app_id, "partnerid": partner.partner, "prepayid": self._app.prepay(sealed, ask.now),
            "package": "Sign=WXPay", "noncestr": nonce(), "timestamp": now,
        }  # fmt: skip
        return params | {"sign": app_sign(params, partner.pay_sign_key)}

    def _for_page(self, package: str, ask: Start) -> dict[str, str]:
        values = {"appId": self._partner.app_id, "timeStamp": str(ask.now), "nonceStr": nonce(), "package": package}
        return values | {"signType": "SHA1", "paySign": app_sign(values, self._partner.pay_sign_key)}


def _key(section: Section, name: str) -> str:
    text = section.secret(name)
    if not re.fullmatch("[0-9A-Za-z]{16,256}", text):
        raise section.bad(name, "must name a text of letters and digits")
    return text

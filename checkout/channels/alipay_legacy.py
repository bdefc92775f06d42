"""Alipay's old payment for apps, mobile.securitypay.pay with RSA and SHA-1, for contracts older than the open platform.

A notice counts only after its signature held and Alipay itself, asked by notify_verify, has said that it sent it:
one key signs for all partners. There is no query and no refund here; an unpaid order ends by its `it_b_pay`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote, urlencode

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
)
from checkout.channels import keys
from checkout.channels.alipay_forms import fields_of, notice_of, verified
from checkout.channels.sections import Section
from checkout.http.client import Client, Outgoing, Unreachable
from checkout.interfaces import Send
from checkout.model.orders import Order
from checkout.money import yuan
from checkout.records import Discreet

if TYPE_CHECKING:
    from Crypto.PublicKey.RSA import RsaKey

LIVE = "https://mapi.alipay.com/gateway.do"
MIN_BITS = 1024  # the service knows no longer keys
ANSWER_S = 4  # a notice's id is good for about a minute, and its sender waits
MAX_MINUTES = 15 * 24 * 60
BY_HAND = "The old Alipay interface has no refunds; give the money back on Alipay's merchant pages."


class Config(Discreet, frozen=True):
    SECRET: ClassVar = ("private",)

    partner: str
    seller_id: str  # the seller's login (mail or phone) or number
    private: RsaKey
    alipay_public: RsaKey
    gateway: str


def make(name: str, table: Mapping[str, object], folder: Path, allow_private: bool) -> Channel:
    """The channel of a section of kind "alipay_legacy". Raises `SettingsError`."""
    section = Section(name, table, folder)
    private, public = section.secret("private_key"), section.secret("alipay_public_key", is_secret=False)
    config = Config(
        partner=section.text("partner", r"2088[0-9]{12}", "the partner's number, 2088 and 12 digits"),
        seller_id=section.text("seller_id", r"[!#-%'-~]{1,100}", "the seller's mail address, phone or 2088… number"),
        private=keys.load_private(private, section.what("private_key"), min_bits=MIN_BITS),
        alipay_public=keys.load_public(public, section.what("alipay_public_key"), min_bits=MIN_BITS),
        gateway=section.gateway("gateway", LIVE, allow_private=allow_private),
    )
    section.done()
    if keys.are_a_pair(config.private, config.alipay_public):
        raise section.bad("alipay_public_key", "is our own public key; the one of Alipay's MAPI gateway is needed")
    return AlipayLegacy(name, config, Client(allow_private=allow_private, ports=None, deadline_s=ANSWER_S).send)


class AlipayLegacy:
    """One partner of the old interface."""

    method = "alipay"

    def __init__(self, name: str, config: Config, send: Send) -> None:
        self.name = name
        self._config = config
        self._send = send

    def scenes(self) -> frozenset[Scene]:
        return frozenset({Scene.APP})

    def start(self, ask: Start) -> Prompt:
        if ask.scene is not Scene.APP:
            raise GatewayError("The old Alipay interface serves apps only.", permanent=True)
        text = order_string(self._config, ask)
        return Prompt(PromptKind.CLIENT, text, {"order_string": text})

    def query(self, order: Order, now: int) -> Found:
        """Nobody can be asked; what is paid, a notice says."""
        return Found(Standing.UNPAID)

    def close(self, order: Order, now: int) -> None:
        """Nothing to do: Alipay closes the order by itself when its `it_b_pay` is over."""

    def refund(self, ask: RefundAsk) -> Refunded:
        return Refunded(RefundStanding.FAILED, BY_HAND)

    def refund_standing(self, ask: RefundAsk) -> Refunded:
        return Refunded(RefundStanding.FAILED, BY_HAND)

    def read_notice(self, raw: Raw) -> Notice:
        if raw.method != "POST":
            raise NoticeRefused("Alipay's notices are sent by POST.")
        values = verified(fields_of(raw.body), self._holds, blanks=(False,))
        self._confirm(values.get("notify_id", ""))
        return notice_of(values, amount="total_fee", mismatch=self._mismatch(values), now=raw.now)

    def reply_accepted(self) -> Reply:
        return Reply(b"success")

    def reply_refused(self) -> Reply:
        return Reply(b"failure")

    def read_return(self, raw: Raw) -> str:
        raise NoticeRefused("The old Alipay interface sends no browser back.")

    def _confirm(self, notify_id: str) -> None:
        """The second check: only Alipay knows which notices it has sent to this partner."""
        if not notify_id:
            raise NoticeRefused("The notice has no notify_id.")
        asked = {"service": "notify_verify", "partner": self._config.partner, "notify_id": notify_id}
        url = f"{self._config.gateway}?{urlencode(asked, quote_via=quote, safe='')}"
        try:
            answer = self._send(Outgoing("GET", url))
        except Unreachable as problem:
            raise NoticeRefused(f"Alipay could not be asked whether it sent the notice: {problem.message}") from problem
        if answer.status != 200 or answer.body.strip() != b"true":
            raise NoticeRefused("Alipay does not say that it sent the notice.")

    def _mismatch(self, values: Mapping[str, str]) -> str:
        """A login is compared too where one is configured; the number may be the partner's or the seller's."""
        seller = self._config.seller_id
        if values.get("seller_id", "") not in (self._config.partner, seller):
            return "The notice is for another partner."
        login = values.get("seller_email", "")
        if "@" in seller and login and login.lower() != seller.lower():
            return "The notice is for another seller."
        return ""

    def _holds(self, sign: str, message: bytes) -> bool:
        return keys.rsa_signed_by(self._config.alipay_public, sign, message, sha1=True)


def order_string(config: Config, ask: Start) -> str:
    """What the app hands to Alipay's SDK. It is signed exactly as it stands, in this order."""
    assert ask.order.really_price is not None
    title = _quotable(ask.title)[:128] or ask.order.token
    fields = {
        "service": "mobile.securitypay.pay", "partner": config.partner, "_input_charset": "utf-8",
        "notify_url": ask.notify_url, "out_trade_no": ask.order.token, "subject": title, "payment_type": "1",
        "seller_id": config.seller_id, "total_fee": yuan(ask.order.really_price), "body": title,
        "it_b_pay": f"{_minutes(ask)}m",
    }  # fmt: skip
    text = "&".join(f'{name}="{value}"' for name, value in fields.items())
    sign = keys.rsa_sign(config.private, text.encode(), sha1=True)
    return f'{text}&sign="{quote(sign, safe="")}"&sign_type="RSA"'


def _minutes(ask: Start) -> int:
    """Whole minutes until the order ends, at least one."""
    return min(max((ask.order.expires_at - ask.now) // 60, 1), MAX_MINUTES)


def _quotable(text: str) -> str:
    """A text that neither ends a quoted value nor begins another: `"` and `&` by their full-width twins."""
    text = "".join(char if char.isprintable() else " " for char in text)
    return text.translate(str.maketrans('"&\\', "＂＆＼")).strip()

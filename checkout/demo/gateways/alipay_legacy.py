"""A strict stand-in for Alipay's old interface for apps (mobile.securitypay.pay and notify_verify), after its manual.

It takes order strings as the app's SDK would hand them over, signs notices with RSA and SHA-1, and says for a minute
whether it has sent one. `mischief`: silent | late | status | true_for_all.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote, urlencode

from Crypto.Hash import SHA1
from Crypto.PublicKey.RSA import RsaKey
from Crypto.Signature import pkcs1_15

from checkout.demo.gateways.serving import Answered, Asked, Serving, once, post

ID_LIVES_S = 60
SCHEDULE = (0, 120, 600, 600, 3600, 7200, 21600, 54000)  # seconds before each notice
NEEDED = (
    "service", "partner", "_input_charset", "notify_url", "out_trade_no", "subject", "payment_type", "seller_id",
    "total_fee", "body",
)  # fmt: skip
BEIJING = timezone(timedelta(hours=8))


class Refused(Exception):
    """What the app shows instead of a payment (ALI10 and the like)."""


@dataclass(frozen=True)
class Order:
    number: str
    total_fee: str
    subject: str
    notify_url: str


class FakeMapi:
    """One partner at the old gateway. `clock` gives Unix seconds; a second of the schedule takes `second_s`."""

    def __init__(
        self, partner: str, seller: str, partner_public: RsaKey, own: RsaKey, *,
        clock: Callable[[], int] = lambda: int(time.time()), second_s: float = 0,
    ) -> None:  # fmt: skip
        self.partner = partner
        self.seller = seller
        self.clock = clock
        self.mischief = ""
        self.late_s = 0.5
        self.verified: list[str] = []  # the notify_ids that were asked about
        self._partner_public = partner_public
        self._own = own
        self._second_s = second_s
        self._sent: dict[str, int] = {}
        self.serving = Serving(self._answer)
        self.gateway = f"{self.serving.url}/gateway.do"

    def __enter__(self) -> FakeMapi:
        self.serving.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.serving.__exit__(None, None, None)

    def accept(self, text: str) -> Order:
        """What the SDK does with an order string: every value quoted, the sign over all that stands before it."""
        signed, mark, tail = text.rpartition('&sign="')
        match = re.fullmatch(r'([^"]+)"&sign_type="RSA"', tail)
        if not mark or match is None or not self._is_ours(unquote(match[1]), signed.encode()):
            raise Refused("sign")
        pairs = re.findall(r'(?:^|&)([a-z_]+)="([^"]*)"', signed)
        values = dict(pairs)
        if "&".join(f'{name}="{value}"' for name, value in pairs) != signed or len(values) != len(pairs):
            raise Refused("form")
        if not all(values.get(name) for name in NEEDED) or "&" in values["subject"]:
            raise Refused("field")
        self._check(values)
        return Order(values["out_trade_no"], values["total_fee"], values["subject"], values["notify_url"])

    def _check(self, values: Mapping[str, str]) -> None:
        right = values["service"] == "mobile.securitypay.pay" and values["payment_type"] == "1"
        right &= values["partner"] == self.partner and values["seller_id"] in (self.seller, self.partner)
        right &= values["_input_charset"] == "utf-8" and len(values["subject"]) <= 128 and len(values["body"]) <= 512
        right &= bool(re.fullmatch(r"(0|[1-9][0-9]*)\.[0-9]{2}", values["total_fee"]))
        right &= bool(re.fullmatch(r"[1-9][0-9]*[mhd]", values.get("it_b_pay", "30m")))
        if not right:
            raise Refused("value")

    def notice(self, order: Order, **changes: str | None) -> bytes:
        """The form of a notice; `changes` are made before it is signed, None leaves a field out."""
        number = f"RqPnCoPT3K9%2Fvwbh3I%2B{len(self._sent)}"  # real ids hold percent signs of their own
        values: dict[str, str | None] = {
            "body": order.subject, "buyer_email": "dlwdgl@gmail.com", "buyer_id": "2088602315385429",
            "discount": "0.00", "gmt_create": self._now(), "gmt_payment": self._now(), "is_total_fee_adjust": "N",
            "notify_id": number, "notify_time": self._now(), "notify_type": "trade_status_sync",
            "out_trade_no": order.number, "payment_type": "8", "price": order.total_fee, "quantity": "1",
            "seller_email": self.seller, "seller_id": self.partner, "subject": order.subject,
            "total_fee": order.total_fee, "trade_no": "2013082244524842", "trade_status": "TRADE_SUCCESS",
            "use_coupon": "N", **changes,
        }  # fmt: skip
        self._sent[values["notify_id"] or ""] = self.clock()
        kept = {name: value for name, value in values.items() if value is not None}
        signed = "&".join(f"{name}={kept[name]}" for name in sorted(kept) if kept[name])
        sign = base64.b64encode(pkcs1_15.new(self._own).sign(SHA1.new(signed.encode()))).decode()
        return urlencode({**kept, "sign_type": "RSA", "sign": sign}).encode()

    def deliver(self, order: Order) -> list[bytes]:
        """Sends a notice, each time under a new id, until it is answered with exactly `success`."""
        answers = list[bytes]()
        for pause in SCHEDULE:
            if self.serving.closing.wait(pause * self._second_s):
                break
            answers.append(post(order.notify_url, self.notice(order))[1])
            if answers[-1] == b"success":
                break
        return answers

    def _answer(self, asked: Asked) -> Answered | None:
        if self.mischief == "silent":
            return None
        if self.mischief == "late":
            self.serving.closing.wait(self.late_s)
        if self.mischief == "status":
            return Answered(b"true", 503)
        query = once(asked.query) or {}
        number = query.get("notify_id", "")
        self.verified.append(number)
        known = query.get("service") == "notify_verify" and query.get("partner") == self.partner
        known &= self.clock() - self._sent.get(number, 0) <= ID_LIVES_S
        return Answered(b"true" if known or self.mischief == "true_for_all" else b"false", mimetype="text/html")

    def _is_ours(self, sign: str, message: bytes) -> bool:
        try:
            pkcs1_15.new(self._partner_public).verify(SHA1.new(message), base64.b64decode(sign, validate=True))
        except ValueError:
            return False
        return True

    def _now(self) -> str:
        return datetime.fromtimestamp(self.clock(), BEIJING).strftime("%Y-%m-%d %H:%M:%S")

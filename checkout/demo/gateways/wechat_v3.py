"""A strict WeChat Pay (API v3, public-key mode) for tests, written from its documentation.

It checks every request, keeps orders and refunds, signs its answers, and sends notices on the published schedule
until one is answered with 200 or 204. `mischief` makes it behave badly: silent (it does what was asked, and keeps
silent) | late | status | busy | unsigned | tampered | other_key | certificate | old | probe | other_order.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from Crypto.PublicKey import RSA
from Crypto.PublicKey.RSA import RsaKey

from checkout.demo.gateways.serving import Answered, Asked, Serving, cashier, once, paid, post
from checkout.demo.gateways.wechat_v3_rules import Refuse, check_order, check_refund
from checkout.demo.gateways.wechat_v3_seals import authorization, holds, sealed, signed_headers

BEIJING = timezone(timedelta(hours=8))
# Seconds before each notice.
SCHEDULE = (0, 15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
CERTIFICATE = "7132D72A03E93CDDF8C03BBD1F37EEDF00000000"


@dataclass
class Trade:
    asked: Mapping[str, Any]
    kind: str
    state: str = "NOTPAY"
    transaction_id: str = ""
    paid_at: int = 0
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return int(self.asked["amount"]["total"])


class FakeWechatV3:
    """One merchant and one app at WeChat Pay. `clock` gives Unix seconds; a second of the schedule takes `second_s`."""

    def __init__(
        self, app_id: str, mch_id: str, api_v3_key: str, serial_no: str, merchant_public: RsaKey, own: RsaKey,
        public_key_id: str, *, clock: Callable[[], int] = lambda: int(time.time()), second_s: float = 0, port: int = 0,
    ) -> None:  # fmt: skip
        self.app_id = app_id
        self.mch_id = mch_id
        self.public_key_id = public_key_id
        self.clock = clock
        self.trades: dict[str, Trade] = {}
        self.asked: list[Asked] = []
        self.refusals: list[str] = []
        self.mischief = ""
        self.late_s = 0.5
        self.refund_status = "SUCCESS"
        self.says: tuple[int, bytes] | None = None  # a status and a body, signed, instead of what is right
        self._api_v3_key = api_v3_key
        self._serial_no = serial_no
        self._merchant_public = merchant_public
        self._own = own
        self._nonces: set[str] = set()
        self._second_s = second_s
        self._lock = threading.RLock()
        self.serving = Serving(self._answer, port)
        self.gateway = self.serving.url

    def __enter__(self) -> FakeWechatV3:
        self.serving.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.serving.__exit__(None, None, None)

    # What a buyer, WeChat Pay itself and time do

    def pay(self, number: str) -> Trade:
        with self._lock:
            trade = self.trades[number]
            assert trade.state == "NOTPAY", trade.state
            trade.state, trade.paid_at = "SUCCESS", self.clock()
            trade.transaction_id = f"42000000{len(self.trades):020d}"
            return trade

    def notice(self, number: str, **changes: object) -> tuple[bytes, dict[str, str]]:
        """A pay notice and its headers; `changes` are made before it is encrypted, None leaves a field out."""
        values = {**self._standing(self.trades[number]), **changes}
        return self.sealed_notice("TRANSACTION.SUCCESS", "transaction", values)

    def refund_notice(self, number: str, refund: str, **changes: object) -> tuple[bytes, dict[str, str]]:
        held = self.trades[number].refunds[refund]
        values = {name: held[name] for name in ("out_refund_no", "out_trade_no", "refund_id", "transaction_id")}
        amount = {name: held["amount"][name] for name in ("total", "refund")}
        values |= {"mchid": self.mch_id, "refund_status": held["status"], "amount": amount, **changes}
        return self.sealed_notice(f"REFUND.{held['status']}", "refund", values)

    def sealed_notice(
        self, event: str, about: str, values: Mapping[str, object], *, key: str = "", **changes: object
    ) -> tuple[bytes, dict[str, str]]:
        """Encrypted and signed; `changes` are to the envelope."""
        kept = {name: value for name, value in values.items() if value is not None}
        body = json.dumps(
            {
                "id": "EV-2018022511223320873", "create_time": self._when(self.clock()), "event_type": event,
                "resource_type": "encrypt-resource", "summary": "支付成功",
                "resource": sealed(key or self._api_v3_key, kept, about), **changes,
            },
            ensure_ascii=False,
        ).encode()  # fmt: skip
        return body, self.signed(body)

    def signed(self, body: bytes) -> dict[str, str]:
        return signed_headers(self._own, self.public_key_id, self.clock(), body)

    def deliver(self, number: str, url: str = "") -> list[int]:
        """Sends the notice of a trade until it is answered with 200 or 204; the statuses, 0 for no answer."""
        statuses = list[int]()
        for pause in SCHEDULE:
            if self.serving.closing.wait(pause * self._second_s):
                break
            statuses.append(_post(url or self.trades[number].asked["notify_url"], *self.notice(number)))
            if statuses[-1] in (200, 204):
                break
        return statuses

    # The gateway

    def _cashier(self, asked: Asked) -> Answered:
        """What a phone's browser or the app shows; `redirect_url` is where it goes afterwards."""
        query = dict(parse_qsl(asked.query))
        number = query.get("prepay_id", "").removeprefix("wx") or asked.path.rpartition("/")[2]
        trade, back = self.trades.get(number), query.get("redirect_url", "")
        if trade is None:
            return Answered(b"<!doctype html><title>Cashier</title><h1>404</h1>", 404)
        if asked.method != "POST":
            price = f"{trade.total // 100}.{trade.total % 100:02d}"
            return cashier(trade.asked["description"], price, f"/cashier/{number}?{urlencode({'redirect_url': back})}")
        if not trade.paid_at:
            self.pay(number)
        threading.Thread(target=self.deliver, args=(number,), daemon=True).start()
        return paid(back)

    def _answer(self, asked: Asked) -> Answered | None:
        if asked.path.startswith(("/cashier/", "/cgi-bin/")):
            return self._cashier(asked)
        if self.mischief == "late":
            self.serving.closing.wait(self.late_s)
        if self.mischief == "status":
            return Answered(b"Bad Gateway", 502)
        try:
            with self._lock:
                self.asked.append(asked)
                values = self._done(asked, self._checked(asked))
            status = 204 if values is None else 200
        except Refuse as refusal:
            self.refusals.append(refusal.code)
            status, values = refusal.status, {"code": refusal.code, "message": refusal.message}
        if self.mischief == "silent":
            return None
        return self._signed_answer(status, values, asked.headers.get("wechatpay-serial", ""))

    def _checked(self, asked: Asked) -> dict[str, Any]:
        """Checks a request as the gateway does before it looks at the business; gives the content."""
        if asked.headers.get("accept") != "application/json" or not asked.headers.get("user-agent"):
            raise Refuse(400, "PARAM_ERROR")
        parts = authorization(asked.headers.get("authorization", ""))
        if parts is None or parts["mchid"] != self.mch_id or parts["serial_no"] != self._serial_no:
            raise Refuse(401, "SIGN_ERROR")
        if not re.fullmatch("[0-9]{10}", parts["timestamp"]) or abs(int(parts["timestamp"]) - self.clock()) > 300:
            raise Refuse(401, "SIGN_ERROR", "时间戳已过期")
        if parts["nonce_str"] in self._nonces or not re.fullmatch("[0-9A-Za-z]{16,32}", parts["nonce_str"]):
            raise Refuse(401, "SIGN_ERROR")
        self._nonces.add(parts["nonce_str"])
        target = asked.path + (f"?{asked.query}" if asked.query else "")
        lines = (asked.method, target, parts["timestamp"], parts["nonce_str"])
        if not holds(self._merchant_public, parts["signature"], *(line.encode() for line in lines), asked.body):
            raise Refuse(401, "SIGN_ERROR", "错误的签名，验签失败")
        return self._content(asked)

    def _content(self, asked: Asked) -> dict[str, Any]:
        if asked.method == "GET":
            if asked.body:
                raise Refuse(400, "PARAM_ERROR")
            return dict(once(asked.query) or {})
        if asked.headers.get("content-type") != "application/json":
            raise Refuse(415, "PARAM_ERROR")
        content = json.loads(asked.body)
        if not isinstance(content, dict):
            raise Refuse(400, "PARAM_ERROR")
        return content

    def _done(self, asked: Asked, content: dict[str, Any]) -> dict[str, Any] | None:
        order = re.fullmatch(r"/v3/pay/transactions/out-trade-no/([0-9A-Za-z_*|-]{6,32})(/close)?", asked.path)
        create = re.fullmatch(r"/v3/pay/transactions/(native|jsapi|h5|app)", asked.path)
        refund = re.fullmatch(r"/v3/refund/domestic/refunds/([0-9A-Za-z_*|@-]{1,64})", asked.path)
        if asked.method == "POST" and create:
            return self._created(create[1], content)
        if asked.method == "POST" and asked.path == "/v3/refund/domestic/refunds":
            return self._refund(content)
        if asked.method == "GET" and refund:
            return self._refund_standing(refund[1])
        if order and content != {"mchid": self.mch_id}:
            raise Refuse(400, "PARAM_ERROR")
        if order and asked.method == "POST" and order[2]:
            self._close(self._trade(order[1]))
            return None
        if order and asked.method == "GET" and not order[2]:
            return self._standing(self._trade(order[1]))
        raise Refuse(404, "RESOURCE_NOT_EXISTS")

    def _created(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        check_order(kind, content, self.clock())
        if content["appid"] != self.app_id or content["mchid"] != self.mch_id:
            raise Refuse(400, "APPID_MCHID_NOT_MATCH")
        number = content["out_trade_no"]
        known = self.trades.setdefault(number, Trade(content, kind))
        if known.asked != content or known.kind != kind:
            raise Refuse(403, "OUT_TRADE_NO_USED", "商户订单号重复")
        if known.state != "NOTPAY":
            raise Refuse(400, "ORDER_CLOSED" if known.state == "CLOSED" else "ORDERPAID")
        if kind == "native":
            return {"code_url": f"weixin://wxpay/bizpayurl?pr={number[:9]}zz"}
        if kind == "h5":
            return {"h5_url": f"{self.gateway}/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx{number}&package=42"}
        return {"prepay_id": f"wx{number}"}

    def _trade(self, number: str) -> Trade:
        if number not in self.trades:
            raise Refuse(404, "ORDER_NOT_EXIST", "订单不存在")
        return self.trades[number]

    def _standing(self, trade: Trade) -> dict[str, Any]:
        asked = trade.asked
        values: dict[str, Any] = {name: asked[name] for name in ("appid", "mchid", "out_trade_no")}
        values |= {"trade_state": trade.state, "trade_state_desc": trade.state, "payer": {}}
        if trade.paid_at:
            # What the buyer paid himself is less than the total when he had a coupon.
            total = {"total": trade.total, "payer_total": max(trade.total - 1, 0)}
            values |= {
                "transaction_id": trade.transaction_id, "trade_type": trade.kind.upper(), "bank_type": "OTHERS",
                "success_time": self._when(trade.paid_at), "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
                "amount": {**total, "currency": "CNY", "payer_currency": "CNY"},
            }  # fmt: skip
        return values

    def _close(self, trade: Trade) -> None:
        if trade.state in ("SUCCESS", "REFUND"):
            raise Refuse(400, "ORDERPAID")
        if trade.state == "CLOSED":
            raise Refuse(400, "ORDER_CLOSED")
        trade.state = "CLOSED"

    def _refund(self, content: dict[str, Any]) -> dict[str, Any]:
        trade = self._refunded_trade(content)
        number, amount = check_refund(content)
        known = trade.refunds.get(number)
        if known is not None:
            if known["amount"]["refund"] != amount["refund"]:
                raise Refuse(400, "INVALID_REQUEST", "退款单号重复")
            return known
        given = sum(refund["amount"]["refund"] for refund in trade.refunds.values())
        if amount["total"] != trade.total or given + amount["refund"] > trade.total:
            raise Refuse(400, "INVALID_REQUEST", "退款金额大于支付金额")
        trade.state = "REFUND"
        trade.refunds[number] = {
            "refund_id": f"503000{len(trade.refunds):020d}", "out_refund_no": number, "status": self.refund_status,
            "transaction_id": trade.transaction_id, "out_trade_no": trade.asked["out_trade_no"],
            "channel": "ORIGINAL", "user_received_account": "支付用户零钱", "create_time": self._when(self.clock()),
            "amount": {**amount, "payer_total": trade.total, "payer_refund": amount["refund"]},
        }  # fmt: skip
        return trade.refunds[number]

    def _refunded_trade(self, content: dict[str, Any]) -> Trade:
        if ("transaction_id" in content) == ("out_trade_no" in content):
            raise Refuse(400, "PARAM_ERROR")
        for trade in self.trades.values():
            names = (trade.transaction_id, trade.asked["out_trade_no"])
            if trade.paid_at and (content.get("transaction_id"), content.get("out_trade_no")) in (
                (names[0], None), (None, names[1]),
            ):  # fmt: skip
                return trade
        raise Refuse(404, "RESOURCE_NOT_EXISTS", "订单不存在")

    def _refund_standing(self, number: str) -> dict[str, Any]:
        for trade in self.trades.values():
            if number in trade.refunds:
                return trade.refunds[number]
        raise Refuse(404, "RESOURCE_NOT_EXISTS", "退款单不存在")

    # Answers

    def _signed_answer(self, status: int, values: Mapping[str, Any] | None, serial: str) -> Answered:
        if self.mischief == "busy":
            status, values = 500, {"code": "SYSTEM_ERROR", "message": "系统异常，请稍后重试"}
        if self.mischief == "other_order" and values:
            values = {**values, "out_trade_no": "0" * 32, "out_refund_no": "0" * 32}
        body = b"" if values is None else json.dumps(values, ensure_ascii=False).encode()
        if self.says is not None:
            status, body = self.says
        headers = self._seal(body, serial)
        if self.mischief == "tampered":
            body = (body or b"{}").replace(b"NOTPAY", b"SUCCESS").replace(b"}", b" }")
            status = status if status != 204 else 200
        return Answered(body, status, "application/json; charset=utf-8", headers)

    def _seal(self, body: bytes, serial: str) -> dict[str, str]:
        own, now = self._own, self.clock()
        if self.mischief == "unsigned":
            return {}
        if self.mischief == "other_key":
            own = _stranger()
        # Who does not ask for the public key's signature gets that of a platform certificate.
        by_certificate = self.mischief == "certificate" or serial != self.public_key_id
        headers = signed_headers(
            own, CERTIFICATE if by_certificate else serial, now - 301 if self.mischief == "old" else now, body
        )
        if self.mischief == "probe":
            headers["Wechatpay-Signature"] = "WECHATPAY/SIGNTEST/" + headers["Wechatpay-Signature"][19:]
        return headers

    def _when(self, moment: int) -> str:
        return datetime.fromtimestamp(moment, BEIJING).isoformat()


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    try:
        return post(url, body, "application/json", headers)[0]
    except OSError:
        return 0


@cache
def _stranger() -> RsaKey:
    return RSA.generate(2048)

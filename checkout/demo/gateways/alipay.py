"""A strict Alipay for tests, written from Alipay's documentation: it refuses what the real gateway refuses.

It checks every request, keeps trades as Alipay does (a precreated order is not known until somebody scans it), signs
its answers, and sends notices on the published schedule until it is answered with exactly `success`. `mischief` makes
it behave badly: silent | late | status | html | busy | unsigned | tampered | other_key | escaped | other_order.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from urllib.parse import quote, urlencode

from Crypto.Hash import SHA256
from Crypto.PublicKey import RSA
from Crypto.PublicKey.RSA import RsaKey
from Crypto.Signature import pkcs1_15

from checkout.demo.gateways.alipay_desk import PAY_METHODS, Desk, Refuse, Trade, moment_of, when
from checkout.demo.gateways.serving import Answered, Asked, Serving, cashier, once, paid, post

CLOCK_SKEW = 600
SCHEDULE = (0, 120, 600, 600, 3600, 7200, 21600, 54000)  # seconds before each of the eight notices
REQUIRED = ("app_id", "method", "charset", "sign_type", "sign", "timestamp", "version", "biz_content")


class FakeAlipay:
    """One app at Alipay. `clock` gives Unix seconds; a second of the schedule takes `second_s`."""

    def __init__(
        self, app_id: str, app_public: RsaKey, own: RsaKey, *, seller_id: str = "2088102172939262",
        clock: Callable[[], int] = lambda: int(time.time()), second_s: float = 0, port: int = 0,
    ) -> None:  # fmt: skip
        self.app_id = app_id
        self.seller_id = seller_id
        self.clock = clock
        self.desk = Desk(clock)
        self.trades = self.desk.trades
        self.asked: list[dict[str, str]] = []  # the parameters of every request that came
        self.refusals: list[str] = []
        self.mischief = ""
        self.says: dict[str, object] = {}  # what every answer holds instead of the truth, well signed
        self.late_s = 0.5
        self._app_public = app_public
        self._own = own
        self._second_s = second_s
        self.serving = Serving(self._answer, port)
        self.gateway = f"{self.serving.url}/gateway.do"

    def __enter__(self) -> FakeAlipay:
        self.serving.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.serving.__exit__(None, None, None)

    # What a buyer, Alipay itself and time do

    def pay(self, number: str, *, at: int | None = None) -> Trade:
        """The buyer scans, or opens the cashier, and pays."""
        return self.desk.pay(number, self.clock() if at is None else at)

    def scan(self, number: str) -> None:
        """The buyer opens the cashier and hesitates: now the trade is known."""
        self.trades[number].status = "WAIT_BUYER_PAY"

    def notice(self, number: str, **changes: str | None) -> bytes:
        """The form of a notice as things stand; `changes` are made before it is signed, None leaves a field out."""
        return self.form({**self._notice(self.trades[number]), **changes})

    def form(self, values: Mapping[str, str | None]) -> bytes:
        kept = {name: value for name, value in values.items() if value is not None}
        charset = kept.get("charset", "utf-8")  # old contracts get GBK
        sign = self._sign(_joined(kept).encode(charset))
        return urlencode({**kept, "sign": sign, "sign_type": "RSA2"}, encoding=charset).encode()

    def returned(self, number: str) -> str:
        """The query with which the buyer's browser comes back; it carries no trade_status."""
        trade = self.trades[number]
        values = {
            "app_id": self.app_id, "auth_app_id": self.app_id, "charset": "utf-8", "seller_id": self.seller_id,
            "method": "alipay.trade.page.pay.return", "out_trade_no": number, "timestamp": self._now(),
            "total_amount": str(trade.amount), "trade_no": trade.trade_no, "version": "1.0",
        }  # fmt: skip
        return self.form(values).decode()

    def deliver(self, number: str, **changes: str | None) -> list[bytes]:
        """Sends the notice of a trade until it is answered with exactly `success`, eight times at most."""
        body, answers = self.notice(number, **changes), list[bytes]()
        for pause in SCHEDULE:
            if self.serving.closing.wait(pause * self._second_s):
                break
            try:
                status, answer = post(self.trades[number].notify_url, body)
            except OSError:
                status, answer = 0, b""
            answers.append(answer)
            if status == 200 and answer == b"success":
                break
        return answers

    def deliver_soon(self, number: str) -> None:
        threading.Thread(target=self.deliver, args=(number,), daemon=True).start()

    def accept_order_string(self, text: str) -> Trade:
        """What Alipay's app does with the string that it was given."""
        return self.trades[self._take(once(text) or {})["out_trade_no"]]

    # The gateway

    def _answer(self, asked: Asked) -> Answered | None:
        if asked.path.startswith("/cashier/"):
            return self._paid_in_browser(asked)
        if self.mischief == "silent":
            return None
        if self.mischief == "late":
            self.serving.closing.wait(self.late_s)
        if self.mischief == "status":
            return Answered(b"Bad Gateway", 502)
        if self.mischief == "html":
            return Answered(b"<html>busy</html>")
        params = _params(asked)
        try:
            content = self._take(params)
            if params["method"] in PAY_METHODS:
                return self._cashier(self.trades[content["out_trade_no"]])
            done = self.desk.done(params["method"], content)
        except Refuse as refusal:
            return self._refused(params.get("method", "error"), refusal)
        return self._signed(params["method"], {"code": "10000", "msg": "Success", **done})

    def _take(self, params: dict[str, str]) -> dict[str, str]:
        """Checks a request as the gateway does before it looks at the business; gives the business content."""
        self.asked.append(params)
        for name in REQUIRED:
            if not params.get(name):
                raise Refuse("40001", f"isv.missing-{name.replace('_', '-')}")
        if params["app_id"] != self.app_id:
            raise Refuse("40002", "isv.invalid-app-id", signed=False)
        self._check_common(params)
        content = json.loads(params["biz_content"])
        if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
            raise Refuse("40002", "isv.invalid-parameter")
        if params["method"] in (*PAY_METHODS, "alipay.trade.precreate"):
            self.desk.order(params, content)
        return content

    def _check_common(self, params: dict[str, str]) -> None:
        if params["sign_type"] != "RSA2":
            raise Refuse("40002", "isv.invalid-signature-type")
        if params["charset"].lower() != "utf-8" or params["version"] != "1.0":
            raise Refuse("40002", "isv.invalid-charset")
        if params.get("format", "JSON").upper() != "JSON":
            raise Refuse("40002", "isv.invalid-format")
        signed = _joined({name: value for name, value in params.items() if name != "sign"})
        if not self._is_ours(params["sign"], signed.encode()):
            raise Refuse("40002", "isv.invalid-signature", signed=False)
        if not self._is_now(params["timestamp"]):
            raise Refuse("40002", "isv.invalid-timestamp")
        for name in ("notify_url", "return_url"):
            if name in params and not re.fullmatch(r"https?://[!-~]{3,250}", params[name].partition("?")[0]):
                raise Refuse("40002", "isv.invalid-parameter")
            if "?" in params.get(name, ""):
                raise Refuse("40002", "isv.invalid-parameter")

    # Answers

    def _signed(self, method: str, values: Mapping[str, object]) -> Answered:
        if self.mischief == "busy":
            values = {"code": "20000", "msg": "Service Currently Unavailable", "sub_code": "isp.unknow-error"}
        values = {**values, **self.says}
        if self.mischief == "other_order":
            values = {**values, "out_trade_no": "0" * 32}
        raw = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
        sign = self._sign(raw.encode())
        if self.mischief == "escaped":
            raw = raw.replace("/", "\\/")
        if self.mischief == "tampered":
            raw = raw.replace('"10000"', '"10000","x":"y"').replace("WAIT_BUYER_PAY", "TRADE_SUCCESS")
        return self._sent(method, raw, "" if self.mischief == "unsigned" else sign)

    def _refused(self, method: str, refusal: Refuse) -> Answered:
        self.refusals.append(refusal.sub_code)
        raw = json.dumps({"code": refusal.code, "msg": "Refused", "sub_code": refusal.sub_code, "sub_msg": "拒绝"})
        return self._sent(method, raw, self._sign(raw.encode()) if refusal.signed else "")

    def _sent(self, method: str, raw: str, sign: str) -> Answered:
        member = method.replace(".", "_") + "_response"
        tail = f',"sign":"{sign}"' if sign else ""
        return Answered(f'{{"{member}":{raw}{tail}}}'.encode(), mimetype="text/html;charset=utf-8")

    def _cashier(self, trade: Trade) -> Answered:
        """The page on which the buyer pays."""
        return cashier(trade.subject, str(trade.amount), f"/cashier/{quote(trade.number)}")

    def _paid_in_browser(self, asked: Asked) -> Answered:
        number = asked.path.removeprefix("/cashier/")
        trade = self.trades.get(number)
        if trade is None:
            return Answered(b"<!doctype html><title>Cashier</title><h1>404</h1>", 404)
        if asked.method != "POST":
            return self._cashier(trade)
        if not trade.paid_at:
            self.pay(number)
        self.deliver_soon(number)
        return paid(f"{trade.return_url}?{self.returned(number)}" if trade.return_url else "")

    def _notice(self, trade: Trade) -> dict[str, str]:
        values = {
            "app_id": self.app_id, "auth_app_id": self.app_id, "buyer_id": "2088102175098973", "charset": "utf-8",
            "fund_bill_list": f'[{{"amount":"{trade.amount}","fundChannel":"ALIPAYACCOUNT"}}]', "version": "1.0",
            "gmt_create": self._now(), "notify_id": f"n{len(self.asked)}{trade.trade_no}", "notify_time": self._now(),
            "notify_type": "trade_status_sync", "out_trade_no": trade.number, "seller_id": self.seller_id,
            "subject": trade.subject, "total_amount": str(trade.amount), "trade_no": trade.trade_no,
            "trade_status": trade.status,
        }  # fmt: skip
        if trade.paid_at:
            values["gmt_payment"] = when(trade.paid_at)
        if trade.refunds:
            last = list(trade.refunds)[-1]
            values |= {"gmt_refund": f"{self._now()}.123", "refund_fee": str(trade.refunded), "out_biz_no": last}
        return values

    # Keys and clocks

    def _sign(self, message: bytes) -> str:
        own = _stranger() if self.mischief == "other_key" else self._own
        return base64.b64encode(pkcs1_15.new(own).sign(SHA256.new(message))).decode()

    def _is_ours(self, sign: str, message: bytes) -> bool:
        try:
            pkcs1_15.new(self._app_public).verify(SHA256.new(message), base64.b64decode(sign, validate=True))
        except ValueError:
            return False
        return True

    def _is_now(self, text: str) -> bool:
        moment = moment_of(text)
        return moment is not None and abs(moment - self.clock()) <= CLOCK_SKEW

    def _now(self) -> str:
        return when(self.clock())


@cache
def _stranger() -> RsaKey:
    return RSA.generate(2048)


def _params(asked: Asked) -> dict[str, str]:
    """Query and form as one; nothing where charset is not in the query or a name occurs twice."""
    query, form = once(asked.query), once(asked.body.decode())
    if query is None or form is None or "charset" not in query:
        return {}
    if any(query[name] != form[name] for name in query.keys() & form.keys()):
        return {}
    return {**form, **query}


def _joined(values: Mapping[str, str]) -> str:
    return "&".join(f"{name}={values[name]}" for name in sorted(values) if values[name])

"""Trades as Alipay keeps them, and its rules on them; the messages are another file's."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal

BEIJING = timezone(timedelta(hours=8))
PAY_METHODS = {
    "alipay.trade.page.pay": "FAST_INSTANT_TRADE_PAY",
    "alipay.trade.wap.pay": "QUICK_WAP_WAY",
    "alipay.trade.app.pay": "QUICK_MSECURITY_PAY",
}


class Refuse(Exception):
    """What Alipay says instead of doing it."""

    def __init__(self, code: str, sub_code: str, *, signed: bool = True) -> None:
        super().__init__(sub_code)
        self.code = code
        self.sub_code = sub_code
        self.signed = signed


@dataclass
class Trade:
    number: str  # out_trade_no
    amount: Decimal
    subject: str
    notify_url: str
    return_url: str
    trade_no: str
    status: str = ""  # "": precreated or shown, and nobody has scanned it yet
    paid_at: int = 0
    refunds: dict[str, Decimal] = field(default_factory=dict)

    @property
    def refunded(self) -> Decimal:
        return sum(self.refunds.values(), Decimal("0.00"))


class Desk:
    """Takes orders and does what is asked about them. `clock` gives Unix seconds."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.clock = clock
        self.trades: dict[str, Trade] = {}
        self.empty = False  # the seller has no money to give back
        self._lock = threading.RLock()

    def pay(self, number: str, at: int) -> Trade:
        with self._lock:
            trade = self.trades[number]
            assert trade.status in ("", "WAIT_BUYER_PAY"), trade.status
            trade.status, trade.paid_at = "TRADE_SUCCESS", at
            return trade

    def order(self, params: dict[str, str], content: dict[str, str]) -> None:
        """A new order, or the same once more; another amount under a known number is refused."""
        method, number = params["method"], content.get("out_trade_no", "")
        wrong = not re.fullmatch(r"[0-9A-Za-z_]{1,64}", number)
        wrong |= not re.fullmatch(r"(0|[1-9][0-9]{0,8})\.[0-9]{2}", content.get("total_amount", ""))
        wrong |= not 1 <= len(content.get("subject", "")) <= 256 or bool(re.search("[/=&]", content["subject"]))
        wrong |= content.get("product_code") != PAY_METHODS.get(method)
        wrong |= method == "alipay.trade.wap.pay" and not content.get("quit_url")
        wrong |= not self._is_ahead(content.get("time_expire", ""))
        if wrong or not Decimal("0.01") <= Decimal(content["total_amount"]) <= 100_000_000:
            raise Refuse("40004", "ACQ.INVALID_PARAMETER")
        amount, known = Decimal(content["total_amount"]), self.trades.get(number)
        if known and known.amount != amount:
            raise Refuse("40004", "ACQ.CONTEXT_INCONSISTENT")
        if known and known.status in ("TRADE_SUCCESS", "TRADE_FINISHED"):
            raise Refuse("40004", "ACQ.TRADE_HAS_SUCCESS")
        if known and known.status == "TRADE_CLOSED":
            raise Refuse("40004", "ACQ.TRADE_HAS_CLOSE")
        urls = params.get("notify_url", ""), params.get("return_url", "")
        with self._lock:
            self.trades.setdefault(number, Trade(number, amount, content["subject"], *urls, self._trade_no()))

    def done(self, method: str, content: dict[str, str]) -> dict[str, object]:
        number = content.get("out_trade_no", "")
        with self._lock:
            if method == "alipay.trade.precreate":
                return {"out_trade_no": number, "qr_code": qr_of(number)}
            trade = self.trades.get(number)
            if trade is None or not trade.status:
                raise Refuse("40004", "ACQ.TRADE_NOT_EXIST")
            if content.get("trade_no", trade.trade_no) != trade.trade_no:
                raise Refuse("40004", "ACQ.TRADE_NOT_EXIST")
            names: dict[str, object] = {"out_trade_no": number, "trade_no": trade.trade_no}
            if method == "alipay.trade.query":
                return names | self._standing(trade)
            if method == "alipay.trade.close":
                return names | self._closed(trade)
            if method == "alipay.trade.refund":
                return names | self._refund(trade, content)
            if method == "alipay.trade.fastpay.refund.query":
                return names | self._refund_standing(trade, content)
        raise Refuse("40002", "isv.invalid-method")

    def _standing(self, trade: Trade) -> dict[str, object]:
        paid = {"send_pay_date": when(trade.paid_at)} if trade.paid_at else {}
        # Texts with braces and quotes do occur; whoever counts braces cuts the answer in the wrong place.
        return {
            "buyer_logon_id": "abc***@sandbox.com", "store_name": 'a } shop { called "}"', "trade_status": trade.status,
            "total_amount": str(trade.amount), "fund_bill_list": [{"amount": "1.00", "fund_channel": "PCREDIT"}],
            **paid,
        }  # fmt: skip

    def _closed(self, trade: Trade) -> dict[str, object]:
        if trade.status != "WAIT_BUYER_PAY":
            raise Refuse("40004", "ACQ.TRADE_STATUS_ERROR")
        trade.status = "TRADE_CLOSED"
        return {}

    def _refund(self, trade: Trade, content: dict[str, str]) -> dict[str, object]:
        number, text = content.get("out_request_no", ""), content.get("refund_amount", "")
        if not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", number) or not re.fullmatch(r"[0-9]+\.[0-9]{2}", text):
            raise Refuse("40004", "ACQ.INVALID_PARAMETER")
        amount, known = Decimal(text), trade.refunds.get(number)
        if known is not None and known != amount:
            raise Refuse("40004", "ACQ.DISCORDANT_REPEAT_REQUEST")
        if known is None:
            if trade.status != "TRADE_SUCCESS":
                raise Refuse("40004", "ACQ.TRADE_STATUS_ERROR")
            if self.empty:
                raise Refuse("40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH")
            if trade.refunded + amount > trade.amount:
                raise Refuse("40004", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
            trade.refunds[number] = amount
            if trade.refunded == trade.amount:
                trade.status = "TRADE_CLOSED"
        return {"fund_change": "N" if known is not None else "Y", "refund_fee": str(trade.refunded)}

    def _refund_standing(self, trade: Trade, content: dict[str, str]) -> dict[str, object]:
        number = content.get("out_request_no", "")
        if number not in trade.refunds:
            return {}
        return {
            "out_request_no": number, "refund_amount": str(trade.refunds[number]), "refund_status": "REFUND_SUCCESS",
            "total_amount": str(trade.amount),
        }  # fmt: skip

    def _is_ahead(self, text: str) -> bool:
        moment = moment_of(text)
        return moment is not None and 60 <= moment - self.clock() <= 15 * 86400

    def _trade_no(self) -> str:
        return f"{when(self.clock())[:10].replace('-', '')}22001004{len(self.trades):012d}"


def when(moment: int) -> str:
    return datetime.fromtimestamp(moment, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def moment_of(text: str) -> int | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", text):
        return None
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING).timestamp())


def qr_of(number: str) -> str:
    return f"https://qr.alipay.com/bax{number[:20]}"

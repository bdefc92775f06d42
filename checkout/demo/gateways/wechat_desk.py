"""The desk of a strict WeChat Pay v2: its orders and refunds, and what it refuses of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

BEIJING = timezone(timedelta(hours=8))
MORE = {"NATIVE": "product_id", "JSAPI": "openid", "MWEB": "scene_info", "APP": "spbill_create_ip"}
FIXED = ("total_fee", "body", "trade_type", "time_expire", "notify_url", "product_id", "openid")


class Refuse(Exception):
    """A signed refusal."""


@dataclass
class Trade:
    asked: Mapping[str, str]
    state: str = "NOTPAY"
    transaction_id: str = ""
    paid_at: int = 0
    total_fee: int = 0
    refunds: dict[str, dict[str, str]] = field(default_factory=dict)


class Desk:
    """`clock` gives Unix seconds; `site` is where pages for phones are."""

    def __init__(self, clock: Callable[[], int], site: str) -> None:
        self.trades: dict[str, Trade] = {}
        self.prepaid: dict[str, str] = {}  # prepay_id → out_trade_no
        self._clock = clock
        self._site = site
        self._count = 0

    def pay(self, number: str, total_fee: int | None = None) -> Trade:
        """What a buyer does; the amount is the order's unless another one is given."""
        trade = self.trades[number]
        assert trade.state == "NOTPAY", trade.state
        assert self._clock() < moment(trade.asked["time_expire"]), "the order has expired"
        trade.state, trade.paid_at = "SUCCESS", self._clock()
        trade.total_fee = int(trade.asked["total_fee"]) if total_fee is None else total_fee
        trade.transaction_id = f"42000{self.next():023d}"
        return trade

    def unifiedorder(self, values: dict[str, str]) -> dict[str, str]:
        kind, number = values["trade_type"], values["out_trade_no"]
        if kind not in MORE or not values.get(MORE[kind]):
            raise Refuse(f"PARAM_ERROR {kind}")
        _check_order(values, self._clock())
        trade = self.trades.get(number)
        if trade is not None:
            if trade.state != "NOTPAY":
                raise Refuse("ORDERCLOSED 该订单已关闭" if trade.state == "CLOSED" else "ORDERPAID 该订单已支付")
            if any(trade.asked.get(name) != values.get(name) for name in FIXED):
                raise Refuse("INVALID_REQUEST 201 商户订单号重复")
        self.trades[number] = trade or Trade(values)
        answer = {"trade_type": kind, "prepay_id": f"wx{self.next():034d}"}
        self.prepaid[answer["prepay_id"]] = number
        if kind == "NATIVE":
            answer["code_url"] = f"weixin://wxpay/bizpayurl?pr={number[:9]}"
        if kind == "MWEB":
            answer["mweb_url"] = (
                f"{self._site}/cgi-bin/mmpayweb-bin/checkmweb?prepay_id={answer['prepay_id']}&package=1"
            )
        return answer

    def orderquery(self, values: dict[str, str]) -> dict[str, str]:
        trade = self._trade(values)
        return self.about(trade) if trade.paid_at else {
            "out_trade_no": values["out_trade_no"], "trade_state": trade.state, "trade_state_desc": "订单未支付",
        }  # fmt: skip

    def closeorder(self, values: dict[str, str]) -> dict[str, str]:
        trade = self._trade(values)
        if trade.paid_at:
            raise Refuse("ORDERPAID 订单已支付")
        if trade.state == "CLOSED":
            raise Refuse("ORDERCLOSED 订单已关闭")
        trade.state = "CLOSED"
        return {}

    def refund(self, values: dict[str, str]) -> dict[str, str]:
        trade = self._trade(values)
        number, fee = values["out_refund_no"], int(values["refund_fee"])
        known = trade.refunds.get(number)
        if not trade.paid_at:
            raise Refuse("TRADE_STATE_ERROR 订单状态错误")
        if int(values["total_fee"]) != trade.total_fee:
            raise Refuse("INVALID_REQUEST 订单金额或退款金额与之前请求不一致")
        if known is not None and int(known["refund_fee"]) != fee:
            raise Refuse("INVALID_REQUEST 退款金额与之前请求不一致")
        if known is None:
            if sum(int(refund["refund_fee"]) for refund in trade.refunds.values()) + fee > trade.total_fee:
                raise Refuse("REFUND_FEE_MISMATCH 累计退款金额大于支付金额")
            known = {**values, "refund_id": f"50000{self.next():023d}", "status": "PROCESSING"}
            trade.refunds[number] = known
            trade.state = "REFUND"
        return {
            "transaction_id": trade.transaction_id, "out_trade_no": values["out_trade_no"], "out_refund_no": number,
            "refund_id": known["refund_id"], "refund_fee": known["refund_fee"], "total_fee": values["total_fee"],
            "cash_fee": values["total_fee"],
        }  # fmt: skip

    def refundquery(self, values: dict[str, str]) -> dict[str, str]:
        number = values["out_refund_no"]
        for token, trade in self.trades.items():
            if number in trade.refunds:
                answer = {
                    "out_trade_no": token, "transaction_id": trade.transaction_id,
                    "total_fee": str(trade.total_fee), "cash_fee": str(trade.total_fee), "refund_count": "1",
                }  # fmt: skip
                refund = trade.refunds[number]
                return answer | {
                    "out_refund_no_0": number, "refund_id_0": refund["refund_id"],
                    "refund_fee_0": refund["refund_fee"], "refund_status_0": refund["status"],
                    "refund_recv_accout_0": "支付用户零钱",
                }  # fmt: skip
        raise Refuse("REFUNDNOTEXIST 退款订单查询失败")

    def _trade(self, values: dict[str, str]) -> Trade:
        trade = self.trades.get(values["out_trade_no"])
        if trade is None:
            raise Refuse("ORDERNOTEXIST 此交易订单号不存在")
        return trade

    def about(self, trade: Trade) -> dict[str, str]:
        at = datetime.fromtimestamp(trade.paid_at, BEIJING).strftime("%Y%m%d%H%M%S")
        return {
            "openid": "oUpF8uMEb4qRXf22hE3X68TekukE", "trade_type": trade.asked["trade_type"], "bank_type": "CMC",
            "total_fee": str(trade.total_fee), "fee_type": "CNY", "cash_fee": str(trade.total_fee),
            "transaction_id": trade.transaction_id, "out_trade_no": trade.asked["out_trade_no"],
            "attach": "", "time_end": at, "trade_state": trade.state,
        }  # fmt: skip

    def next(self) -> int:
        self._count += 1
        return self._count


def _check_order(values: Mapping[str, str], now: int) -> None:
    grammar = {
        "out_trade_no": r"[0-9A-Za-z_|*@-]{1,32}", "total_fee": "[1-9][0-9]*", "time_expire": "[0-9]{14}",
        "spbill_create_ip": r"[0-9A-Fa-f.:]{3,45}", "product_id": r"[^\n]{1,32}", "fee_type": "CNY",
    }  # fmt: skip
    for name, pattern in grammar.items():
        if name in values and not re.fullmatch(pattern, values[name]):
            raise Refuse(f"PARAM_ERROR {name}")
    if len(values["body"].encode()) > 128 or not urlsplit(values["notify_url"]).scheme or "?" in values["notify_url"]:
        raise Refuse("PARAM_ERROR body, notify_url")
    if "time_expire" in values and moment(values["time_expire"]) <= now + 60:
        raise Refuse("PARAM_ERROR time_expire时间过短")
    if "scene_info" in values and not json.loads(values["scene_info"])["h5_info"]["wap_url"]:
        raise Refuse("PARAM_ERROR scene_info")


def moment(text: str) -> int:
    return int(datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING).timestamp())

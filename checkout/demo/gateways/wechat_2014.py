"""A strict WeChat Pay of 2014 and its Tenpay for tests, written from their documentation, on one address.

`mischief` makes it behave badly: silent | status | busy | unsigned | tampered | other_key | other_partner |
other_order | no_json | spent_token (once).
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from checkout.demo.gateways.serving import Answered, Asked, Serving, cashier, once, paid, post
from checkout.demo.gateways.wechat_words import read, sign_of, written

BEIJING = timezone(timedelta(hours=8))
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
SCHEDULE = (0, 15, 15, 30, 180, 600, 1200, 1800)
PACKAGE = {
    "bank_type", "body", "partner", "out_trade_no", "total_fee", "fee_type", "notify_url", "spbill_create_ip",
    "time_start", "time_expire", "input_charset", "sign",
}  # fmt: skip
WINDOW_S = 600


@dataclass(frozen=True)
class Secrets:
    """What both sides know."""

    app_id: str
    partner: str
    app_secret: str
    pay_sign_key: str
    partner_key: str
    op_user_passwd: str


@dataclass
class Trade:
    package: Mapping[str, str]
    transaction_id: str = ""
    paid_at: int = 0
    refunds: dict[str, dict[str, str]] = field(default_factory=dict)


class Refuse(Exception):
    """A retcode and its words, signed."""


def sha1_of(values: Mapping[str, str], key: str) -> str:
    pairs = sorted({**{name.lower(): value for name, value in values.items()}, "appkey": key}.items())
    return hashlib.sha1("&".join(f"{name}={value}" for name, value in pairs).encode()).hexdigest()


class FakeWechat2014:
    """`clock` gives Unix seconds; a second of the schedule takes `second_s`."""

    def __init__(
        self, secrets: Secrets, *, clock: Callable[[], int], tls: ssl.SSLContext | None = None, second_s: float = 0.0,
        port: int = 0,
    ) -> None:  # fmt: skip
        self.secrets = secrets
        self.mischief = ""
        self.refund_status = "8"
        self.odd: dict[str, str] = {}  # laid over every answer of Tenpay before it is signed
        self.trades: dict[str, Trade] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.tokens: list[str] = []
        self.callback = ""  # where it asks for the order of a code that is opened in the cashier
        self._clock = clock
        self._second_s = second_s
        self._count = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.serving = Serving(self._handle, port, tls=tls)

    def __enter__(self) -> FakeWechat2014:
        self.serving.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.serving.__exit__(None, None, None)

    @property
    def url(self) -> str:
        return self.serving.url

    # What a buyer does

    def scan(self, code: str, callback: str) -> dict[str, str]:
        """Asks the merchant for the package of a native code; the answer, which is checked."""
        assert code.startswith("weixin://wxpay/bizpayurl?")
        values = dict(parse_qsl(code.partition("?")[2], strict_parsing=True))
        assert set(values) == {"sign", "appid", "productid", "timestamp", "noncestr"}
        given = values.pop("sign")
        assert given == sha1_of(values, self.secrets.pay_sign_key)
        answer = read(self.call(callback, self.question(values["productid"])))
        signed = {name: answer[name] for name in answer if name not in ("AppSignature", "SignMethod")}
        names = {"AppId", "Package", "TimeStamp", "NonceStr", "RetCode", "RetErrMsg"}
        assert set(signed) == names, answer
        assert answer["AppSignature"] == sha1_of(signed, self.secrets.pay_sign_key)
        assert answer["SignMethod"] == "sha1"
        if answer["RetCode"] == "0":
            self.take(answer["Package"])
        return answer

    def question(self, product: str, **changed: str) -> bytes:
        values = {
            "OpenId": OPENID, "AppId": self.secrets.app_id, "IsSubscribe": "1", "ProductId": product,
            "TimeStamp": str(self._clock()), "NonceStr": f"n{self._next()}", **changed,
        }  # fmt: skip
        signature = sha1_of(values, self.secrets.pay_sign_key)
        return written(values | {"AppSignature": signature, "SignMethod": "sha1"})

    def take_from(self, number: str) -> None:
        """The code of an order is scanned."""
        if number not in self.trades and self.callback:
            answer = read(self.call(self.callback, self.question(number)))
            if answer.get("RetCode") == "0":
                self.take(answer["Package"])

    def take(self, package: str) -> str:
        """Reads a package as the gateway does; the order's number."""
        assert "+" not in package, "a blank is %20"
        pairs = [pair.split("=", 1) for pair in package.split("&")]
        values = {name: unquote(value, errors="strict") for name, value in pairs}
        assert len(pairs) == len(values)
        assert set(values) == PACKAGE, values
        assert [name for name, _ in pairs[:-1]] == sorted(set(values) - {"sign"})
        assert pairs[-1] == ["sign", sign_of(values, self.secrets.partner_key)]
        assert (values["partner"], values["bank_type"], values["fee_type"]) == (self.secrets.partner, "WX", "1")
        assert values["input_charset"] == "UTF-8"
        assert re.fullmatch("[1-9][0-9]*", values["total_fee"])
        assert len(values["spbill_create_ip"]) <= 15
        assert moment(values["time_start"]) <= self._clock() < moment(values["time_expire"])
        number = values["out_trade_no"]
        known = self.trades.get(number)
        assert known is None or known.package["total_fee"] == values["total_fee"], "another amount"
        self.trades[number] = known or Trade(values)
        return number

    def pay(self, number: str) -> Trade:
        trade = self.trades[number]
        trade.paid_at, trade.transaction_id = self._clock(), f"12000{self._next():023d}"
        return trade

    # What the gateway tells

    def notice(self, number: str, *, key: str = "", **changed: str) -> tuple[str, bytes]:
        """The query and the body; names in capitals change the body, the others the query, before they are signed."""
        query = {
            "sign_type": "MD5", "service_version": "1.0", "input_charset": "UTF-8", "sign_key_index": "1",
            **self._about(number), "notify_id": "notify+/=1", "attach": "",
            **{name: value for name, value in changed.items() if name.islower()},
        }  # fmt: skip
        query["sign"] = sign_of(query, key or self.secrets.partner_key)
        body = {
            "OpenId": OPENID, "AppId": self.secrets.app_id, "IsSubscribe": "1", "TimeStamp": str(self._clock()),
            "NonceStr": f"n{self._next()}", **{name: value for name, value in changed.items() if not name.islower()},
        }  # fmt: skip
        body |= {"AppSignature": sha1_of(body, key or self.secrets.pay_sign_key), "SignMethod": "sha1"}
        return urlencode(query), written(body)

    def notify(self, number: str) -> int:
        query, body = self.notice(number)
        url = f"{self.trades[number].package['notify_url']}?{query}"
        for sent, wait in enumerate(SCHEDULE, 1):
            if self._stop.wait(wait * self._second_s) or self.call(url, body) == b"success":
                return sent
        return len(SCHEDULE)

    def call(self, url: str, body: bytes) -> bytes:
        status, answer = post(url, body, "text/xml")
        return answer if status == 200 else b""

    # How requests are answered

    def _cashier(self, asked: Asked) -> Answered:
        """What the app does with a code of ours: it asks for the order, shows it, and pays."""
        number = asked.path.rpartition("/")[2]
        self.take_from(number)
        trade = self.trades.get(number)
        if trade is None:
            return Answered(b"<!doctype html><title>Cashier</title><h1>404</h1>", 404)
        if asked.method != "POST":
            fen = int(trade.package["total_fee"])
            return cashier(trade.package["body"], f"{fen // 100}.{fen % 100:02d}", f"/cashier/{number}")
        if not trade.paid_at:
            self.pay(number)
        threading.Thread(target=self.notify, args=(number,), daemon=True).start()
        return paid()

    def _handle(self, asked: Asked) -> Answered | None:
        if asked.path.startswith("/cashier/"):
            return self._cashier(asked)
        if self.mischief == "silent":
            return None
        if self.mischief == "status":
            return Answered(b"bad gateway", 502)
        with self._lock:
            if asked.path in ("/cgi-bin/token", "/pay/genprepay"):
                answer = json.dumps(self._app(asked)).encode()
                return Answered(b"<html>" if self.mischief == "no_json" else answer)
            return Answered(self._tenpay(asked), mimetype="text/xml")

    def _app(self, asked: Asked) -> dict[str, Any]:
        query = once(asked.query) or {}
        if asked.path == "/cgi-bin/token":
            wanted = {
                "grant_type": "client_credential", "appid": self.secrets.app_id, "secret": self.secrets.app_secret,
            }  # fmt: skip
            if query != wanted:
                return {"errcode": 40013, "errmsg": "invalid appid"}
            self.tokens.append(f"TOKEN-{self._next()}")
            return {"access_token": self.tokens[-1], "expires_in": 7200}
        if self.mischief == "spent_token":
            self.mischief, self.tokens = "", []
        if not self.tokens or query.get("access_token") != self.tokens[-1]:
            return {"errcode": 42001, "errmsg": "access_token expired"}
        if self.mischief == "busy":
            return {"errcode": -1, "errmsg": "system error"}
        return self._prepaid(json.loads(asked.body))

    def _prepaid(self, values: dict[str, str]) -> dict[str, Any]:
        signed = {name: value for name, value in values.items() if name not in ("app_signature", "sign_method")}
        if set(signed) != {"appid", "traceid", "noncestr", "package", "timestamp"} or values["sign_method"] != "sha1":
            return {"errcode": 48003, "errmsg": "missing field"}
        if values["app_signature"] != sha1_of(signed, self.secrets.pay_sign_key):
            return {"errcode": 48004, "errmsg": "invalid signature"}
        if abs(int(values["timestamp"]) - self._clock()) > WINDOW_S:
            return {"errcode": 48005, "errmsg": "invalid timestamp"}
        self.take(values["package"])
        return {"prepayid": f"PREPAY{self._next()}", "errcode": 0, "errmsg": "Success"}

    def _tenpay(self, asked: Asked) -> bytes:
        values = once(asked.body.decode("ascii")) or {}
        self.asked.append((asked.path, values))
        try:
            if values.get("sign", "") != sign_of(values, self.secrets.partner_key):
                raise Refuse("88221000 签名错误")
            if values.get("partner") != self.secrets.partner or values.get("input_charset") != "UTF-8":
                raise Refuse("88221001 参数错误")
            if self.mischief == "busy":
                raise Refuse("88229999 系统繁忙")
            does = {
                "/gateway/normalorderquery.xml": self._query, "/refundapi/gateway/refund.xml": self._refund,
                "/gateway/normalrefundquery.xml": self._refund_query,
            }  # fmt: skip
            answer = {"retcode": "0", "retmsg": "", **does[asked.path](values, asked.certified)}
        except Refuse as refusal:
            code, _, words = str(refusal).partition(" ")
            answer = {"retcode": code, "retmsg": words}
        return self._signed(answer)

    def _query(self, values: dict[str, str], _certified: bool) -> dict[str, str]:
        if values["out_trade_no"] not in self.trades:
            raise Refuse("88221009 交易单不存在")
        return self._about(values["out_trade_no"])

    def _refund(self, values: dict[str, str], certified: bool) -> dict[str, str]:
        if not certified:
            raise Refuse("88221100 证书错误")
        password = hashlib.md5(self.secrets.op_user_passwd.encode()).hexdigest()
        if (values["op_user_id"], values["op_user_passwd"]) != (self.secrets.partner, password):
            raise Refuse("88221101 操作员密码错误")
        trade = self.trades[values["out_trade_no"]]
        known = trade.refunds.get(values["out_refund_no"])
        if known is None:
            given = sum(int(refund["refund_fee"]) for refund in trade.refunds.values())
            if given + int(values["refund_fee"]) > int(trade.package["total_fee"]) or not trade.paid_at:
                raise Refuse("88221102 退款金额超限")
            known = {
                "out_refund_no": values["out_refund_no"], "refund_id": f"1111900{self._next():021d}",
                "refund_fee": values["refund_fee"], "refund_channel": "0",
            }  # fmt: skip
            trade.refunds[values["out_refund_no"]] = known
        return {"out_trade_no": values["out_trade_no"], **known, "refund_status": self.refund_status}

    def _refund_query(self, values: dict[str, str], _certified: bool) -> dict[str, str]:
        wanted = values.get("refund_id") or values.get("out_refund_no", "")
        for number, trade in self.trades.items():
            for refund in trade.refunds.values():
                if wanted in (refund["refund_id"], refund["out_refund_no"]):
                    numbered = {f"{name}_0": value for name, value in refund.items()}
                    return {
                        "out_trade_no": number, "transaction_id": trade.transaction_id, "refund_count": "1",
                        **numbered, "refund_state_0": self.refund_status,
                    }  # fmt: skip
        raise Refuse("88221009 退款单不存在")

    def _about(self, number: str) -> dict[str, str]:
        trade = self.trades[number]
        at = datetime.fromtimestamp(trade.paid_at, BEIJING).strftime("%Y%m%d%H%M%S")
        return {
            "trade_mode": "1", "trade_state": "0" if trade.paid_at else "1", "partner": self.secrets.partner,
            "bank_type": "WX", "total_fee": trade.package["total_fee"], "fee_type": "1",
            "transaction_id": trade.transaction_id, "out_trade_no": number, "time_end": at,
            "transport_fee": "0", "product_fee": trade.package["total_fee"], "discount": "0",
        }  # fmt: skip

    def _signed(self, answer: dict[str, str]) -> bytes:
        values = {"sign_type": "MD5", "input_charset": "UTF-8", "partner": self.secrets.partner, **answer, **self.odd}
        if self.mischief == "other_partner":
            values["partner"] = "1900000999"
        if self.mischief == "other_order":
            values |= {
                name: "0" * 32 for name in ("out_trade_no", "out_refund_no", "out_refund_no_0") if name in values
            }
        key = "0" * 32 if self.mischief == "other_key" else self.secrets.partner_key
        sealed = values | {"sign": sign_of(values, key)}
        if self.mischief == "unsigned":
            del sealed["sign"]
        if self.mischief == "tampered":
            sealed["input_charset"] = "GBK"
        return b'<?xml version="1.0" encoding="UTF-8" ?>\n' + written(sealed, "root")

    def _next(self) -> int:
        self._count += 1
        return self._count


def moment(text: str) -> int:
    return int(datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING).timestamp())

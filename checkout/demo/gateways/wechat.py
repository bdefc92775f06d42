"""A strict WeChat Pay v2 for tests, written from its documentation.

It checks every request, keeps orders and refunds, signs its answers, and sends notices on the published schedule
until one is answered as it must be. `mischief` makes it behave badly: silent (it does what was asked, and keeps
silent) | late | status | failing | busy | unsigned | empty_sign | tampered | other_key | md5 | other_merchant |
other_order | doctype | doubled.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from checkout.demo.gateways.serving import Answered, Asked, Serving, cashier, paid, post
from checkout.demo.gateways.wechat_desk import Desk, Refuse, Trade
from checkout.demo.gateways.wechat_words import locked, read, sign_of, written

# Seconds before each notice.
SCHEDULE = (0, 15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
NEEDED = {
    "/pay/unifiedorder": {"body", "out_trade_no", "total_fee", "spbill_create_ip", "notify_url", "trade_type"},
    "/pay/orderquery": {"out_trade_no"},
    "/pay/closeorder": {"out_trade_no"},
    "/secapi/pay/refund": {"out_trade_no", "out_refund_no", "total_fee", "refund_fee"},
    "/pay/refundquery": {"out_refund_no"},
}


class Fail(Exception):
    """An unsigned refusal."""


class FakeWechat:
    """One merchant and one app at WeChat Pay. `clock` gives Unix seconds; a second of the schedule takes `second_s`."""

    def __init__(
        self, app_id: str, mch_id: str, api_key: str, *, clock: Callable[[], int], sign_type: str = "HMAC-SHA256",
        tls: ssl.SSLContext | None = None, second_s: float = 0.0, port: int = 0,
    ) -> None:  # fmt: skip
        self.app_id, self.mch_id, self.api_key, self.sign_type = app_id, mch_id, api_key, sign_type
        self.mischief = ""
        self.late_s = 0.3
        self.odd: dict[str, str] = {}  # laid over every answer before it is signed
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._second_s = second_s
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.serving = Serving(self._handle, port, tls=tls)
        self._desk = Desk(clock, self.serving.url)

    def __enter__(self) -> FakeWechat:
        self.serving.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.serving.__exit__(None, None, None)

    @property
    def url(self) -> str:
        return self.serving.url

    @property
    def trades(self) -> dict[str, Trade]:
        return self._desk.trades

    # What a buyer does

    def pay(self, number: str, total_fee: int | None = None) -> Trade:
        return self._desk.pay(number, total_fee)

    def scan(self, code: str, callback: str, openid: str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o") -> dict[str, str]:
        """Asks the merchant what the product of a static code costs; the answer, which is checked."""
        assert code.startswith("weixin://wxpay/bizpayurl?")
        pairs = parse_qsl(code.partition("?")[2], strict_parsing=True)
        values = dict(pairs)
        assert set(values) == {"sign", "appid", "mch_id", "product_id", "time_stamp", "nonce_str"}, values
        assert values["sign"] == sign_of(values, self.api_key, self.sign_type)
        answer = read(self.call(callback, self.question(values["product_id"], openid)))
        assert answer["return_code"] == "SUCCESS", answer
        assert answer["sign"] == sign_of(answer, self.api_key, self.sign_type)
        assert (answer["appid"], answer["mch_id"]) == (self.app_id, self.mch_id)
        return answer

    def question(self, product: str, openid: str, nonce: str = "") -> bytes:
        values = {
            "appid": self.app_id, "openid": openid, "mch_id": self.mch_id, "is_subscribe": "Y",
            "nonce_str": nonce or f"n{self._desk.next()}", "product_id": product,
        }  # fmt: skip
        return written(values | {"sign": sign_of(values, self.api_key, self.sign_type)})

    # What the gateway tells

    def notice(self, number: str, *, sign_type: str = "", key: str = "", **changed: str) -> bytes:
        """The notice of a payment, with values changed before it is signed; an empty one leaves it out."""
        about = {**self._desk.about(self.trades[number]), "trade_state": ""}
        values = {**self._head(), **about, "result_code": "SUCCESS", "is_subscribe": "N", **changed}
        values = {name: value for name, value in values.items() if value}
        return written(values | {"sign": sign_of(values, key or self.api_key, sign_type or self.sign_type)})

    def notify(self, number: str) -> int:
        """Sends the notice on the schedule until it is answered rightly; how often it was sent."""
        url, body = self.trades[number].asked["notify_url"], self.notice(number)
        for sent, wait in enumerate(SCHEDULE, 1):
            if self._stop.wait(wait * self._second_s) or accepted(self.call(url, body)):
                return sent
        return len(SCHEDULE)

    def refund_notice(self, number: str, **changed: str) -> bytes:
        refund = next(found for trade in self.trades.values() if (found := trade.refunds.get(number)))
        inner = {
            "out_refund_no": number, "out_trade_no": refund["out_trade_no"], "refund_id": refund["refund_id"],
            "refund_fee": refund["refund_fee"], "settlement_refund_fee": refund["refund_fee"],
            "total_fee": refund["total_fee"], "refund_status": refund["status"], "refund_account": "支付&<退款>",
            "success_time": "2017-12-15 09:46:01", "transaction_id": self.trades[refund["out_trade_no"]].transaction_id,
        } | changed  # fmt: skip
        return written({**self._head(), "req_info": locked(inner, self.api_key)})

    def call(self, url: str, body: bytes) -> bytes:
        """What the merchant answers; nothing where he is out of reach."""
        try:
            status, answer = post(url, body, "text/xml")
        except OSError:
            return b""
        return answer if status == 200 else b""

    # How requests are answered

    def _cashier(self, asked: Asked) -> Answered:
        """What a phone's browser or the app shows; `redirect_url` is where it goes afterwards."""
        query = dict(parse_qsl(asked.query))
        number = self._desk.prepaid.get(query.get("prepay_id", "")) or asked.path.rpartition("/")[2]
        trade, back = self.trades.get(number), query.get("redirect_url", "")
        if trade is None:
            return Answered(b"<!doctype html><title>Cashier</title><h1>404</h1>", 404)
        if asked.method != "POST":
            fen = int(trade.asked["total_fee"])
            price = f"{fen // 100}.{fen % 100:02d}"
            return cashier(trade.asked["body"], price, f"/cashier/{number}?{urlencode({'redirect_url': back})}")
        if not trade.paid_at:
            self.pay(number)
        threading.Thread(target=self.notify, args=(number,), daemon=True).start()
        return paid(back)

    def _handle(self, asked: Asked) -> Answered | None:
        if asked.path.startswith(("/cashier/", "/cgi-bin/")):
            return self._cashier(asked)
        if self.mischief == "status":
            return Answered(b"bad gateway", 502)
        if self.mischief == "late":
            self._stop.wait(self.late_s)
        with self._lock:
            try:
                answer = self._signed(self._done(asked))
            except Refuse as refusal:
                code, _, words = str(refusal).partition(" ")
                answer = self._signed({"result_code": "FAIL", "err_code": code, "err_code_des": words})
            except (Fail, ValueError) as failure:
                answer = written({"return_code": "FAIL", "return_msg": str(failure)})
        return None if self.mischief == "silent" else Answered(self._spoilt(answer), mimetype="text/plain")

    def _done(self, asked: Asked) -> dict[str, str]:
        values = read(asked.body)
        self.asked.append((asked.path, values))
        self._check(asked, values)
        if self.mischief == "failing":
            raise Fail("系统繁忙")
        if self.mischief == "busy":
            raise Refuse("SYSTEMERROR 系统异常，请用相同参数重新调用")
        does = {
            "/pay/unifiedorder": self._desk.unifiedorder, "/pay/orderquery": self._desk.orderquery,
            "/pay/closeorder": self._desk.closeorder, "/secapi/pay/refund": self._desk.refund,
            "/pay/refundquery": self._desk.refundquery,
        }  # fmt: skip
        return {"result_code": "SUCCESS", **does[asked.path](values)}

    def _check(self, asked: Asked, values: dict[str, str]) -> None:
        if asked.method != "POST":
            raise Fail("请使用post方法")
        if asked.path not in NEEDED:
            raise Fail("接口不存在")
        sign_type = values.get("sign_type", "MD5")  # who says nothing means MD5
        if values.get("sign", "") != sign_of(values, self.api_key, sign_type):
            raise Fail("签名错误")
        if values.get("appid") != self.app_id or values.get("mch_id") != self.mch_id:
            raise Fail("appid和mch_id不匹配")
        if not 1 <= len(values.get("nonce_str", "")) <= 32:
            raise Fail("nonce_str长度不符合规范")
        if missing := sorted(name for name in NEEDED[asked.path] if not values.get(name)):
            raise Refuse(f"PARAM_ERROR 缺少{missing[0]}")
        if asked.path.startswith("/secapi/") and not asked.certified:
            raise Fail("证书验证失败")

    def _signed(self, answer: dict[str, str]) -> bytes:
        """As the gateway signs: by the algorithm that the merchant uses."""
        values = {**self._head(), "return_msg": "OK", **answer, **self.odd}
        if self.mischief == "other_merchant":
            values["mch_id"] = "1900000999"
        if self.mischief == "other_order":
            values |= {
                name: "0" * 32 for name in ("out_trade_no", "out_refund_no", "out_refund_no_0") if name in values
            }
        key = "0" * 32 if self.mischief == "other_key" else self.api_key
        return written(values | {"sign": sign_of(values, key, "MD5" if self.mischief == "md5" else self.sign_type)})

    def _head(self) -> dict[str, str]:
        return {
            "return_code": "SUCCESS", "appid": self.app_id, "mch_id": self.mch_id,
            "nonce_str": f"n{self._desk.next()}",
        }  # fmt: skip

    def _spoilt(self, answer: bytes) -> bytes:
        changes: dict[str, Callable[[bytes], bytes]] = {
            "unsigned": lambda body: re.sub(rb"<sign>.*?</sign>\n", b"", body),
            "empty_sign": lambda body: re.sub(rb"<sign>.*?</sign>", b"<sign></sign>", body),
            "tampered": lambda body: body.replace(b"<nonce_str><![CDATA[n", b"<nonce_str><![CDATA[m", 1),
            "doctype": lambda body: b"<!DOCTYPE xml>" + body,
            "doubled": lambda body: body.replace(b"</xml>", b"<sign>1</sign></xml>"),
        }
        spoil = changes.get(self.mischief)
        return spoil(answer) if spoil else answer


def accepted(answer: bytes) -> bool:
    """Whether the merchant has taken a notice."""
    try:
        return read(answer).get("return_code") == "SUCCESS"
    except ValueError:
        return False

"""A genuine request for every route of every dialect and monitor, and what signs it: to be changed and signed again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15
from werkzeug.test import TestResponse

from checkout import store as stores
from tests.clients import bufpay, epay, epay_v2
from tests.clients.wire import to_app
from tests.protocols.doors import Door, send, send_json
from tests.protocols.test_epay_v2 import shop_of
from tests.soak.fuzz import NASTY
from tests.world import DEVICE_KEY, MERCHANT_KEY, START, World, device, md5

FORMS = ("query", "form", "multipart", "json")
SMS_KEY, SCRIPT_KEY = "5" * 64, "9" * 64
_TOKENS = {"sms": "a" * 32, "script": "b" * 32}
_MS = str(START * 1000 + 123)
_PIECES = (*NASTY, "0", ".", "&", "=", "+", " ", "　", "\t", "%", "\\", '"', "1", "9" * 30)

Values = dict[str, str]
Seal = Callable[[Values], Values]


@dataclass(frozen=True)
class Genuine:
    """`rule` is the route; `seal` gives the fields that sign `values`, in their place or beside them (empty: nobody
    signs this). With `by_header` they are headers, over the body."""

    rule: str
    path: str
    values: Values
    seal: Seal | None = None
    styles: tuple[str, ...] = FORMS
    by_header: Callable[[bytes], Values] | None = None

    @property
    def is_signed(self) -> bool:
        return bool(self.seal or self.by_header)

    def send(self, world: World, style: str, values: Mapping[str, str], spoil: Callable[[str], str]) -> TestResponse:
        """These values under their own signature, which `spoil` may change."""
        signed, headers = dict(values), dict[str, str]()
        if self.by_header:
            headers = self.by_header(json.dumps(signed).encode())
            # What no header may hold does not leave the test's own client.
            headers["X-Signature"] = re.sub(r"[^!-~]", "x", spoil(headers["X-Signature"]))
        elif self.seal:
            added = self.seal(signed)
            signed |= {**added, "sign": spoil(added["sign"])}
        door = Door(self.path, signed, headers)
        return send_json(world, door, signed) if style == "json" else send(world, door, style, door.pairs)


def set_up(world: World, keys: tuple[RSA.RsaKey, RSA.RsaKey]) -> str:
    """A merchant with keys, a phone of each kind and an order of each dialect; gives the token of one that waits."""
    theirs, ours = keys
    world.change_merchant(
        rsa_merchant=theirs.public_key().export_key().decode(), rsa_platform=ours.export_key().decode()
    )
    with world.store.transaction() as db:
        for name, kind, key in (("sms", "smsforwarder", SMS_KEY), ("script", "generic", SCRIPT_KEY)):
            stores.devices.add(
                db, device(id=name, name=name, kind=kind, key=key, token=_TOKENS[name], signed=kind == "generic"),
                ["wx-main", "ali-main"],
            )  # fmt: skip
    world.beat()
    epay.Shop(to_app(world.app), "1001", MERCHANT_KEY).create("E1", "6.00")
    shop_of(world, "1001", theirs, ours).create("V1", "7.00")
    return str(world.create("N1", "5.00")["data"]["orderId"])


def every(world: World, token: str, keys: tuple[RSA.RsaKey, RSA.RsaKey]) -> list[Genuine]:
    return [*_vmq(token), *_bufpay(world, token), *_epay(world), *_epay_v2(world, keys), *_monitors()]


def _vmq(token: str) -> list[Genuine]:
    order = {"payId": "N7", "param": "user-42", "type": "1", "price": "9.90"}
    asked, signed = {"orderId": token}, _md5("orderId")
    routes: list[tuple[str, Values, Seal | None]] = [
        ("createOrder", order, _md5(*order)), ("getOrder", asked, None), ("checkOrder", asked, None),
        ("closeOrder", asked, signed), ("index/index/closeOrder", asked, signed), ("payPage/pay.html", asked, None),
        ("getState", {"t": _MS}, _md5("t")), ("enQrcode", {"url": "wxp://f2f0wechat"}, None),
    ]  # fmt: skip
    named = {"appId": "1001", **order}
    return [
        *(Genuine(f"/{name}", f"/{name}", values, seal) for name, values, seal in routes),
        *(Genuine(f"/vmq/<merchant>/{name}", f"/vmq/1001/{name}", values, seal) for name, values, seal in routes),
        Genuine("/createOrder", "/createOrder", named, _md5(*named)),
        Genuine("/shop/api/createOrder", "/shop/api/createOrder", named, _md5(*named)),
        Genuine("/appHeart", "/appHeart", {"t": _MS}, _md5("t", key=DEVICE_KEY)),
        Genuine("/appPush", "/appPush", {"type": "1", "price": "7.70", "t": _MS},
                _md5("type", "price", "t", key=DEVICE_KEY)),
    ]  # fmt: skip


def _bufpay(world: World, token: str) -> list[Genuine]:
    values = bufpay.Shop(to_app(world.app), "1001", MERCHANT_KEY).values("B7", "9.90")
    del values["sign"]
    names = ("name", "pay_type", "price", "order_id", "order_uid", "notify_url", "return_url", "feedback_url")
    return [
        Genuine("/<anywhere:_>api/pay/<digits:aid>", "/api/pay/1001", values, _md5(*names)),
        Genuine("/<anywhere:_>api/query/<aoid>", f"/api/query/{token}", {"format": "json"}),
    ]


def _epay(world: World) -> list[Genuine]:
    shop = epay.Shop(to_app(world.app), "1001", MERCHANT_KEY)
    order, asked = shop.values("E7", "9.90"), {"pid": "1001", "out_trade_no": "E1"}
    for name in ("sign", "sign_type"):
        del order[name]

    def seal(values: Values) -> Values:
        return {"sign": epay.sign(values, MERCHANT_KEY), "sign_type": "MD5"}

    return [
        Genuine("/<anywhere:_>submit.php", "/submit.php", order, seal),
        Genuine("/<anywhere:_>mapi.php", "/mapi.php", order, seal),
        *(Genuine("/<anywhere:_>api.php", "/api.php", {"act": act, **asked, **more}, seal)
          for act, more in (("order", {}), ("orders", {"limit": "5"}), ("query", {}), ("refund", {"money": "1.00"}))),
    ]  # fmt: skip


def _epay_v2(world: World, keys: tuple[RSA.RsaKey, RSA.RsaKey]) -> list[Genuine]:
    shop = shop_of(world, "1001", *keys)
    private = RSA.import_key(base64.b64decode(shop.merchant_private))

    def seal(values: Values) -> Values:
        signed = pkcs1_15.new(private).sign(epay_v2.digest(values))
        return {"sign": base64.b64encode(signed).decode(), "sign_type": "RSA"}

    order = shop.values("V7", "9.90", method="web", device="pc")
    for name in ("sign", "sign_type"):
        del order[name]
    asked = {"pid": "1001", "timestamp": order["timestamp"], "out_trade_no": "V1"}
    acts = {
        "create": order, "submit": order, "query": asked, "close": asked,
        "refund": {**asked, "money": "1.00", "out_refund_no": "R1"}, "refundquery": {**asked, "out_refund_no": "R1"},
    }  # fmt: skip
    place = "api/pay/"
    return [Genuine(f"/<anywhere:_>{place}{act}", f"/{place}{act}", values, seal) for act, values in acts.items()]


def _monitors() -> list[Genuine]:
    note = {"from": "com.tencent.mm", "title": "微信支付", "text": "微信支付收款7.70元", "time": "2026-09-21 22:13:20",
            "device": "Redmi 9", "ts": _MS}  # fmt: skip
    money = {"method": "wechat", "amount": "7.70", "id": "m-1", "time": str(START)}
    read = {"package": "com.tencent.mm", "title": "微信支付", "text": "微信支付收款7.70元", "time": str(START)}
    sms, push = "/monitor/smsforwarder/<token>", "/monitor/push/<token>"
    at = f"/monitor/push/{_TOKENS['script']}"
    return [
        Genuine(sms, f"/monitor/smsforwarder/{_TOKENS['sms']}", note, _hmac_of_time(SMS_KEY)),
        *(Genuine(push, at, {**values, "ts": _MS}, _hmac_of_time(SCRIPT_KEY))
          for values in (money, read, {"beat": "true"})),
        *(Genuine(push, at, values, None, ("json",), _hmac_of_body) for values in (money, read, {"beat": "true"})),
    ]  # fmt: skip


def _md5(*names: str, key: str = MERCHANT_KEY) -> Seal:
    return lambda values: {"sign": md5(*(values.get(name, "") for name in names), key)}


def _hmac_of_time(key: str) -> Seal:
    def seal(values: Values) -> Values:
        signed = hmac.new(key.encode(), f"{values.get('ts', '')}\n{key}".encode(), hashlib.sha256).digest()
        return {"sign": base64.b64encode(signed).decode()}

    return seal


def _hmac_of_body(body: bytes) -> Values:
    signed = hmac.new(SCRIPT_KEY.encode(), f"{START}.".encode() + body, hashlib.sha256)
    return {"X-Timestamp": str(START), "X-Signature": signed.hexdigest()}


def mutated(values: Values, dice: random.Random) -> Values:
    """With one to three fields written differently, left out, or under another name."""
    found = dict(values)
    for _ in range(dice.choice((1, 1, 2, 3))):
        name = dice.choice(sorted(found))
        old = found.pop(name)
        at, piece = dice.randrange(len(old) + 1), dice.choice(_PIECES)
        roll = dice.random()
        if roll < 0.06 and found:
            continue
        new = dice.choice((piece, old[:at] + piece + old[at:], old[:at] + old[at + 1 :], old + old, old.upper()))
        found[name if roll < 0.94 else f"{name}{piece[:8]}"] = new
    return found


def spoilt(dice: random.Random) -> Callable[[str], str]:
    """Makes a wrong signature of a right one."""

    def spoil(sign: str) -> str:
        at = dice.randrange(len(sign) - 4)  # not among the last signs: bits there may say nothing
        other = "0" if sign[at] != "0" else "1"
        return dice.choice(("", sign[:at] + other + sign[at + 1 :], sign[:at] + sign[at + 1 :], sign + sign, "0" * 32,
                            md5(sign), dice.choice(NASTY)))  # fmt: skip

    return spoil

"""A shop to test with: its merchant, accounts and phone, and the people around it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from checkout import store as stores
from checkout.http.client import Answer, Outgoing
from checkout.http.steps import Steps
from checkout.interfaces import Store
from checkout.model.accounts import Account, Method
from checkout.model.devices import Device
from checkout.model.merchants import Merchant, Mode
from checkout.model.orders import Order
from checkout.model.owner import AuditEntry
from checkout.model.payments import Payment
from checkout.model.products import Product
from checkout.outbox import deliveries
from checkout.web import Parts

START = 1_790_000_000
MERCHANT_KEY = "a7cc8678193ee9c70ae3d75fd04ae6a9"
DEVICE_KEY = "d" * 64


def md5(*parts: str) -> str:
    """The tests' own: never the code's."""
    return hashlib.md5("".join(parts).encode()).hexdigest()


class FakeClock:
    """Stands still until it is told to go."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def go(self, seconds: int) -> None:
        self.now += seconds


def answer(status: int = 200, body: bytes = b"success") -> Answer:
    return Answer(status, {}, body, 1)


@dataclass
class Outside:
    """The merchants' servers: records what they are sent and answers as told."""

    sent: list[Outgoing] = field(default_factory=list)
    reply: Callable[[Outgoing], Answer] = lambda request: answer()

    def send(self, request: Outgoing) -> Answer:
        self.sent.append(request)
        return self.reply(request)

    def exchange(self, request: Outgoing) -> Steps[Answer]:
        yield from ()
        return self.send(request)


def merchant(**changes: Any) -> Merchant:
    fields: dict[str, Any] = {
        "id": 1001, "name": "shop", "key": MERCHANT_KEY, "previous_key": "", "previous_key_until": 0,
        "mode": Mode.STRICT, "guard_param": False, "reuse": True, "notify_url": "https://shop.example/notify",
        "return_url": "https://shop.example/return", "allow_hosts": (), "disabled_at": None, "created_at": START,
    }  # fmt: skip
    return Merchant(**{**fields, **changes})


def account(**changes: Any) -> Account:
    fields: dict[str, Any] = {
        "id": "wx-main", "method": Method.WECHAT, "channel": "personal", "code": "wxp://f2f0wechat", "offset": "up",
        "max_offset": 100, "offline": "warn", "weight": 1, "daily_cap": None, "disabled_at": None,
        "created_at": START,
    }  # fmt: skip
    return Account(**{**fields, **changes})


def device(**changes: Any) -> Device:
    fields: dict[str, Any] = {
        "id": "phone", "name": "phone", "kind": "vmq", "key": DEVICE_KEY, "previous_key": "",
        "previous_key_until": 0, "token": "t" * 32, "beat_at": None, "push_at": None, "revoked_at": None,
        "created_at": START,
    }  # fmt: skip
    return Device(**{**fields, **changes})


def product(**changes: Any) -> Product:
    fields: dict[str, Any] = {
        "id": "ebook", "merchant": 1001, "title_zh": "书", "title_en": "Book", "price": 990, "lowest": None,
        "highest": None, "max_quantity": 3, "stock": None, "per_buyer": None, "origins": ("https://blog.example",),
        "return_url": "", "deliver": "text", "goods": "# Hello", "low_stock": 5, "brand": "{}", "disabled_at": None,
        "created_at": START,
    }  # fmt: skip
    return Product(**{**fields, **changes})


@dataclass
class World:
    app: Flask
    clock: FakeClock
    outside: Outside

    @classmethod
    def set_up(cls, app: Flask, clock: FakeClock, outside: Outside) -> World:
        world = cls(app, clock, outside)
        with world.store.transaction() as db:
            stores.merchants.add(db, merchant())
            stores.accounts.add(db, account())
            stores.accounts.add(db, account(id="ali-main", method=Method.ALIPAY, code="https://qr.alipay.com/fkx"))
            stores.devices.add(db, device(), ["wx-main", "ali-main"])
        return world

    @property
    def parts(self) -> Parts:
        parts: Parts = self.app.extensions["checkout"]
        return parts

    @property
    def store(self) -> Store:
        return self.parts.store

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def change_merchant(self, **changes: Any) -> None:
        with self.store.transaction() as db:
            stores.merchants.update(db, merchant(**changes))

    def create(self, number: str = "N1", price: str = "9.90", kind: str = "1", **more: str) -> dict[str, Any]:
        """A vmq order; the whole JSON answer."""
        values = {"payId": number, "type": kind, "price": price, **more}
        values["sign"] = md5(number, more.get("param", ""), kind, price, MERCHANT_KEY)
        found = self.client.post("/createOrder", data=values).get_json()
        assert isinstance(found, dict)
        return found

    def push(self, price: str, kind: str = "1", t: int | None = None, key: str = DEVICE_KEY) -> dict[str, Any]:
        """What the phone app sends for one receipt."""
        at = str(t or self.clock() * 1000)
        sign = md5(kind, price, at, key)
        found = self.client.get(
            "/appPush", query_string={"type": kind, "price": price, "t": at, "sign": sign}
        ).get_json()
        assert isinstance(found, dict)
        return found

    def beat(self, key: str = DEVICE_KEY) -> dict[str, Any]:
        at = str(self.clock() * 1000)
        found = self.client.get("/appHeart", query_string={"t": at, "sign": md5(at, key)}).get_json()
        assert isinstance(found, dict)
        return found

    def work(self) -> int:
        """Tries every delivery that is due once; gives how many."""
        with self.store.read() as db:
            due = stores.deliveries.due(db, self.clock())
        for one in due:
            claimed = deliveries.claim(self.store, one, self.clock())
            assert claimed is not None
            deliveries.deliver(self.store, self.parts.dialects, self.outside.send, claimed, self.clock)
        return len(due)

    def order(self, token: str) -> Order:
        with self.store.read() as db:
            found = stores.orders.get(db, token)
        assert found is not None
        return found

    def payments(self) -> list[Payment]:
        with self.store.read() as db:
            return stores.payments.listed(db, review=False)

    def audit(self) -> list[AuditEntry]:
        """The newest first."""
        with self.store.read() as db:
            return stores.audit.latest(db)


__all__ = ["START", "FakeClock", "Outside", "World", "account", "answer", "device", "md5", "merchant", "product"]

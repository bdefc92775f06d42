"""A merchant's server that speaks the native API, strictly: every answer is checked member by member."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from tests.clients.wire import Reply, Wire

ORDER = {
    "order", "number", "merchant", "dialect", "product", "quantity", "ref", "state", "late", "method", "title", "param",
    "price", "really_price", "refunded", "created_at", "expires_at", "paid_at", "closed_at", "notify_url", "return_url",
    "metadata", "pay_url", "receipt", "scene", "prompt",
}  # fmt: skip
PAYMENT = {
    "payment", "order", "channel", "method", "amount", "judgement", "note", "happened_at", "received_at", "judged_at",
}  # fmt: skip
REFUND = {"refund", "order", "number", "amount", "reason", "state", "error", "created_at", "done_at"}
PRODUCT = {
    "product", "title_zh", "title_en", "price", "lowest", "highest", "max_quantity", "left", "deliver", "active",
    "buy_url", "created_at",
}  # fmt: skip
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


@dataclass(frozen=True)
class Shop:
    wire: Wire
    key: str = field(repr=False)

    def with_key(self, key: str) -> Shop:
        return replace(self, key=key)

    def send(
        self, method: str, path: str, body: object = None, *, once: str = "", raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:  # fmt: skip
        """A request as it stands; `once` is its idempotency key."""
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if body is not None or raw is not None:
            sent["Content-Type"] = "application/json"
        if once:
            sent["Idempotency-Key"] = once
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else b""
        return self.wire(method, f"/api/v1{path}", {**sent, **(headers or {})}, data)

    def refused(self, status: int, method: str, path: str, body: object = None, **more: Any) -> dict[str, Any]:
        """The problem document of a request that must be refused with `status`."""
        return problem(self.send(method, path, body, **more), status)

    def create(self, number: str = "N1", amount: int = 990, *, once: str = "", **more: Any) -> dict[str, Any]:
        asked = {"number": number, "price": {"amount": amount, "currency": "CNY"}, "method": "wechat", **more}
        reply = self.send("POST", "/orders", {name: one for name, one in asked.items() if one is not None}, once=once)
        return as_order(told(reply, 200, 201))

    def get(self, order: str) -> dict[str, Any]:
        return as_order(told(self.send("GET", f"/orders/{order}"), 200))

    def page(self, **query: str) -> tuple[list[dict[str, Any]], str | None]:
        found = told(self.send("GET", f"/orders?{urlencode(query)}"), 200)
        assert set(found) == {"data", "next"}
        return [as_order(one) for one in found["data"]], found["next"]

    def all(self, **query: str) -> list[dict[str, Any]]:
        found, cursor = self.page(**query)
        while cursor is not None:
            more, cursor = self.page(**query, cursor=cursor)
            found += more
        return found

    def close(self, order: str, *, once: str = "") -> dict[str, Any]:
        return as_order(told(self.send("POST", f"/orders/{order}/close", once=once), 200))

    def refund(self, order: str, *, once: str = "", **asked: Any) -> dict[str, Any]:
        found: dict[str, Any] = told(
            self.send("POST", f"/orders/{order}/refunds", {"reason": "returned", **asked}, once=once), 201
        )
        assert set(found) == REFUND
        money(found["amount"])
        time(found["created_at"])
        return found

    def payments(self, **query: str) -> list[dict[str, Any]]:
        found = told(self.send("GET", f"/payments?{urlencode(query)}"), 200)
        return [as_payment(one) for one in found["data"]]

    def link(self, payment: str, order: str, *, once: str = "") -> dict[str, Any]:
        asked = {"order": order, "reason": "the buyer showed the bill"}
        return as_payment(told(self.send("POST", f"/payments/{payment}/link", asked, once=once), 200))


def told(reply: Reply, *statuses: int) -> Any:
    assert reply.status in statuses, reply
    assert reply.headers["content-type"] == "application/json"
    return reply.json()


def problem(reply: Reply, status: int) -> dict[str, Any]:
    assert reply.status == status, reply
    assert reply.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = reply.json()
    assert {"type", "title", "status", "detail", "code"} <= set(found) <= {
        "type", "title", "status", "detail", "code", "errors",
    }  # fmt: skip
    assert found["type"] == "about:blank"
    assert found["status"] == status
    assert found["detail"][-1] in ".!?)"
    for error in found.get("errors", ()):
        assert error["detail"]
        assert error.keys() & {"pointer", "parameter", "header"}
    return found


def as_order(found: dict[str, Any]) -> dict[str, Any]:
    assert set(found) == ORDER
    assert re.fullmatch("[0-9a-f]{32}", found["order"])
    assert found["pay_url"].endswith(f"/pay/{found['order']}")
    assert found["state"] in ("pending", "paid", "expired", "closed")
    assert type(found["late"]) is bool
    money(found["price"])
    money(found["refunded"])
    if found["really_price"] is not None:
        money(found["really_price"])
    for name in ("created_at", "expires_at", "paid_at", "closed_at"):
        if found[name] is not None:
            time(found[name])
    if found["prompt"] is not None:
        assert set(found["prompt"]) == {"kind", "text", "params", "amount_typed"}
    return found


def as_payment(found: dict[str, Any]) -> dict[str, Any]:
    assert set(found) == PAYMENT
    if found["amount"] is not None:
        money(found["amount"])
    time(found["received_at"])
    return found


def money(found: Any) -> int:
    assert set(found) == {"amount", "currency"}
    assert found["currency"] == "CNY"
    assert type(found["amount"]) is int
    amount: int = found["amount"]
    return amount


def time(found: Any) -> None:
    assert _TIME.fullmatch(found)

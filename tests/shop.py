"""A shop without Flask: the rules over a real database, for tests that need no web."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from msgspec.structs import replace

from checkout import opening, orders, payments, settlement
from checkout import store as stores
from checkout.amounts import Limits
from checkout.interfaces import AtOnce, Store
from checkout.model.deliveries import Delivery
from checkout.model.orders import Order
from checkout.model.owner import AuditEntry
from checkout.model.payments import Payment
from checkout.opening import Ask
from checkout.orders import Rules
from checkout.outbox import deliveries
from checkout.payments import Outcome, Report
from tests.world import START, account, device, merchant

LIMITS = Limits(order_ttl=300, grace=600, rest=7200)


@dataclass
class Shop:
    """One merchant; `now` is its clock, `ids` count up."""

    store: Store
    now: int = START
    rules: Rules = field(default_factory=lambda: Rules(LIMITS, offline_after_s=180, min_free_disk=0))
    at_once: AtOnce = deliveries.later

    def __post_init__(self) -> None:
        self._numbers = count(1)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):08d}"

    def go(self, seconds: int) -> None:
        self.now += seconds

    def fill(self) -> Shop:
        """The merchant, one WeChat account and the phone that watches it."""
        with self.store.transaction() as db:
            stores.merchants.add(db, merchant())
        self.add_account()
        self.add_device("phone", ["wx-main"])
        return self

    def add_account(self, **changes: Any) -> None:
        with self.store.transaction() as db:
            stores.accounts.add(db, account(**changes))

    def add_device(self, name: str, accounts: Sequence[str], **changes: Any) -> None:
        fields = {"id": name, "name": name, "key": f"key of {name}", "token": f"token of {name}", **changes}
        with self.store.transaction() as db:
            stores.devices.add(db, device(**fields), accounts)

    def change_account(self, **changes: Any) -> None:
        with self.store.transaction() as db:
            stores.accounts.update(db, account(**changes))

    def change_merchant(self, **changes: Any) -> None:
        with self.store.transaction() as db:
            stores.merchants.update(db, merchant(**changes))

    def ask(self, number: str = "N1", price: int = 990, **changes: Any) -> Ask:
        with self.store.read() as db:
            owner = stores.merchants.get(db, 1001)
        assert owner is not None
        fields: dict[str, Any] = {
            "merchant": owner, "dialect": "vmq", "number": number, "price": price, "price_text": "9.9",
            "method": "wechat",
        }  # fmt: skip
        return Ask(**{**fields, **changes})

    def open(self, number: str = "N1", price: int = 990, **changes: Any) -> Order:
        """An order whose QR code left with the answer, unless told otherwise."""
        ask = self.ask(number, price, **{"shown": True, **changes})
        return opening.open_order(self.store, ask, self.rules, self.now)

    def push(
        self, amount: int | None, phone: str = "phone", *, method: str = "wechat", at: int | None = None
    ) -> Outcome:
        """The phone reports money, in a message of its own unless `at` repeats one."""
        with self.store.read() as db:
            reporter = stores.devices.get(db, phone)
        assert reporter is not None
        moment = at if at is not None else next(self._numbers)
        reference = f"{phone}:{method}:{amount}:{moment}"
        report = Report(reporter, method, amount, reference, "{}", self.now)
        return payments.receive(self.store, report, new_id=self.new_id, now=self.now, at_once=self.at_once)

    def order(self, order: Order | str) -> Order:
        with self.store.read() as db:
            found = stores.orders.get(db, order if isinstance(order, str) else order.token)
        assert found is not None
        return found

    def close(self, order: Order) -> Order:
        return orders.close(self.store, order.token, self.rules.limits, self.now)

    def confirm(self, order: Order, amount: int, reason: str = "seen in the bill") -> Order:
        return settlement.confirm(
            self.store, order.token, amount=amount, reason=reason, actor="owner", new_id=self.new_id, now=self.now
        )

    def link(self, payment: Payment, order: Order, reason: str = "the buyer showed the bill") -> Order:
        return payments.link(
            self.store, payment.id, order.token, reason=reason, actor="owner", new_id=self.new_id, now=self.now
        )

    def payments(self, *, review: bool = False) -> list[Payment]:
        with self.store.read() as db:
            return stores.payments.listed(db, review=review)

    def payment(self, found: Outcome) -> Payment:
        """The payment as it stands in the database now."""
        with self.store.read() as db:
            stored = stores.payments.get(db, found.payment.id)
        assert stored is not None
        return stored

    def deliveries(self, order: Order) -> list[Delivery]:
        with self.store.read() as db:
            return stores.deliveries.of_order(db, order.token)

    def audit(self) -> list[AuditEntry]:
        with self.store.read() as db:
            return stores.audit.latest(db)

    def slots(self) -> dict[tuple[str, int], tuple[str, int, int]]:
        """(account, amount) → (order token, free_at, rested_at)."""
        with self.store.read() as db:
            rows = db.all("SELECT account, amount, order_token, free_at, rested_at FROM slots")
        return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}

    def with_rules(self, **limits: int) -> None:
        self.rules = replace(self.rules, limits=replace(self.rules.limits, **limits))

"""A paid order at each strict gateway, for tests of refunds: what differs between the gateways stands here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from checkout import gateways, ids, store
from checkout.channel import Channel, Scene
from checkout.channels import wechat as v2
from checkout.channels import wechat_v3 as v3
from checkout.model.accounts import Method
from checkout.model.orders import Order, State
from checkout.model.payments import Payment
from checkout.model.refunds import Refund
from checkout.refunds import calls, ledger, money_back
from checkout.refunds.money_back import Back
from tests.channels import wechat_2014, wechat_v3
from tests.channels.alipay_app import channel_at, opened
from tests.channels.orders import TOKEN, order, start
from tests.channels.wechat import API_KEY, APP_ID, MCH_ID, certificates, section
from tests.channels.wechat_2014 import SECRETS
from tests.fakes.wechat import FakeWechat
from tests.fakes.wechat_2014 import FakeWechat2014
from tests.world import World, account

GATEWAYS = ("alipay", "wechat", "wechat_2014", "wechat_v3")


@dataclass
class Till:
    """One gateway with a paid order of 9.90. `gateway` is its fake, `moved` what it gave back so far, in fen."""

    world: World
    channel: Channel
    gateway: Any
    moved: Callable[[], int]
    asked: Callable[[], list[str]]  # "refund" and "query", as they came to the gateway
    settle: Callable[[str], None] = lambda status: None  # how the gateway says that refunds stand from now on
    channels: dict[str, Channel] = field(default_factory=dict)
    scene: Scene = Scene.QR

    def open(self) -> Till:
        name = self.channel.name
        self.channels = {name: self.channel}
        changes = {"method": self.channel.method, "account": "official", "channel": name}
        with self.world.store.transaction() as db:
            store.accounts.add(db, account(id="official", method=Method(self.channel.method), channel=name, code=""))
            store.orders.add(db, order(**changes))
        prompt = gateways.prompt_for(self.world.store, self.channels, start(self.scene, order=changes, openid="o1"))
        if self.scene is Scene.JSAPI:
            self.gateway.take(prompt.params["package"])
        self.gateway.pay(TOKEN)
        found = self.channel.query(order(**changes), self.world.clock())
        assert found.paid is not None
        assert gateways.book(
            self.world.store, self.channel, found.paid, "{}", new_id=ids.new_id, now=self.world.clock()
        )
        return self

    @property
    def order(self) -> Order:
        return self.world.order(TOKEN)

    def ask(self, amount: int | None = None, number: str = "") -> Refund:
        return ledger.ask(
            self.world.store, TOKEN, self.channels, amount=amount, reason="returned & 退", number=number,
            actor="owner", new_id=ids.new_id, now=self.world.clock(),
        )  # fmt: skip

    def work(self) -> int:
        """What a worker does about refunds now; how many it called about."""
        with self.world.store.read() as db:
            due = store.refunds.due(db, self.world.clock(), 100)
        for one in due:
            self.call(one)
        return len(due)

    def call(self, refund: Refund) -> None:
        claimed = calls.claim(self.world.store, refund, self.world.clock())
        assert claimed is not None
        calls.call(self.world.store, self.channels, claimed, "https://pay.example.com", clock=self.world.clock)

    def pay_again(self) -> Payment:
        """The buyer pays another attempt at the same order, whose number is paid already. At Alipay only."""
        other, trade_no, now = "f" * 32, "2026092122001004999999999999", self.world.clock()
        again = replace(self.order, token=other, attempt=2, state=State.EXPIRED, paid_at=None)
        with self.world.store.transaction() as db:
            store.orders.add(db, again)
        trades = self.gateway.trades
        trades[other] = dataclasses.replace(trades[TOKEN], number=other, trade_no=trade_no, refunds={})
        found = self.channel.query(again, now)
        assert found.paid is not None
        gateways.book(self.world.store, self.channel, found.paid, "{}", new_id=ids.new_id, now=now)
        return next(one for one in self.world.payments() if one.reference == trade_no)

    def refunds(self) -> list[Refund]:
        with self.world.store.read() as db:
            return store.refunds.of_order(db, TOKEN)

    def states(self) -> list[tuple[int, str]]:
        return [(one.amount, one.state.value) for one in self.refunds()]

    def back(self) -> Back:
        with self.world.store.read() as db:
            return money_back.of(db, self.order)


@contextmanager
def till_at(name: str, world: World, folder: Path, **options: Any) -> Iterator[Till]:
    with _OPENERS[name](world, folder, **options) as till:
        yield till.open()


@contextmanager
def _alipay(world: World, folder: Path) -> Iterator[Till]:
    calls = {"alipay.trade.refund": "refund", "alipay.trade.fastpay.refund.query": "query"}
    with opened(world.clock) as fake:

        def settle(status: str) -> None:
            fake.says = {"refund_status": "REFUND_PROCESSING", "fund_change": "N"} if status == "processing" else {}

        yield Till(
            world, channel_at(fake, folder), fake, lambda: int(fake.trades[TOKEN].refunded * 100),
            lambda: [calls[one["method"]] for one in fake.asked if one["method"] in calls], settle,
        )  # fmt: skip


@contextmanager
def _wechat(world: World, folder: Path, certified: bool = True) -> Iterator[Till]:
    files = certificates(folder / "certificates")
    ours = {"cert": files.cert, "cert_key": files.cert_key} if certified else {}
    words = {"done": "SUCCESS", "processing": "PROCESSING", "failed": "REFUNDCLOSE"}
    with FakeWechat(APP_ID, MCH_ID, API_KEY, clock=world.clock, tls=files.tls) as fake:

        def settle(status: str) -> None:
            for one in fake.trades[TOKEN].refunds.values():
                one["status"] = words.get(status, status)

        channel = v2.make("wechat", section(folder, gateway=fake.url, ca=files.ca, **ours), folder, True)
        yield Till(
            world, channel, fake, lambda: sum(int(one["refund_fee"]) for one in fake.trades[TOKEN].refunds.values()),
            lambda: [path.rpartition("/")[2].replace("refundquery", "query") for path, _ in fake.asked
                     if "refund" in path], settle,
        )  # fmt: skip


@contextmanager
def _wechat_2014(world: World, folder: Path) -> Iterator[Till]:
    files = certificates(folder / "certificates")
    calls = {"/refundapi/gateway/refund.xml": "refund", "/gateway/normalrefundquery.xml": "query"}
    ours = {"ca": files.ca, "cert": files.cert, "cert_key": files.cert_key}
    words = {"done": "4", "processing": "8", "failed": "3"}
    with FakeWechat2014(SECRETS, clock=world.clock, tls=files.tls) as fake:

        def settle(status: str) -> None:
            fake.refund_status = words.get(status, status)

        channel = wechat_2014.made(folder, **wechat_2014.at(fake.url), **ours, op_user_passwd="keys/op_user_passwd.txt")
        yield Till(
            world, channel, fake, lambda: sum(int(one["refund_fee"]) for one in fake.trades[TOKEN].refunds.values()),
            lambda: [calls[path] for path, _ in fake.asked if path in calls], settle, scene=Scene.JSAPI,
        )  # fmt: skip


@contextmanager
def _wechat_v3(world: World, folder: Path) -> Iterator[Till]:
    words = {"done": "SUCCESS", "processing": "PROCESSING", "failed": "CLOSED"}
    with wechat_v3.fake(world.clock) as fake:
        fake.refund_status = "PROCESSING"

        def settle(status: str) -> None:
            fake.refund_status = words.get(status, status)
            for one in fake.trades[TOKEN].refunds.values():
                one["status"] = fake.refund_status

        channel = v3.make("wx", wechat_v3.section(folder, fake.gateway), folder, allow_private=True)
        yield Till(
            world, channel, fake,
            lambda: sum(one["amount"]["refund"] for one in fake.trades[TOKEN].refunds.values()),
            lambda: ["refund" if one.method == "POST" else "query" for one in fake.asked if "refunds" in one.path],
            settle,
        )  # fmt: skip


_OPENERS: dict[str, Any] = {
    "alipay": _alipay, "wechat": _wechat, "wechat_2014": _wechat_2014, "wechat_v3": _wechat_v3,
}  # fmt: skip

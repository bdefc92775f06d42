"""A served shop with official accounts, every gateway of which is a strict stand-in that speaks to it by HTTP."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkout import ids, inquiries, store
from checkout.app import create_app
from checkout.demo.gateways.serving import post
from checkout.demo.gateways.town import Town
from checkout.demo.gateways.wechat import accepted
from checkout.model.orders import Order, State
from checkout.settings import Settings
from tests.browser.site import Site
from tests.channels.rsa import key
from tests.world import FakeClock, Outside, World, account

METHODS = {"alipay": "alipay", "alipay_legacy": "alipay"}


@dataclass
class Official:
    """`site` is the shop, `town` the gateways; both have the world's clock."""

    site: Site
    town: Town

    @property
    def world(self) -> World:
        return self.site.world

    def add_account(self, channel: str) -> None:
        """An account at a gateway; the shop's personal ones of its method take no more orders."""
        method = METHODS.get(channel, "wechat")
        with self.world.store.transaction() as db:
            db.run("UPDATE accounts SET disabled_at = 1 WHERE method = :m AND channel = 'personal'", m=method)
            store.accounts.add(db, account(id=channel, method=method, channel=channel, code=""))

    def order(self, channel: str, number: str = "N1", price: int = 990, **more: Any) -> Order:
        """An order of the account at `channel`."""
        return self.site.order(number, price, METHODS.get(channel, "wechat"), **more)

    def question(self) -> None:
        """What the worker does with every question that is due."""
        now = self.world.clock()
        with self.world.store.read() as db:
            due = store.gateways.due(db, now, 100)
        for watch in due:
            with self.world.store.transaction() as db:
                assert store.gateways.claim(db, watch, now + inquiries.LEASE_S)
            channels = self.world.parts.channels
            inquiries.check(self.world.store, channels, watch, new_id=ids.new_id, clock=self.world.clock)

    def state(self, order: Order) -> State:
        return self.world.order(order.token).state


@contextlib.contextmanager
def official(folder: Path, *accounts: str, database: str = "", **changes: Any) -> Iterator[Official]:
    """`changes` are settings, or of the sections where they name one. Without a `database` it is in `folder`."""
    listening = socket.create_server(("127.0.0.1", 0))
    port, clock, outside = int(listening.getsockname()[1]), FakeClock(), Outside()
    url = f"http://127.0.0.1:{port}"
    with listening, Town(folder, url, clock=clock, key_of=key) as town:
        sections = {name: {**table, **changes.pop(name, {})} for name, table in town.sections.items()}
        settings = Settings(
            database=database or str(folder / "data" / "checkout.db"), folder=folder, allow_private=True, base_url=url,
            channels=sections, secret="s" * 64 if database.startswith("postgresql:") else None, **changes,
        )  # fmt: skip
        app = create_app(settings, clock=clock, new_id=ids.new_id, send=outside.send, work=False)
        site = Site(World.set_up(app, clock, outside), port, app, _fd=listening.fileno())
        site.start()
        made = Official(site, town)
        for channel in accounts:
            made.add_account(channel)
        try:
            yield made
        finally:
            site.stop()
            site.world.store.close()


@dataclass
class Counter:
    """What a buyer does at one gateway, and what the gateway then sends, in the same words for all of them."""

    made: Official
    channel: str

    def begin(self, number: str = "N1", **more: Any) -> Order:
        """An order whose page has been opened, so that the gateway knows it."""
        order = self.made.order(self.channel, number, **more)
        page = self.made.world.client.get(f"/pay/{order.token}")
        assert "qr.png" in page.text, page.text
        if self.channel == "wechat_2014":
            self.made.town.wechat_2014.take_from(order.token)
        return order

    def pay(self, order: Order) -> None:
        getattr(self.made.town, self.channel).pay(order.token)

    def notice(self, order: Order, **changes: str) -> tuple[str, bytes, dict[str, str]]:
        """Where a notice goes, its body and its headers; `transaction` among the changes is another number."""
        gateway = getattr(self.made.town, self.channel)
        url, other = f"{self.made.site.url}/notify/{self.channel}", changes.pop("transaction", "")
        name = "trade_no" if self.channel == "alipay" else "transaction_id"
        found = gateway.notice(order.token, **changes, **({name: other} if other else {}))
        if self.channel == "wechat_2014":
            return f"{url}?{found[0]}", found[1], {}
        return (url, *found) if self.channel == "wechat_v3" else (url, found, {})

    def send(self, notice: tuple[str, bytes, dict[str, str]]) -> bool:
        """Whether the notice was taken, as the gateway reads our answer."""
        url, body, headers = notice
        status, answer = post(url, body, "application/json" if headers else "text/plain", headers)
        if self.channel == "wechat":
            return status == 200 and accepted(answer)
        return status == 200 and (self.channel == "wechat_v3" or answer == b"success")

    def deliver(self, order: Order) -> int:
        """Sends the notice on the gateway's schedule until it is taken; how often."""
        gateway = getattr(self.made.town, self.channel)
        if self.channel.startswith("wechat") and self.channel != "wechat_v3":
            return int(gateway.notify(order.token))
        return len(gateway.deliver(order.token))


COUNTERS = ("alipay", "wechat", "wechat_2014", "wechat_v3")

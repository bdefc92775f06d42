"""Small gateways of the tests' own: they take orders, answer as told, and note what they were asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from checkout import store
from checkout.channel import (
    Channel,
    Found,
    GatewayError,
    Notice,
    NoticeRefused,
    Prompt,
    PromptKind,
    Raw,
    RefundAsk,
    Refunded,
    RefundStanding,
    Reply,
    Scene,
    Standing,
    Start,
)
from checkout.model.orders import Order
from tests.world import World, account

UNPAID = Found(Standing.UNPAID)
DOWN = GatewayError("It did not answer.", permanent=False)
REFUSED = GatewayError("It has no contract for this.", permanent=True)


def code_for(start: Start) -> Prompt:
    return Prompt(PromptKind.QR, f"https://qr.example/{start.order.token[:8]}")


@dataclass
class Till:
    """A gateway named `name` for one method; `faults` are raised for a scene, or for every one under None."""

    name: str
    method: str = "alipay"
    serves: frozenset[Scene] = frozenset({Scene.QR})
    phone: Scene = Scene.QR
    faults: dict[Scene | None, GatewayError] = field(default_factory=dict)
    prompt: Callable[[Start], Prompt] = code_for
    found: Found = UNPAID
    unclosable: bool = False
    calls: list[str] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)

    def scenes(self) -> frozenset[Scene]:
        return self.serves

    def phone_scene(self) -> Scene:
        return self.phone

    def start(self, ask: Start) -> Prompt:
        self._note(f"start {ask.scene}", ask.scene)
        self.starts.append(ask)
        return self.prompt(ask)

    def query(self, order: Order, now: int) -> Found:
        self._note("query")
        return self.found

    def close(self, order: Order, now: int) -> None:
        self._note("close")
        if self.unclosable:
            raise DOWN

    def refund(self, ask: RefundAsk) -> Refunded:
        return Refunded(RefundStanding.DONE)

    def refund_standing(self, ask: RefundAsk) -> Refunded:
        return Refunded(RefundStanding.DONE)

    def read_notice(self, raw: Raw) -> Notice:
        raise NoticeRefused("not signed")

    def reply_accepted(self) -> Reply:
        return Reply(b"success")

    def reply_refused(self) -> Reply:
        return Reply(b"failure")

    def read_return(self, raw: Raw) -> str:
        raise NoticeRefused("not signed")

    def _note(self, call: str, scene: Scene | None = None) -> None:
        self.calls.append(call)
        fault = self.faults.get(scene) or self.faults.get(None)
        if fault:
            raise fault


def install(world: World, *tills: Till, personal: bool = False) -> None:
    """Puts the gateways into the shop, one account each, named after its gateway; without `personal` the shop's own
    codes take no orders of those methods."""
    channels: Mapping[str, Channel] = {till.name: till for till in tills}
    world.app.extensions["checkout"] = replace(world.parts, channels=channels)
    with world.store.transaction() as db:
        for one in store.accounts.all_of(db):
            if not personal and one.method in {till.method for till in tills}:
                store.accounts.update(db, replace(one, disabled_at=world.clock()))
        for till in tills:
            store.accounts.add(db, account(id=till.name, method=till.method, channel=till.name, code=""))

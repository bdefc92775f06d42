"""What the buyer of an order pays with: the account's own code, or what an official gateway gives us.

A gateway that does not accept the order is passed over: the order moves to the next account of its method. Everything
here ends within seconds, because a buyer or a merchant's server waits. No Flask, no SQL.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from msgspec import Struct, field

from checkout import gateways, orders, store, switching
from checkout.channel import Channel, Channels, ForPhones, GatewayError, Prompt, PromptKind, Scene, Start
from checkout.errors import Code, Refusal
from checkout.http.client import within
from checkout.interfaces import Store
from checkout.model.accounts import PERSONAL
from checkout.model.orders import Order, State
from checkout.orders import Rules

log = logging.getLogger(__name__)

ONE_S, ALL_S = 4.0, 8.0  # what one gateway may take, and all that are tried for one order
PASSED_OVER_S = 10  # for so long nobody waits again for a gateway that has just failed
AT_ONCE = 4  # calls that wait for gateways; the other threads are for phones, notices and other buyers
_TURN_S = 2.0


class NoTurn(GatewayError):
    """No turn was free, so the gateway was not even asked."""


class Gates:
    """What one process knows about its gateways: which has just failed, and how many calls are waiting."""

    def __init__(self) -> None:
        self._down: dict[tuple[str, Scene | None], int] = {}
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def is_down(self, channel: str, scene: Scene, now: int) -> bool:
        return max(self._down.get((channel, scene), 0), self._down.get((channel, None), 0)) > now

    def failed(self, channel: str, scene: Scene | None, now: int) -> None:
        """`scene` None: whatever way of paying was asked for."""
        self._down[channel, scene] = now + PASSED_OVER_S

    @contextmanager
    def place(self, ends: float) -> Iterator[None]:
        """A turn to call. All calls inside it end at `ends` (monotonic clock) at the latest, together."""
        left = ends - monotonic()
        if left <= 0 or not self._places.acquire(timeout=min(_TURN_S, left)):
            raise NoTurn("Too many orders wait for gateways right now.", permanent=False)
        try:
            with within(min(ONE_S, left)):
                yield
        finally:
            self._places.release()


class Till(Struct, frozen=True):
    """What `ready` needs to hand out prompts. `site` is our base URL."""

    store: Store
    channels: Channels
    rules: Rules
    site: str
    gates: Gates = field(default_factory=Gates)


class Wanted(Struct, frozen=True):
    """How the buyer pays. `openid` for JSAPI only; `client_ip` is the buyer's address, which WeChat wants for H5.

    `page`: it is shown on our own page, so any way that a browser can follow will do. `phone`: that page is open on a
    phone, where a link into the app is better than a code.
    """

    scene: Scene = Scene.QR
    client_ip: str = ""
    openid: str = ""
    page: bool = False
    phone: bool = False


class Shown(Struct, frozen=True):
    """What the buyer gets. `order` is the order as it is now: it may have moved to another account."""

    order: Order
    prompt: Prompt
    is_typed: bool = False  # the buyer types the amount


def ready(till: Till, order: Order, wanted: Wanted, now: int) -> Shown:
    """What to pay the waiting order with, by `wanted.scene`; notes that it has been shown. Safe to ask again.

    - QR: `prompt.text` is drawn as a QR code (`PromptKind.QR`); where the channel's section says so it is an address
      that the buyer's browser goes to (`PromptKind.LINK`).
    - PAGE, H5: an address for the buyer's browser (`LINK`).
    - APP, JSAPI: `prompt.params` is to the letter what the client's SDK needs (`CLIENT`). WeChat APP: appid,
      partnerid, prepayid, package, noncestr, timestamp, sign; JSAPI: appId, timeStamp, nonceStr, package, signType,
      paySign; Alipay APP: order_string.

    Never inside a transaction; it may take `ALL_S` seconds. Refused: GATEWAY (with `retry_after`: no gateway of the
    method's accounts takes the order now), NOT_ALLOWED (it does not wait, or is paid in the shop's app).
    """
    ends = monotonic() + ALL_S
    tried: set[str] = set()
    while True:
        if order.state_at(now) is not State.PENDING or not order.method:
            raise Refusal(Code.NOT_ALLOWED, "The order does not wait for payment.")
        if order.channel == PERSONAL and wanted.scene is Scene.QR:
            shown = orders.show(till.store, order, till.rules.limits, now)
            if shown.channel == PERSONAL:
                return _own_code(till, shown)
            order = shown  # its buyer switched the method just now
            continue
        try:
            prompt = _asked(till, order, wanted, now, ends)
        except GatewayError as error:
            tried.add(order.account)
            order = _elsewhere(till, order, tried | _unfit(till, order, wanted, now), now, error)
            continue
        return Shown(orders.show(till.store, order, till.rules.limits, now), prompt)


def _own_code(till: Till, order: Order) -> Shown:
    with till.store.read() as db:
        code, is_typed = orders.code_of(db, order)
    return Shown(order, Prompt(PromptKind.QR, code), is_typed)


def _asked(till: Till, order: Order, wanted: Wanted, now: int, ends: float) -> Prompt:
    """What the order's gateway gives for it. Raises `GatewayError`."""
    channel = till.channels.get(order.channel)
    if channel is None or channel.method != order.method:
        raise GatewayError(f"The account {order.account} names no gateway of {order.method}.", permanent=True)
    with till.store.read() as db:
        known = store.gateways.prompts(db, order.token, channel.name)
    usable = {one.scene: one for one in known if one.scene == wanted.scene or (wanted.page and one.kind != "client")}
    scenes = _scenes(channel, wanted)
    for scene in (*scenes, *map(Scene, usable)):
        if scene in usable:
            return usable[scene].prompt()
    if not scenes:
        raise GatewayError(f"It does not serve the scene {wanted.scene}.", permanent=True)
    try:
        return _first(till, channel, order, wanted, scenes, now, ends)
    except GatewayError as error:
        if known:  # it was begun in another way, under the same number: it must not be paid twice
            raise Refusal(Code.NOT_ALLOWED, "This order is paid where it was begun, in the shop's app.") from error
        raise


def _first(
    till: Till, channel: Channel, order: Order, wanted: Wanted, scenes: tuple[Scene, ...], now: int, ends: float
) -> Prompt:
    """The first of the scenes that the gateway serves: not every contract has every way to pay."""
    for scene in scenes:
        is_last = scene is scenes[-1]
        if till.gates.is_down(channel.name, scene, now):
            if is_last:
                raise GatewayError("It has failed just now.", permanent=False)
            continue
        try:
            with till.gates.place(ends):
                return gateways.prompt_for(till.store, till.channels, _start(till, order, wanted, scene, now))
        except NoTurn:
            raise
        except GatewayError as error:
            log.warning("%s did not take the order %s: %s", channel.name, order.token, error.message)
            if not error.permanent:
                till.gates.failed(channel.name, None, now)
                raise
            if is_last:  # refused, perhaps for this order alone; it costs no time to hear it again
                raise
            till.gates.failed(channel.name, scene, now)
    raise AssertionError("the last scene ends in one way or the other")


def _scenes(channel: Channel, wanted: Wanted) -> tuple[Scene, ...]:
    """What to ask for, the best first, of what the channel serves."""
    best = [channel.phone_scene()] if wanted.page and wanted.phone and isinstance(channel, ForPhones) else []
    return tuple(scene for scene in dict.fromkeys([*best, wanted.scene]) if scene in channel.scenes())


def _start(till: Till, order: Order, wanted: Wanted, scene: Scene, now: int) -> Start:
    return Start(
        order, scene, order.title or order.number, wanted.client_ip, wanted.openid,
        f"{till.site}/notify/{order.channel}", f"{till.site}/pay/{order.token}", now,
    )  # fmt: skip


def _unfit(till: Till, order: Order, wanted: Wanted, now: int) -> set[str]:
    """The accounts of the method to pass over: they cannot serve the scene (personal codes serve QR codes only), or
    their gateway has just failed."""
    with till.store.read() as db:
        found = [one.account for one in store.accounts.open_for(db, order.method)]
    able = {name: one for name, one in till.channels.items() if wanted.scene in one.scenes()}
    serving = {name for name in able if not till.gates.is_down(name, wanted.scene, now)}
    if wanted.scene is Scene.QR:
        serving.add(PERSONAL)
    return {account.id for account in found if account.channel not in serving}


def _elsewhere(till: Till, order: Order, tried: set[str], now: int, error: GatewayError) -> Order:
    """The order, moved to the next account of its method. Refused: GATEWAY."""
    try:
        return switching.reroute(till.store, order, till.rules, now, without=tried)
    except Refusal as refusal:
        if refusal.code not in (Code.NO_ACCOUNT, Code.PHONE_OFFLINE, Code.BUSY):
            raise
        sentence = "The payment gateway does not take orders at the moment; nothing was charged. Try again in a moment."
        raise Refusal(Code.GATEWAY, sentence, retry_after=PASSED_OVER_S) from error

"""What the page of an order shows at a moment, and when it should ask again. Pure: times in Unix seconds."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from checkout.model.orders import State

_BRISK = ((90, 2), (180, 3))  # (until this age, seconds from one poll to the next)
_STEADY_S = 5
_LISTENING_S = 15
_EAGER_FOR_S = 20


class Stage(StrEnum):
    """An order's state as its buyer meets it."""

    CHOOSE = "choose"  # the method is still open
    PENDING = "pending"
    PAID = "paid"
    EXPIRED = "expired"
    CLOSED = "closed"


class Timed(Protocol):
    """What of an order decides; `store.orders.PollState` and `Order` both have it."""

    @property
    def state(self) -> State: ...
    @property
    def method(self) -> str: ...
    @property
    def rev(self) -> int: ...
    @property
    def created_at(self) -> int: ...
    @property
    def expires_at(self) -> int: ...
    @property
    def shown_at(self) -> int | None: ...
    @property
    def closed_at(self) -> int | None: ...


class Look(Struct, frozen=True):
    """`interval`: seconds to the next poll, None at an end. `left`: seconds until the order expires."""

    stage: Stage
    listening: bool  # ended unpaid, but money that comes now still finds the order
    interval: int | None
    left: int
    view: str  # the same for two looks that show the same page
    eager: bool = False  # the buyer has paid, and the page asks more often
    claiming: bool = False  # that was of no use: the buyer is asked for what the shop needs to know

    @property
    def rev(self) -> str:
        """What a page sends back with its polls: nothing is new while it stays the same."""
        return f"{self.view}.{self.interval or 0}"


def look(order: Timed, grace: int, now: int) -> Look:
    """How `order` looks at `now`; `grace` is how long late money is listened for, in seconds."""
    stage = _stage(order, now)
    if stage in (Stage.CHOOSE, Stage.PENDING):
        return Look(stage, False, _waiting_interval(order, now), order.expires_at - now, f"{order.rev}{stage}")
    ended_at = order.closed_at if stage is Stage.CLOSED else order.expires_at
    listening = stage is not Stage.PAID and order.shown_at is not None and now < (ended_at or 0) + grace
    # The row's rev stays out of it: the worker books an expiry seconds after the page has shown it.
    view = f"{stage}-listening" if listening else str(stage)
    return Look(stage, listening, _LISTENING_S if listening else None, 0, view)


def hurried(at: Look, asked_at: int, now: int) -> Look:
    """`at`, where the buyer said at `asked_at` (0: never) that the money is on its way."""
    if not asked_at or at.stage not in (Stage.PENDING, Stage.EXPIRED, Stage.CLOSED):
        return at
    if 0 <= now - asked_at < _EAGER_FOR_S:
        return replace(at, interval=at.interval and 1, view=f"{at.view}-eager", eager=True)
    return replace(at, view=f"{at.view}-claim", claiming=True)


def unready(at: Look) -> Look:
    """`at`, while there is nothing yet to pay with: the page keeps asking, and each time a gateway may be asked."""
    return replace(at, view=f"{at.view}-unready")


def is_same_view(rev: str, at: Look) -> bool:
    """Whether a page with this `rev` shows what it should, up to how often it asks."""
    return rev.rpartition(".")[0] == at.view


def _stage(order: Timed, now: int) -> Stage:
    if order.state is State.PENDING and now >= order.expires_at:
        return Stage.EXPIRED
    if order.state is State.PENDING and not order.method:
        return Stage.CHOOSE
    return Stage(order.state)


def _waiting_interval(order: Timed, now: int) -> int:
    age = now - (order.shown_at or order.created_at)
    return next((interval for until, interval in _BRISK if age < until), _STEADY_S)

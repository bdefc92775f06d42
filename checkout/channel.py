"""What an official gateway is to the rest: started, asked, closed, refunded; and the notices that it sends.

A channel is one section of checkout.toml. It builds and judges messages; it never touches the database. What
it is told is checked in this order: signature and our own ids here, then order and amount by `checkout.gateways`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct, field

from checkout.model import Order


class Scene(StrEnum):
    """Where the buyer pays."""

    QR = "qr"
    PAGE = "page"
    H5 = "h5"
    APP = "app"
    JSAPI = "jsapi"


class PromptKind(StrEnum):
    QR = "qr"  # `text` is drawn as a QR code
    LINK = "link"  # the buyer's browser goes to `text`
    CLIENT = "client"  # `params` is what the client's SDK needs, to the letter


class Standing(StrEnum):
    """How a gateway says that an order stands."""

    PAID = "paid"
    UNPAID = "unpaid"  # also: the gateway does not know it yet
    CLOSED = "closed"


class RefundStanding(StrEnum):
    DONE = "done"
    PROCESSING = "processing"  # ask again
    REPEAT = "repeat"  # nobody knows: send the same refund again
    FAILED = "failed"


WENT_BACK = "Some or all of this money went back already: look at the gateway's merchant pages before you book it."


class Heard(StrEnum):
    """What a notice is about."""

    PAID = "paid"
    CLOSED = "closed"  # closes an unpaid order, or says that a paid one went back whole
    REFUND = "refund"
    NOTHING = "nothing"  # well signed and of no consequence (waiting, a partial refund's repeat)


class Start(Struct, frozen=True):
    """What is asked of a gateway: the order's token is its number there, `order.really_price` (fen) the amount."""

    order: Order
    scene: Scene
    title: str  # what the buyer reads; never empty
    client_ip: str
    openid: str
    notify_url: str
    return_url: str  # our page of the order
    now: int


class Prompt(Struct, frozen=True):
    kind: PromptKind
    text: str = ""
    params: Mapping[str, str] = field(default_factory=dict)


class Paid(Struct, frozen=True):
    """Evidence of a gateway that money came."""

    order_token: str
    reference: str  # the gateway's own transaction number
    amount: int  # fen
    happened_at: int


class Found(Struct, frozen=True):
    standing: Standing
    paid: Paid | None = None  # with PAID
    doubt: str = ""  # with PAID: why a person has to look before it is booked


class Raw(Struct, frozen=True):
    """A request of a gateway as it came, at most 64 KiB of body."""

    method: str
    query: bytes
    body: bytes
    headers: Mapping[str, str]  # names in lower case
    now: int


class Notice(Struct, frozen=True):
    """A notice whose signature and ids hold. `text` is kept: the message without its signature and secrets."""

    heard: Heard
    order_token: str
    text: str
    paid: Paid | None = None
    refund_number: str = ""
    refunded: int = 0  # fen that went back of the order so far, in all, where the gateway says so
    mismatch: str = ""  # why it can never be booked (another seller, another currency); "" when it can


class Reply(Struct, frozen=True):
    body: bytes
    mimetype: str = "text/plain"
    status: int = 200


class RefundAsk(Struct, frozen=True):
    order: Order
    paid: int  # fen that the order was paid with
    amount: int  # fen to give back
    number: str  # ours, the same at every try
    reason: str
    reference: str  # the gateway's transaction number of the payment
    notify_url: str
    now: int


class Refunded(Struct, frozen=True):
    standing: RefundStanding
    reason: str = ""


class GatewayError(Exception):
    """A gateway did not do what was asked. `message` is one sentence without secrets.

    `permanent`: the same request will never succeed (a refusal by the rules, a wrong key); else try again, after a
    query where money is concerned.
    """

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent


class NoticeRefused(Exception):
    """A notice that is not believed: not signed, not ours, malformed. Nothing is stored; `reply_refused` is sent."""


class Channel(Protocol):
    """One configured gateway. Every call may raise `GatewayError`; none blocks longer than its client's deadline."""

    name: str  # the section's
    method: str  # wechat | alipay

    def scenes(self) -> frozenset[Scene]: ...

    def start(self, ask: Start) -> Prompt: ...

    def query(self, order: Order, now: int) -> Found: ...

    def close(self, order: Order, now: int) -> None:
        """Returns when the gateway will not take money for the order any more; already closed or unknown is fine."""
        ...

    def refund(self, ask: RefundAsk) -> Refunded: ...

    def refund_standing(self, ask: RefundAsk) -> Refunded: ...

    def read_notice(self, raw: Raw) -> Notice:
        """Raises `NoticeRefused`."""
        ...

    def reply_accepted(self) -> Reply: ...

    def reply_refused(self) -> Reply:
        """The gateway sends the notice again."""
        ...

    def read_return(self, raw: Raw) -> str:
        """The order token of a return in the browser whose signature holds; raises `NoticeRefused`. Proves nothing."""
        ...


@runtime_checkable
class ForPhones(Protocol):
    """A channel with a way to pay for our own page when it is open on a phone, such as a link into the app."""

    def phone_scene(self) -> Scene: ...


Channels = Mapping[str, Channel]  # by the names of their sections

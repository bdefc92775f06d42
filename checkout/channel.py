"""What the rest sees of an official gateway: started, asked, closed, refunded, and the notices that it sends.

A channel is one section of checkout.toml. It builds and judges messages and never touches the database. What it is told
is checked in this order: signature and our own ids here, then order and amount in `checkout.gateways`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct, field

from checkout.model.orders import Order


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
    """How an order stands, according to its gateway."""

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
    """What a gateway is asked for: the order's token is its number there, `order.really_price` (fen) the amount."""

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
    """A gateway's evidence that money came."""

    order_token: str
    reference: str  # the gateway's own transaction number
    amount: int  # fen
    happened_at: int


class Found(Struct, frozen=True):
    standing: Standing
    paid: Paid | None = None  # with PAID
    doubt: str = ""  # with PAID: why a person has to look before it is booked


class Raw(Struct, frozen=True):
    """A gateway's request as it came, with at most 64 KiB of body."""

    method: str
    query: bytes
    body: bytes
    headers: Mapping[str, str]  # names in lower case
    now: int


class Notice(Struct, frozen=True):
    """A notice whose signature and ids are right. `text` is what is kept: the message without its signature and
    secrets."""

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
    """A gateway did not do what it was asked. `message` is one sentence without secrets.

    `permanent`: the same request will never succeed (a refusal by its rules, a wrong key); otherwise try again, where
    money is concerned only after a query.
    """

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent


class NoticeRefused(Exception):
    """A notice that is not trusted: not signed, not ours, malformed. Nothing is stored; `reply_refused` is the
    answer."""


class Channel(Protocol):
    """One configured gateway. Every call may raise `GatewayError`; none blocks longer than its client's deadline."""

    name: str  # the section's
    method: str  # wechat | alipay

    def scenes(self) -> frozenset[Scene]: ...

    def start(self, ask: Start) -> Prompt: ...

    def query(self, order: Order, now: int) -> Found: ...

    def close(self, order: Order, now: int) -> None:
        """Returns when the gateway will take no more money for the order; already closed or unknown there is fine."""
        ...

    def refund(self, ask: RefundAsk) -> Refunded: ...

    def refund_standing(self, ask: RefundAsk) -> Refunded: ...

    def read_notice(self, raw: Raw) -> Notice:
        """Raises `NoticeRefused`."""
        ...

    def reply_accepted(self) -> Reply: ...

    def reply_refused(self) -> Reply:
        """The answer upon which the gateway sends the notice again."""
        ...

    def read_return(self, raw: Raw) -> str:
        """The order token in a browser's return from the gateway. Raises `NoticeRefused` if the signature is wrong. It
        proves no payment."""
        ...


@runtime_checkable
class ForPhones(Protocol):
    """A channel that has another way to pay for a page that is open on a phone, such as a link into the app."""

    def phone_scene(self) -> Scene: ...


Channels = Mapping[str, Channel]  # by the names of their sections

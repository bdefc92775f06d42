"""What Checkout knows, as frozen records. Amounts are int fen, times int Unix seconds.

An empty string means "none" for texts that a merchant may leave out; `None` means "not yet" for times and numbers.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

from checkout.records import Discreet


class State(StrEnum):
    """Where an order stands. PAID is final; what happens after it (a refund) is a row of its own."""

    PENDING = "pending"
    PAID = "paid"
    EXPIRED = "expired"
    CLOSED = "closed"


MOVES: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.PAID, State.EXPIRED, State.CLOSED}),
    State.EXPIRED: frozenset({State.PAID}),
    State.CLOSED: frozenset({State.PAID}),
    State.PAID: frozenset(),
}


class Method(StrEnum):
    """What the buyer pays with."""

    WECHAT = "wechat"
    ALIPAY = "alipay"


class Mode(StrEnum):
    """How many weaknesses of the legacy dialects a merchant accepts (ARCHITECTURE.md: "vmq and GOGO sign orders and
    notices alike")."""

    STRICT = "strict"
    COMPAT = "compat"


class Judgement(StrEnum):
    """What became of a payment."""

    MATCHED = "matched"  # it paid its order in time
    LATE = "late"  # it paid its order after expiry or closing
    SUSPECTED = "suspected"  # looks like a repeat of a payment that is already booked
    UNMATCHED = "unmatched"  # no order, or more than one, holds this amount
    UNREADABLE = "unreadable"  # money seems to have come, the amount could not be read
    IGNORED = "ignored"  # set aside by hand
    LINKED = "linked"  # given to its order by hand


class DeliveryState(StrEnum):
    """What became of a message owed to a merchant."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    NONE = "none"  # the order and its merchant name no address to tell
    HELD = "held"  # its endpoint is paused
    DROPPED = "dropped"  # its endpoint was removed before it was delivered


class Merchant(Discreet, frozen=True):
    """A shop that asks to be paid, in whatever dialect."""

    SECRET: ClassVar = ("key", "previous_key", "rsa_platform")

    id: int  # GOGO's APPID, epay's pid and BufPay's aid
    name: str
    key: str
    previous_key: str  # still accepted until `previous_key_until`
    previous_key_until: int
    mode: Mode
    guard_param: bool  # refuse a `param` that could be cut into another price
    reuse: bool  # the same number again gives the same pending order
    notify_url: str
    return_url: str
    allow_hosts: tuple[str, ...]
    disabled_at: int | None
    created_at: int
    rsa_platform: str = ""  # PEM of our private key for this merchant; "": none
    rsa_merchant: str = ""  # PEM of the merchant's public key

    def keys(self, now: int) -> tuple[str, ...]:
        """The keys that are valid at `now`, the current one first."""
        return (self.key, self.previous_key) if self.previous_key_until > now else (self.key,)


class Account(Struct, frozen=True):
    """One receiving wallet."""

    id: str
    method: Method
    channel: str  # "personal", or a section of checkout.toml
    code: str  # what the open-amount QR code says
    offset: str  # up | down | nearest: where other amounts than the price are looked for
    max_offset: int  # fen
    offline: str  # block | warn | sell: what to do while no phone watches
    weight: int
    daily_cap: int | None  # fen a Beijing day
    disabled_at: int | None
    created_at: int


class Device(Discreet, frozen=True):
    """One phone (or script) that reports money."""

    SECRET: ClassVar = ("key", "previous_key", "token")

    id: str
    name: str
    kind: str  # vmq | smsforwarder | generic
    key: str
    previous_key: str
    previous_key_until: int
    token: str  # stands in the URL of the kinds other than vmq; as secret as the key
    beat_at: int | None
    push_at: int | None
    revoked_at: int | None
    created_at: int
    signed: bool = False  # generic only: what is not signed with the key is refused

    def keys(self, now: int) -> tuple[str, ...]:
        """The keys that are valid at `now`, the current one first."""
        return (self.key, self.previous_key) if self.previous_key_until > now else (self.key,)


class Order(Struct, frozen=True):
    """What a merchant asked to be paid."""

    token: str  # 128 random bits in hex, the only public id
    merchant: int
    dialect: str
    number: str  # the merchant's own
    attempt: int  # 1, or more when the number was asked for again after it had expired or closed
    state: State
    late: bool  # paid after expiry or closing
    method: str  # "" until the buyer has chosen
    account: str  # "" until then
    channel: str
    price: int
    really_price: int | None
    title: str
    content: str
    param: str
    buyer: str  # the merchant's label for the buyer
    price_text: str  # the price as the merchant spelt it
    notify_url: str
    return_url: str
    extra: str  # JSON object, the dialect's own
    asked: str  # digest of what was asked, to tell a retry from another order
    product: str
    quantity: int
    rev: int  # grows with every change that a page shows
    created_at: int
    expires_at: int
    shown_at: int | None  # when the QR code left the house
    paid_at: int | None
    closed_at: int | None
    client: str = ""  # keyed digest of the address that opened it, where a buyer did

    def state_at(self, now: int) -> State:
        """The state as it counts at `now`: a pending order is expired from `expires_at` on."""
        if self.state is State.PENDING and now >= self.expires_at:
            return State.EXPIRED
        return self.state


class Payment(Struct, frozen=True):
    """Evidence that money came."""

    id: str
    channel: str
    reference: str  # unique within the channel
    device: str
    method: str
    amount: int | None
    judgement: Judgement
    order_token: str
    account: str
    raw: str  # the message as it came, without its signature
    note: str
    happened_at: int  # as the phone or the gateway says
    received_at: int
    judged_at: int | None
    merchant: int = 0  # whose order it stands for; 0: nobody's


class Delivery(Discreet, frozen=True):
    """One message owed to a merchant."""

    SECRET: ClassVar = ("body",)

    id: str  # the webhook-id: the same at every try
    order_token: str
    merchant: int
    dialect: str
    event: str
    url: str
    state: DeliveryState
    attempts: int
    due_at: int  # when to try next; while a worker is at it, when its lease ends
    created_at: int
    done_at: int | None
    endpoint: str = ""  # the webhook endpoint that it goes to; "": the order's own callback
    subject: str = ""  # what else than the order it is about: a refund, a payment
    body: str = ""  # for an endpoint: the event as it was when it happened
    tried_before: int = 0  # attempts made before it was sent again: the schedule began anew after them


class Endpoint(Discreet, frozen=True):
    """Where a merchant's systems hear of events."""

    SECRET: ClassVar = ("secret", "previous_secret")

    id: str
    merchant: int
    url: str
    events: str  # separated by spaces; "": all
    description: str
    secret: str  # whsec_ and base64 of 32 bytes
    previous_secret: str  # signs beside it until `previous_secret_until`
    previous_secret_until: int
    failing_since: int | None  # since when every try has failed
    paused_at: int | None
    pause: str  # why: hand | gone (it answered 410) | failing; "": it is not paused
    created_at: int

    def wants(self, event: str) -> bool:
        return not self.events or event in self.events.split(" ")

    def secrets(self, now: int) -> tuple[str, ...]:
        """The secrets that sign at `now`, the current one first."""
        return (self.secret, self.previous_secret) if self.previous_secret_until > now else (self.secret,)


class Attempt(Struct, frozen=True):
    """One try at a delivery and what the merchant answered."""

    delivery: str
    number: int
    at: int
    status: int | None
    elapsed_ms: int
    answer: str  # at most 4 KiB
    error: str


class Alert(Struct, frozen=True):
    """Something that needs the owner, and what was told of it."""

    id: str
    condition: str  # the same while it lasts; one that is not over exists once
    kind: str
    level: int  # grows when it gets worse
    details: str  # JSON object
    raised_at: int
    told_at: int | None
    told_level: int
    cleared_at: int | None
    due_at: int | None  # when to tell next; while a process is at it, when its lease ends; None: nothing to tell
    attempts: int


class FixedCode(Struct, frozen=True):
    """A QR code that carries its amount."""

    account: str
    price: int
    code: str
    created_at: int


class AuditEntry(Struct, frozen=True):
    """A change made by hand to money, keys or settings."""

    id: str
    at: int
    actor: str
    action: str
    subject: str
    detail: str  # JSON object


class Rest(Struct, frozen=True):
    """Until when an amount is held, and until when it rests after that (`checkout.amounts`)."""

    free_at: int
    rested_at: int


class Product(Struct, frozen=True):
    """What an owner sells without a shop of its own."""

    id: str
    merchant: int
    title_zh: str
    title_en: str
    price: int
    lowest: int | None  # pay what you want: from here ...
    highest: int | None  # ... to here
    max_quantity: int
    stock: int | None  # pieces in all, paid and waiting orders count against it
    per_buyer: int | None
    origins: tuple[str, ...]  # sites that may frame the checkout and be returned to
    return_url: str
    deliver: str  # return | text | keys | file | link
    goods: str  # Markdown, a file's path or an address, by `deliver`
    low_stock: int  # tell the owner when fewer keys or pieces than this are left
    brand: str  # JSON object: name, color, logo, lang
    disabled_at: int | None
    created_at: int

    def title(self, language: str) -> str:
        """The title in a language, or in the other one when there is none."""
        first, second = (self.title_en, self.title_zh) if language.startswith("en") else (self.title_zh, self.title_en)
        return first or second


class Receipt(Struct, frozen=True):
    """What a buyer keeps: the proof of the purchase and the goods."""

    token: str  # 128 random bits in hex, not the order's
    order_token: str
    deliver: str
    goods: str  # as they were when the order was paid; keys one on a line
    short: int  # keys that were missing: the owner owes them
    created_at: int


class Claim(Struct, frozen=True):
    """A buyer's statement that an order was paid; it is shown to the owner and confirms nothing."""

    id: str
    order_token: str
    amount: int
    paid_around: str
    last_digits: str
    note: str
    created_at: int
    settled_at: int | None


class RefundState(StrEnum):
    """What became of a refund."""

    ASKED = "asked"  # on its way
    DONE = "done"
    FAILED = "failed"
    BY_HAND = "by_hand"  # the owner sent the money back without us


class Refund(Struct, frozen=True):
    """Money that goes back to a buyer, or went."""

    id: str  # towards the gateway: the same at every try
    order_token: str
    number: str  # that of whoever asks, else the id; unique within the order
    amount: int
    reason: str
    state: RefundState
    created_at: int
    done_at: int | None
    channel: str = "personal"
    attempts: int = 0  # calls of the gateway
    due_at: int | None = None  # when to call next; while a worker is at it, when its lease ends
    error: str = ""  # why it failed, or why it is not done yet
    payment: str = ""  # the payment that goes back where it settled no order; "": the one that settled this order


class ApiKey(Discreet, frozen=True):
    """What a merchant's server authenticates with to the native API."""

    SECRET: ClassVar = ("digest",)

    id: str
    merchant: int
    name: str
    digest: str  # SHA-256 of the key, in hex
    shown: str  # its beginning, to tell it from others
    scopes: str  # separated by spaces
    created_at: int
    used_at: int | None  # at most a minute old
    revoked_at: int | None


class Answered(Struct, frozen=True):
    """The answer to a request that may be sent again with the same idempotency key."""

    merchant: int
    key: str
    request: str  # SHA-256 of what was asked, in hex
    status: int
    body: str
    created_at: int


class Session(Discreet, frozen=True):
    """A browser that is signed in to the owner's pages."""

    SECRET: ClassVar = ("id",)

    id: str  # SHA-256 of its cookie
    created_at: int
    seen_at: int
    proved_at: int  # when the password was typed last
    address: str
    agent: str  # what the browser says it is

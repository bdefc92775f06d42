"""What goes in and out of the native API. Requests are checked against these models, answers are made of them, and the
OpenAPI document is their description, so none of the three can say something else than the others.

Money is fen, times are RFC 3339; a field that is not named here is refused.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from checkout.channel import Scene
from checkout.model.accounts import Method
from checkout.model.orders import State
from checkout.model.payments import Judgement
from checkout.model.refunds import RefundState
from checkout.money import MAX_FEN

# No control characters: they end lines, and some databases, where nobody expects it.
_TEXT = r"^[^\x00-\x1f\x7f-\x9f]*$"
MAX_PAGE = 100

Fen = Annotated[int, Meta(ge=0, le=MAX_FEN, description="Fen, 1/100 yuan.")]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Token = Annotated[str, Meta(pattern="^[0-9a-f]{32}$", description="32 hexadecimal digits that nobody can guess.")]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, examples=["2026-09-21T13:33:20Z"])]
Url = Annotated[
    str, Meta(max_length=2048, pattern=r"^(https?://[!-~]+)?$", description="An http or https address in ASCII.")
]
Number = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
ProductId = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]
Line = Annotated[str, Meta(max_length=127, pattern=_TEXT)]
Ref = Annotated[
    str, Meta(max_length=200, pattern=_TEXT, description="Your label for the buyer; shown on the checkout page.")
]
Reason = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f]")]
Metadata = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")],
        Annotated[str, Meta(max_length=500, pattern=_TEXT)],
    ],
    Meta(max_length=20, description="Yours: kept with the order and given back with it."),
]
Cursor = Annotated[str, Meta(max_length=200, pattern="^[A-Za-z0-9_-]+$", description="`next` of the page before.")]
Limit = Annotated[int, Meta(ge=1, le=MAX_PAGE)]


class Price(Struct, frozen=True, forbid_unknown_fields=True):
    """An amount of money to be paid or given back."""

    amount: Annotated[int, Meta(ge=1, le=MAX_FEN, description="Fen, 1/100 yuan: 990 is 9.90.")]
    currency: Literal["CNY"]


class Money(Struct, frozen=True):
    """An amount of money."""

    amount: Fen
    currency: Literal["CNY"]


class NewOrder(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be paid: a `price` of your own, or a `product` that is set up here."""

    number: Annotated[
        Number,
        Meta(description="Your own number of the order. The same one again gives the same order while it waits."),
    ]
    price: Annotated[
        Price | None, Meta(description="With a product: only where its buyer names the price, for each piece.")
    ] = None
    product: ProductId | None = None
    quantity: Annotated[Count, Meta(description="Of a product.")] = 1
    method: Annotated[
        Method | None, Meta(description="Without it the buyer chooses on the checkout page, and there is no prompt.")
    ] = None
    scene: Annotated[Scene, Meta(description="Where the buyer pays; others than qr need an official account.")] = (
        Scene.QR
    )
    client_ip: Annotated[
        str, Meta(max_length=45, pattern="^[0-9A-Fa-f.:]*$", description="The buyer's address, for the scene h5.")
    ] = ""
    openid: Annotated[str, Meta(max_length=128, pattern="^[A-Za-z0-9_-]*$", description="For the scene jsapi.")] = ""
    title: Annotated[Line, Meta(description="What the buyer reads; a product brings its own.")] = ""
    ref: Ref = ""
    notify_url: Annotated[Url, Meta(description="Where order.paid is sent, instead of the merchant's.")] = ""
    return_url: Annotated[Url, Meta(description="Where the buyer goes after payment, instead of the merchant's.")] = ""
    metadata: Metadata = {}
    expires_in: Annotated[
        Annotated[int, Meta(ge=60, le=3600)] | None, Meta(description="Seconds to pay; without it the setting.")
    ] = None


class NewRefund(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Money that is to go back to the buyer."""

    reason: Reason
    amount: Annotated[Price | None, Meta(description="Without it all that is left.")] = None
    number: Annotated[
        Annotated[str, Meta(pattern="^[!-~]{1,64}$")] | None,
        Meta(description="Your own number of the refund. The same one again gives the same refund."),
    ] = None
    by_hand: Annotated[
        bool, Meta(description="You sent the money back yourself; it is recorded. The only way for personal codes.")
    ] = False


class NewLink(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The order that a payment was meant for, and how you know."""

    order: Token
    reason: Reason


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object; the body may also be left out."""


class OrderFilter(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    state: State | None = None
    ref: Annotated[str, Meta(min_length=1, max_length=200, pattern=_TEXT)] | None = None
    number: Number | None = None
    created_from: Annotated[Time | None, Meta(description="Created then or later.")] = None
    created_to: Annotated[Time | None, Meta(description="Created before then.")] = None
    limit: Limit = 20
    cursor: Cursor | None = None


class PaymentFilter(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    judgement: Judgement | None = None
    limit: Limit = 20
    cursor: Cursor | None = None


class ProductFilter(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    limit: Limit = 20
    cursor: Cursor | None = None


class Prompt(Struct, frozen=True, kw_only=True):
    """What the buyer is to be shown."""

    kind: Annotated[
        Literal["qr", "link", "client"],
        Meta(
            description="qr: draw `text` as a QR code. link: send the buyer to `text`. client: give the SDK `params`."
        ),
    ]
    text: str
    params: dict[str, str]
    amount_typed: Annotated[
        bool, Meta(description="The buyer types `really_price` in the app: show it in large letters.")
    ]


class Order(Struct, frozen=True, kw_only=True):
    """What you asked to be paid, and how it stands."""

    order: Token
    number: str
    merchant: int
    dialect: Annotated[str, Meta(description="How it was asked for: api, embed, vmq …")]
    product: str | None
    quantity: int
    ref: str | None
    state: State
    late: Annotated[bool, Meta(description="Paid after it had expired or was closed.")]
    method: Method | None
    title: str
    param: str
    price: Annotated[Money, Meta(description="What you asked for; compare it with your own books.")]
    really_price: Annotated[Money | None, Meta(description="What the buyer sends: it may be a few fen more.")]
    refunded: Annotated[Money, Meta(description="What went back so far.")]
    created_at: Time
    expires_at: Time
    paid_at: Time | None
    closed_at: Time | None
    notify_url: str | None
    return_url: str | None
    metadata: dict[str, str]
    pay_url: Annotated[str, Meta(description="The checkout page: send the buyer there.")]
    receipt: Annotated[str | None, Meta(description="The token of the buyer's receipt, once it is paid.")]
    scene: Scene | None
    prompt: Annotated[Prompt | None, Meta(description="While the order waits and the method is known.")]


class Refund(Struct, frozen=True, kw_only=True):
    """Money that goes back to a buyer, or went."""

    refund: str
    order: Token
    number: str
    amount: Money
    reason: str
    state: RefundState
    error: Annotated[str, Meta(description="Why it failed, or is not done yet.")]
    created_at: Time
    done_at: Time | None


class Product(Struct, frozen=True, kw_only=True):
    """What is sold without a shop."""

    product: ProductId
    title_zh: str
    title_en: str
    price: Money
    lowest: Annotated[Money | None, Meta(description="The buyer names the price: from here …")]
    highest: Annotated[Money | None, Meta(description="… to here.")]
    max_quantity: int
    left: Annotated[int | None, Meta(description="Pieces that can still be sold; null: as many as you like.")]
    deliver: str
    active: Annotated[bool, Meta(description="False: no longer sold.")]
    buy_url: str
    created_at: Time


class Payment(Struct, frozen=True, kw_only=True):
    """Evidence that money came."""

    payment: str
    order: Annotated[Token | None, Meta(description="The order that it paid, or may belong to.")]
    channel: str
    method: Method | None
    amount: Annotated[Money | None, Meta(description="null: it could not be read.")]
    judgement: Judgement
    note: str
    happened_at: Time
    received_at: Time
    judged_at: Time | None


class Receipt(Struct, frozen=True, kw_only=True):
    """What anybody who holds its token may know of a receipt."""

    receipt: Token
    state: Literal["paid", "refunded"]
    refunded: Money
    product: str | None
    quantity: int
    ref: str | None
    price: Money
    paid_at: Time


class Orders(Struct, frozen=True):
    data: list[Order]
    next: Annotated[str | None, Meta(description="`cursor` of the next page; null: this was the last one.")]


class Products(Struct, frozen=True):
    data: list[Product]
    next: str | None


class Payments(Struct, frozen=True):
    data: list[Payment]
    next: str | None


class Refunds(Struct, frozen=True):
    data: list[Refund]


class Fault(Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with a request."""

    detail: str
    pointer: Annotated[str, Meta(description="JSON pointer into the body: #/price/amount.")] = ""
    parameter: Annotated[str, Meta(description="The parameter of the query.")] = ""
    header: str = ""


class Problem(Struct, frozen=True, kw_only=True):
    """RFC 9457: what went wrong, in one sentence for people and one code for programs."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(description="Never changes; decide by it, not by the sentence.")]
    errors: Annotated[list[Fault] | UnsetType, Meta(description="What exactly is wrong, where it can be told.")] = UNSET

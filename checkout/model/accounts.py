"""Where money is received: wallets, their codes and their amounts."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

PERSONAL = "personal"  # the channel of accounts without a gateway: a phone tells of their money


class Method(StrEnum):
    """What the buyer pays with."""

    WECHAT = "wechat"
    ALIPAY = "alipay"


class Account(Struct, frozen=True):
    """One receiving wallet."""

    id: str
    method: Method
    channel: str  # PERSONAL, or a section of checkout.toml
    code: str  # what the open-amount QR code says
    offset: str  # up | down | nearest: where other amounts than the price are looked for
    max_offset: int  # fen
    offline: str  # block | warn | sell: what to do while no phone watches
    weight: int
    daily_cap: int | None  # fen a Beijing day
    disabled_at: int | None
    created_at: int


class FixedCode(Struct, frozen=True):
    """A QR code that carries its amount."""

    account: str
    price: int
    code: str
    created_at: int


class Rest(Struct, frozen=True):
    """Until when an amount is held, and until when it rests after that (`checkout.amounts`)."""

    free_at: int
    rested_at: int

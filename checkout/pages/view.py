"""What the templates of an order's page are given: everything is decided here, nothing in the templates."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from msgspec import Struct, field

from checkout import accounts, qr, returns, selling, store
from checkout.channel import PromptKind
from checkout.model.accounts import PERSONAL, Method
from checkout.model.orders import Order
from checkout.pages import language
from checkout.pages.aid import Aid
from checkout.pages.stages import Look, Stage, hurried, look, unready
from checkout.prompts import Shown
from checkout.refunds import money_back
from checkout.refunds.money_back import NOTHING_BACK, Back
from checkout.web import Parts

AUTO_RETURN_S = 5
# A page that is reloaded, or come back to, long after the payment stays where it is.
_RETURN_WITHIN_S = 60
_RECEIPT_WITHIN_S = 86_400


class Client(Struct, frozen=True):
    """What the browser says it is: that decides which hints help, never what is allowed."""

    is_phone: bool = False
    in_wechat: bool = False

    @classmethod
    def of(cls, user_agent: str) -> Client:
        is_phone = any(word in user_agent for word in ("Mobile", "Android", "iPhone")) and "iPad" not in user_agent
        return cls(is_phone, in_wechat="MicroMessenger" in user_agent)


class View(Struct, frozen=True):
    """One page. Amounts are fen, times Unix seconds, addresses "" where there is none."""

    order: Order
    look: Look
    now: int
    client: Client
    is_typed: bool = False  # the buyer types the amount
    link: str = ""  # where the buyer pays instead of by a code
    trouble: str = ""  # why there is neither: gateway | elsewhere
    qr_side: int = 0  # pixels
    deep_link: str = ""
    is_unwatched: bool = False  # no phone watches the account right now
    methods: tuple[str, ...] = ()
    return_url: str = ""
    receipt: str = ""  # its token, for a day: the order's token travels in return addresses, this one does not
    has_goods: bool = False  # the receipt holds more than the proof
    return_in: int = 0  # seconds until the page leaves by itself; 0: it stays
    aid: Aid = field(default_factory=Aid)
    shop_url: str = ""  # the shop's front door
    back: Back = NOTHING_BACK  # what of the money went back

    @property
    def due(self) -> int:
        """What the buyer pays."""
        return self.order.really_price or self.order.price

    @property
    def added(self) -> int:
        """By how much that differs from the price."""
        return self.due - self.order.price

    @property
    def digits(self) -> tuple[str, int, str]:
        """(currency, yuan, two digits of fen): the last part is what tells the payment apart."""
        return language.symbol(), self.due // 100, f"{self.due % 100:02d}"


def view(
    shop: Parts, order: Order, client: Client, now: int, *, shown: Shown | None = None, trouble: str = "",
    stays: bool = False, asked_at: int = 0,
) -> View:  # fmt: skip
    """The page of `order` at `now`. `shown` is what a waiting order is paid with, `trouble` why there is nothing.
    `stays`: the buyer asked not to be taken back to the shop by itself; `asked_at`: when he said that he has paid."""
    at = hurried(look(order, shop.settings.grace, now), asked_at, now)
    if at.stage is Stage.PENDING and shown is None:
        return View(order, unready(at) if trouble else at, now, client, trouble=trouble or "gateway")
    if at.stage is Stage.PENDING and shown is not None:
        return _pending(shop, shown, at, client, now)
    if at.stage is Stage.CHOOSE:
        return View(order, at, now, client, methods=_methods(shop))
    if at.stage is Stage.PAID:
        return _paid(shop, order, at, client, now, stays=stays)
    return View(order, at, now, client, shop_url=_front_door(shop, order))


def _pending(shop: Parts, shown: Shown, at: Look, client: Client, now: int) -> View:
    order, code, is_typed = shown.order, shown.prompt.text, shown.is_typed
    if shown.prompt.kind is PromptKind.LINK:
        return View(order, at, now, client, link=code)
    with shop.store.read() as db:
        watched = [one for one in store.accounts.open_for(db, order.method) if one.account.id == order.account]
    is_unwatched = any(
        one.account.channel == PERSONAL
        and one.account.offline != "sell"
        and not accounts.is_online(one.beat_at, shop.rules.offline_after_s, now)
        for one in watched
    )
    opens = _opens_alipay(order, client) and (is_typed or order.channel != PERSONAL)
    return View(
        order, at, now, client, is_typed=is_typed, qr_side=_side(code), is_unwatched=is_unwatched,
        deep_link=_deep_link(code) if opens else "",
    )  # fmt: skip


def _paid(shop: Parts, order: Order, at: Look, client: Client, now: int, *, stays: bool) -> View:
    address = returns.address(shop.store, shop.dialects, order, now) or ""
    assert order.paid_at is not None
    with shop.store.read() as db:
        receipt = store.receipts.of_order(db, order.token) if now - order.paid_at < _RECEIPT_WITHIN_S else None
        back = money_back.of(db, order)
    # Nobody is taken away from what was bought, or from the word that the money went back.
    has_goods = receipt is not None and receipt.deliver != "return" and not back.is_whole
    if back.is_whole:
        address = _front_door(shop, order)
    leaves = address and not stays and not back.is_whole and now - order.paid_at < _RETURN_WITHIN_S
    return View(
        order, at, now, client, return_url=address, has_goods=has_goods, back=back,
        receipt=receipt.token if receipt else "",
        return_in=AUTO_RETURN_S if leaves and not has_goods else 0,
    )  # fmt: skip


def _methods(shop: Parts) -> tuple[str, ...]:
    with shop.store.read() as db:
        return tuple(map(str, selling.methods(db)))


def _side(code: str) -> int:
    """The width of the QR code's PNG, from its header: shown one to one its edges stay sharp."""
    return int.from_bytes(qr.png(code)[16:20], "big")


def _opens_alipay(order: Order, client: Client) -> bool:
    """Alipay refuses personal codes with an amount when they come by a link; WeChat does not open other apps."""
    return order.method == Method.ALIPAY and client.is_phone and not client.in_wechat


def _deep_link(code: str) -> str:
    return f"alipays://platformapi/startapp?saId=10000007&qrcode={quote(code, safe='')}"


def _front_door(shop: Parts, order: Order) -> str:
    with shop.store.read() as db:
        merchant = store.merchants.get(db, order.merchant)
    return front_door(order.return_url or (merchant.return_url if merchant else ""))


def front_door(url: str) -> str:
    """The first page of the site that `url` lies on: a return page without its parameters may well be an error."""
    place = urlsplit(url)
    return f"{place.scheme}://{place.netloc}/" if place.scheme in ("http", "https") else ""

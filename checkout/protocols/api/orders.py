"""Orders: created, looked at, listed, closed."""

from __future__ import annotations

import json
import re
from typing import cast
from urllib.parse import urlsplit

import msgspec

from checkout import opening, orders, products, prompts, store
from checkout.channel import Scene
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows
from checkout.merchants import Reach, check_url
from checkout.model.accounts import PERSONAL
from checkout.model.merchants import Mode
from checkout.model.orders import Order, State
from checkout.model.products import Product
from checkout.money import MAX_FEN, yuan
from checkout.opening import Ask
from checkout.products import Wish
from checkout.protocols.api import models, paging, shapes
from checkout.protocols.api.entry import Call
from checkout.protocols.api.models import Fault, NewOrder, OrderFilter
from checkout.protocols.api.problems import Wrong
from checkout.store.merchant_orders import Wanted
from checkout.web import client_address, is_known_host

NAME = "api"
_TOKEN = re.compile(r"[0-9a-f]{32}")
_FOR_EVER = 1 << 62


def create(call: Call) -> tuple[int, models.Order]:
    """201, or 200 with the order that was asked for before in the same words and still waits."""
    asked: NewOrder = call.body
    _check(call, asked)

    def check(db: Rows) -> None:
        if product is not None:
            products.check(db, product, wish, call.now)

    with call.store.read() as db:
        product = _product(db, call, asked.product) if asked.product is not None else None
        without = _without(db, call, asked)
    wish = Wish(asked.quantity, asked.price.amount if asked.price else None, asked.ref)
    ask = _ask(call, asked, product, wish, without)
    opened = opening.open_with_code(call.store, ask, call.shop.rules, call.now, check=check)
    with call.store.read() as db:
        return (201 if opened.is_new else 200), shapes.order(db, opened.order, call.now)


def with_prompt(call: Call, text: str) -> str:
    """The answer to `create` with what a gateway gives us to show, asked for once the order is safe. Refused: GATEWAY;
    the same request again asks the gateway again."""
    answer = msgspec.json.decode(text, type=models.Order)
    with call.shop.store.read() as db:
        order = store.orders.get(db, answer.order)
    assert order is not None
    if answer.prompt is not None or order.channel in ("", PERSONAL) or order.state_at(call.now) is not State.PENDING:
        return text
    extra = shapes.extra_of(order)
    wanted = prompts.Wanted(Scene(extra["scene"]), extra.get("client_ip") or client_address(), extra.get("openid", ""))
    shown = prompts.ready(call.shop.till, order, wanted, call.now)
    with call.shop.store.read() as db:
        return msgspec.json.encode(shapes.order(db, shown.order, call.now)).decode()


def get(call: Call, order: str) -> tuple[int, models.Order]:
    with call.store.read() as db:
        return 200, shapes.order(db, own(db, call, order), call.now)


def listed(call: Call) -> tuple[int, models.Orders]:
    wanted: OrderFilter = call.query
    since = paging.moment(wanted.created_from, "created_from")
    until = paging.moment(wanted.created_to, "created_to")
    asked = Wanted(
        call.merchant.id, state=wanted.state or "", ref=wanted.ref or "", number=wanted.number or "",
        since=since or 0, until=_FOR_EVER if until is None else until, before=paging.position(wanted.cursor),
        limit=wanted.limit + 1,
    )  # fmt: skip
    with call.store.read() as db:
        found = store.merchant_orders.listed(db, asked, call.now)
        page = found[: wanted.limit]
        more = paging.cursor(page[-1].created_at, page[-1].token) if len(found) > len(page) else None
        return 200, models.Orders([shapes.order(db, one, call.now) for one in page], more)


def close(call: Call, order: str) -> tuple[int, models.Order]:
    """An order that is closed already stays closed: asking twice is no fault."""
    with call.store.read() as db:
        found = own(db, call, order)
    if found.state is not State.CLOSED:
        found = orders.close(call.store, found.token, call.shop.rules.limits, call.now)
    with call.store.read() as db:
        return 200, shapes.order(db, found, call.now)


def own(db: Rows, call: Call, token: str) -> Order:
    """An order of the key's merchant. Refused (NOT_FOUND): another merchant's is none."""
    order = store.orders.get(db, token) if _TOKEN.fullmatch(token) else None
    if order is None or order.merchant != call.merchant.id:
        raise Refusal(Code.NOT_FOUND, "There is no such order.")
    return order


def _check(call: Call, asked: NewOrder) -> None:
    """What the model cannot say. Raises `Wrong` (400); refused: FORBIDDEN, BAD_URL."""
    if call.merchant.disabled_at is not None:
        raise Refusal(Code.FORBIDDEN, "This merchant is disabled: checkout merchant set … --enable.")
    if asked.product is None and asked.price is None:
        raise _wrong("price", "Name a price or a product.")
    if asked.product is None and asked.quantity != 1:
        raise _wrong("quantity", "A quantity is for products only.")
    if asked.scene is not Scene.QR and asked.method is None:
        raise _wrong("method", f"The scene {asked.scene} needs a method.")
    if asked.scene is Scene.JSAPI and not asked.openid:
        raise _wrong("openid", "The scene jsapi needs the buyer's openid.")
    for name, url in (("notify_url", asked.notify_url), ("return_url", asked.return_url)):
        if url:
            _check_url(call, name, url)


def _check_url(call: Call, name: str, url: str) -> None:
    """An address that may be called or followed, and in strict mode on a host of the merchant's: a stolen key must
    not send the news of payments, or the buyers, elsewhere."""
    check_url(url, name.removesuffix("_url"), Reach.of(call.shop.settings))
    if call.merchant.mode is not Mode.COMPAT and not is_known_host(url, call.merchant):
        host = urlsplit(url).hostname
        raise Refusal(
            Code.BAD_URL,
            f"{name}: the host {host} is none of this merchant's: checkout merchant set {call.merchant.id}"
            f" --allow-host {host}.",
        )


def _product(db: Rows, call: Call, product_id: str) -> Product:
    product = store.products.get(db, product_id)
    if product is None or product.merchant != call.merchant.id:
        raise Refusal(Code.NOT_FOUND, "There is no such product.")
    return product


def _without(db: Rows, call: Call, asked: NewOrder) -> frozenset[str]:
    """The accounts that cannot serve the scene; all can serve a QR code."""
    if asked.scene is Scene.QR or asked.method is None:
        return frozenset()
    serving = {name for name, channel in call.shop.channels.items() if asked.scene in channel.scenes()}
    found = store.accounts.open_for(db, asked.method)
    unfit = frozenset(one.account.id for one in found if one.account.channel not in serving)
    if len(unfit) == len(found):
        raise Refusal(Code.NOT_ALLOWED, f"No {asked.method} account serves the scene {asked.scene}.")
    return unfit


def _ask(call: Call, asked: NewOrder, product: Product | None, wish: Wish, without: frozenset[str]) -> Ask:
    price = products.price_of(product, wish) if product else cast(models.Price, asked.price).amount
    if price > MAX_FEN:
        raise Refusal(Code.BAD_AMOUNT, f"At most {yuan(MAX_FEN)} yuan can be paid at once.")
    title = _title(product, asked.quantity) if product else asked.title
    extra = {"scene": asked.scene, "metadata": asked.metadata}
    extra |= {"openid": asked.openid} if asked.openid else {}
    extra |= {"client_ip": asked.client_ip} if asked.client_ip else {}
    kept = json.dumps(extra, ensure_ascii=False, sort_keys=True)
    return Ask(
        merchant=call.merchant, dialect=NAME, number=asked.number, price=price, price_text=yuan(price),
        method=asked.method or "", title=title, buyer=asked.ref, notify_url=asked.notify_url,
        return_url=asked.return_url or (product.return_url if product else ""), extra=kept,
        product=product.id if product else "", quantity=asked.quantity, ttl=asked.expires_in,
        shown=asked.method is not None, detail=json.dumps([title, kept, asked.expires_in]), without=without,
    )  # fmt: skip


def _title(product: Product, quantity: int) -> str:
    title = product.title("")
    return title if quantity == 1 else f"{title} × {quantity}"


def _wrong(name: str, detail: str) -> Wrong:
    return Wrong(400, f"{name}: {detail}", errors=[Fault(detail, pointer=f"#/{name}")])

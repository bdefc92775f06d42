"""`/receipt/<token>`: what a buyer keeps. Proof of the purchase, and the goods.

Files and links are reached by addresses that expire after ten minutes, so passing one on is of little use; the receipt
itself, whose token nobody can guess, always has fresh ones. There is no other way to the goods, and none at all once
all of the money went back.
"""

from __future__ import annotations

import re
from io import FileIO
from pathlib import Path

from flask import Blueprint, Response, json, redirect, request, send_file
from werkzeug.wsgi import wrap_file

from checkout import catalogue, grants, store
from checkout.errors import Code, Refusal
from checkout.model.orders import Order
from checkout.model.products import Product, Receipt
from checkout.outbox import events
from checkout.pages import answers, frames, goods, language, links
from checkout.protocols.api import problems
from checkout.refunds import money_back
from checkout.settings import secret_for
from checkout.web import parts

GRANT_S = 600
_TOKEN = re.compile(r"[0-9a-f]{32}")
_ANYONE = {"Access-Control-Allow-Origin": "*"}


def routes() -> Blueprint:
    blueprint = Blueprint("receipt", __name__)
    blueprint.add_url_rule("/receipt/<token>", "page", page)
    blueprint.add_url_rule("/receipt/<token>/file", "file", file)
    blueprint.add_url_rule("/receipt/<token>/link", "link", link)
    blueprint.add_url_rule("/api/v1/receipts/<token>", "api", api)
    return blueprint


def page(token: str) -> Response:
    """The receipt, for ever; it prints well."""
    receipt, order, product = _found(token)
    style = catalogue.brand(product) if product else {}
    language.prefer(style.get("lang", ""))
    frame = frames.of_order(order, product)
    answer = answers.page(
        "receipt.html", receipt=receipt, order=order, back=_back(order), frame=frame, title=_title(order, product),
        look=style, keys=receipt.goods.splitlines(),
        text=goods.html(receipt.goods) if receipt.deliver == "text" else "", goods_url=_goods_url(receipt),
        file_name=Path(receipt.goods).name,
    )  # fmt: skip
    return frames.allowed(answer, frame)


def file(token: str) -> Response:
    """The file that was bought, as a download."""
    receipt = _granted(token, "file")
    path = Path(receipt.goods)
    if not path.is_file():
        raise Refusal(Code.NOT_FOUND, "The file is missing on our side; please ask the shop, your receipt stays valid.")
    answer = send_file(path, as_attachment=True, download_name=path.name, conditional=True, etag=False)
    if answer.content_range.start is not None:
        _send_part(answer, path)
    answer.headers["Cache-Control"] = "private, no-store"
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    return answer


def _send_part(answer: Response, path: Path) -> None:
    """As a file, which the server sends on without a thread, and not as pieces that a thread hands out."""
    answer.close()
    part = _Part(path, answer.content_range.start or 0, answer.content_length or 0)
    answer.response = wrap_file(request.environ, part)


class _Part(FileIO):
    """A file from `start` on, which ends after `length` bytes."""

    def __init__(self, path: Path, start: int, length: int) -> None:
        super().__init__(path)
        self.seek(start)
        self._left = length

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(self._left if size is None or size < 0 else min(size, self._left)) or b""
        self._left -= len(found)
        return found


def link(token: str) -> Response:
    """Redirects to the address that was bought."""
    answer = redirect(_granted(token, "link").goods, 302)
    assert isinstance(answer, Response)
    return answer


def api(token: str) -> Response:
    """What a page, on any site, may know of a receipt: what was paid for, not the goods."""
    try:
        receipt, order, _ = _found(token)
    except Refusal as refusal:
        answer = problems.of_refusal(refusal)
        answer.headers.update(_ANYONE)
        return answer
    assert order.paid_at is not None
    back = _back(order)
    shown = {
        "receipt": receipt.token, "state": "refunded" if back.is_whole else order.state.value,
        "refunded": events.money(back.back), "product": order.product or None,
        "quantity": order.quantity, "ref": order.buyer or None, "price": events.money(order.price),
        "paid_at": events.rfc3339(order.paid_at),
    }  # fmt: skip
    return Response(json.dumps(shown, ensure_ascii=False), 200, _ANYONE, mimetype="application/json")


def _found(token: str) -> tuple[Receipt, Order, Product | None]:
    with parts().store.read() as db:
        receipt = store.receipts.get(db, token) if _TOKEN.fullmatch(token) else None
        order = store.orders.get(db, receipt.order_token) if receipt else None
    if receipt is None or order is None:
        raise Refusal(Code.NOT_FOUND, "There is no such receipt.")
    return receipt, order, frames.product_of(order)


def _granted(token: str, deliver: str) -> Receipt:
    receipt, order, _ = _found(token)
    given = request.args.get("grant", "")
    if receipt.deliver != deliver or not grants.is_granted(given, _secret(), deliver, token, parts().clock()):
        raise Refusal(Code.FORBIDDEN, "This link has ended: open your receipt again for a fresh one.")
    if _back(order).is_whole:
        raise Refusal(Code.FORBIDDEN, "This purchase was refunded, so there is nothing to hand over any more.")
    return receipt


def _back(order: Order) -> money_back.Back:
    with parts().store.read() as db:
        return money_back.of(db, order)


def _goods_url(receipt: Receipt) -> str:
    if receipt.deliver not in ("file", "link"):
        return ""
    grant = grants.grant(_secret(), receipt.deliver, receipt.token, parts().clock() + GRANT_S)
    return links.path("receipt", receipt.token, receipt.deliver, grant=grant)


def _title(order: Order, product: Product | None) -> str:
    """The title that the order had: products may change."""
    return order.title or (product.title(language.current()) if product else "")


def _secret() -> str:
    return secret_for(parts().settings)

"""checkout product qr: the static code of a product at an official account that has such codes."""

from __future__ import annotations

from pathlib import Path

import click

from checkout import channels, products, qr
from checkout.channels.static_codes import SellsByCode
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, show
from checkout.errors import Code, Refusal


@click.command("qr")
@click.argument("name", metavar="ID")
@click.option("--channel", required=True, metavar="C", help="A section of checkout.toml of kind wechat or wechat_2014.")
@click.option("--png", type=click.Path(path_type=Path), metavar="FILE", help="Write a picture to print.")
@as_json
@click.pass_obj
def product_qr(desk: Desk, name: str, channel: str, png: Path | None, as_json: bool) -> None:
    """Print a product's QR code for native mode 1: it stays the same, and each scan opens an order.

    The callback address to enter at WeChat is /notify/<channel>/product below your base URL.
    """
    with desk.store.read() as db:
        found = products.get(db, name)
    text = _text(desk, found.id, channel)
    if png is not None:
        png.write_bytes(qr.png(text))
    callback = f"{desk.settings.base_url}/notify/{channel}/product"
    data = {"product": found.id, "channel": channel, "text": text, "callback": callback}
    show(data, as_json, lambda: f"{qr.terminal(text)}\n{text}\n\nCallback address to enter at WeChat: {callback}")


def _text(desk: Desk, product: str, name: str) -> str:
    seller: object = channels.make_channels(desk.settings).get(name)
    if not isinstance(seller, SellsByCode):
        raise Refusal(Code.BAD_REQUEST, f"{name} is no section of checkout.toml of kind wechat or wechat_2014.")
    try:
        return seller.product_code(product, desk.clock())
    except ValueError as error:
        raise Refusal(Code.BAD_REQUEST, f"{error}.") from error

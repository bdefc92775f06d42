"""checkout demo: see it work in a minute."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from checkout.cli.output import details
from checkout.places import OWNERS

if TYPE_CHECKING:
    from checkout.demo.stage import Stage


@click.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Of the server.")
@click.option("--shop-port", type=click.IntRange(1, 65535), help="Of the demo shop; the next one by default.")
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Where its database lies (./data/demo).")
@click.option("--official", is_flag=True, help="Official accounts, at simulated gateways of Alipay and WeChat Pay.")
def demo(port: int, shop_port: int | None, data: Path | None, official: bool) -> None:
    """Start the server with a demo shop and a simulated phone on this machine; no money moves."""
    from checkout import demo as demos

    def tell(stage: Stage) -> None:
        then = "Pay at the gateway" if official else "Simulate the phone"
        pairs = [
            ("商店 Shop", f"{stage.shop_url}/   ← open this, press Buy, then {then}"),
            ("收银台 Checkout", f"{stage.base_url}/"),
            ("手机 Phone", f"{stage.base_url}/demo/phone"),
            ("管理 Admin", _admin_url(stage)),
            ("数据 Database", stage.database),
        ]
        click.echo(
            f"\nThe demo runs; no money moves. 演示已启动，不会产生真实付款。\n\n{details(pairs)}\n\nCtrl+C ends it."
        )

    folder = demos.folder_for(data, official=official)
    sys.exit(demos.run(port, shop_port or port % 65535 + 1, folder, tell, official=official))


def _admin_url(stage: Stage) -> str:
    """Where the owner's pages begin: the link of the first visit until a password was chosen."""
    from checkout import ids, owner
    from checkout.store import open_store

    with closing(open_store(stage.database)) as store:
        link = owner.first_link(store, ids.now())
    place = f"{stage.base_url}{OWNERS}"
    return f"{place}/first?link={link}   ← choose a password" if link else place

"""What pictures of pages are taken with: a shop to look at, a browser of any size, and pictures side by side."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.site import Site, served, with_cdn
from tests.pages.shop import beat

SHOP = "小书店"
GAP, GROUND = 16, "#8a9099"


@contextmanager
def shop() -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), shop_name=SHOP) as site:
        beat(site.world)
        yield site


def opened(browser: Browser, width: int, height: int, theme: str, agent: str | None) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height}, user_agent=agent, is_mobile=bool(agent), reduced_motion="reduce",
        color_scheme="dark" if theme == "dark" else "light",
    )  # fmt: skip
    with_cdn(context)
    return context.new_page()


def shot(page: Page, *, full: bool = False) -> Image.Image:
    page.wait_for_load_state()
    page.wait_for_timeout(150)  # fonts
    return Image.open(io.BytesIO(page.screenshot(full_page=full))).convert("RGB")


def narrowed(picture: Image.Image, width: int) -> Image.Image:
    return picture.resize((width, round(picture.height * width / picture.width)))


def beside(pictures: list[Image.Image], ground: str = GROUND) -> Image.Image:
    width = sum(one.width for one in pictures) + GAP * (len(pictures) + 1)
    made = Image.new("RGB", (width, max(one.height for one in pictures) + 2 * GAP), ground)
    left = GAP
    for one in pictures:
        made.paste(one, (left, GAP))
        left += one.width + GAP
    return made

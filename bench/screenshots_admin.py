"""Pictures of the owner's pages: a month of a small shop, on a desktop and a phone, by day and by night."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from PIL import Image
from playwright.sync_api import Browser

from bench.camera import beside, narrowed, opened, shop, shot
from checkout import owner, sales, tallies
from checkout.merchants import Reach
from checkout.model.orders import Order
from checkout.money import yuan
from checkout.outbox import endpoints
from tests.admin.desk import PASSWORD
from tests.browser.host import sell
from tests.browser.site import ANDROID, Site
from tests.world import answer

TITLES = ("电子书《把事情做对》", "会员月卡", "白茶 50 克", "手工皂（薰衣草）", "Buy me a coffee")
PRICES = (12_800, 1990, 4550, 2800, 500)
# (width, height, language, theme)
SCREENS = ((1280, 860, "zh-CN", "light"), (1280, 860, "en", "dark"), (375, 812, "zh-CN", "dark"))
PLACES = {
    "overview": "", "orders": "orders", "order": "orders/{token}", "payments": "payments", "review": "review",
    "accounts": "accounts", "account": "accounts/wx-main", "devices": "devices", "device": "devices/{device}",
    "merchant": "merchants/1001", "products": "products", "product": "products/ebook",
    "embed": "products/ebook/embed", "callbacks": "callbacks", "webhooks": "webhooks", "statistics": "statistics",
    "settings": "settings", "audit": "audit",
}  # fmt: skip
LONG = {"statistics": 1900}  # pixels of height that show the plots


def month(site: Site) -> Order:
    """Sales of thirty days, money that fits nothing, a callback in trouble; gives the order it is about."""
    world, dice = site.world, random.Random(5)
    now = world.clock()
    for day in range(30, -1, -1):
        for number in range(dice.randint(2, 6)):
            world.clock.now = now - day * 86_400 - 40_000 + number * 5_000
            at = dice.randrange(len(TITLES))
            method = dice.choice(("wechat", "wechat", "alipay"))
            order = site.order(f"{20_260_900 + day}{number:03d}", PRICES[at], method, title=TITLES[at], shown=True)
            tallies.watch_amounts(world.store, world.clock())
            world.clock.go(int(dice.lognormvariate(3.6, 0.6)))
            if dice.random() < 0.8:
                assert order.really_price is not None
                world.push(yuan(order.really_price), kind={"wechat": "1", "alipay": "2"}[method])
    world.work()
    with world.store.transaction() as db:  # the phone was there all the time, but for a nap
        db.run("DELETE FROM silences")
        db.run("INSERT INTO silences (device, since, until) VALUES ('phone', :at, :at)", at=now - 40 * 86_400)
    for minute in range(24 * 60, -1, -2):
        world.clock.now = now - minute * 60
        if not 500 < minute < 560:
            world.beat()
    told = world.create("S-1042", "19.90")["data"]
    site.order("S-1043", 4550, "alipay", title=TITLES[2], shown=True)
    site.order("S-1044", 1990, "wechat", title=TITLES[1], shown=True)
    world.clock.go(25)
    world.outside.reply = lambda request: answer(502, b"Bad gateway")
    world.push(told["reallyPrice"])
    world.work()
    world.push("19.00")
    sell(site, title_zh=TITLES[0], title_en="Get things right", price=12_800, stock=40)
    sell(site, product="tea", title_zh=TITLES[2], title_en="White tea, 50 g", price=4550)
    wish = endpoints.Wish(url="https://shop.example/hooks", events=("order.paid", "order.refunded"))
    endpoints.add(world.store, 1001, wish, Reach(True), actor="owner", new_id=world.parts.new_id, now=world.clock())
    for sum_up in (sales.sum_up, tallies.sum_up):
        sum_up(world.store, world.clock())
    return world.order(told["orderId"])


def picture(place: str, browser: Browser) -> Image.Image:
    with shop() as site:
        token = month(site).token
        world = site.world
        owner.set_password(world.store, PASSWORD, actor="owner", new_id=world.parts.new_id, now=world.clock())
        found = []
        for width, height, lang, theme in SCREENS:
            page = opened(browser, width, LONG.get(place, height), theme, ANDROID if width < 500 else None)
            page.goto(f"{site.url}/admin/sign-in?lang={lang}")
            page.locator("[name=password]").fill(PASSWORD)
            page.locator("main button").click()
            page.goto(f"{site.url}/admin/{place.format(token=token, device='phone')}?lang={lang}")
            found.append(narrowed(shot(page), 860 if width > 500 else 375))
            page.context.close()
        return beside(found)


EXTRAS: dict[str, Callable[[Browser], Image.Image]] = {
    f"admin-{name}": partial(picture, place) for name, place in PLACES.items()
}

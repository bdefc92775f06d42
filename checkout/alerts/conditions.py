"""What needs the owner, as it is now: read from the database and remembered nowhere here.

Each condition has a key that stays the same while it lasts, and a level that grows when it gets worse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from checkout import devices, products, store
from checkout.alerts import troubles
from checkout.interfaces import Rows

MANY_TRIES = 4  # in vain, over two and a half minutes
FAILED_FOR_S = 30 * 86_400
LATE_FOR_S = 86_400
GATEWAY_AFTER_S = 120
_DISK_FACTOR = 4

Details = Mapping[str, str | int]


class Condition(Struct, frozen=True):
    key: str
    kind: str
    level: int = 1
    details: Details = field(default_factory=dict)


class Limits(Struct, frozen=True):
    """The settings that conditions depend on."""

    offline_after_s: int = 180
    min_free_disk: int = 0


def current(db: Rows, limits: Limits, free_bytes: int | None, now: int) -> Iterator[Condition]:
    """All conditions except the stock's, which take longer to count."""
    yield from _phones(db, limits, now)
    yield from _callbacks(db, now)
    yield from _endpoints(db, now)
    yield from _money(db, now)
    yield from _disk(limits, free_bytes)
    yield from _troubles(db, now)


def stock(db: Rows, now: int) -> Iterator[Condition]:
    """Products with fewer keys or pieces left than their limit; level 2: none at all."""
    for product in store.products.all_of(db):
        left = products.pieces_left(db, product, now) if product.disabled_at is None else None
        if left is not None and left < product.low_stock:
            details: Details = {"product": product.id, "title": product.title("zh"), "left": max(left, 0)}
            yield Condition(f"stock:{product.id}", "stock", 1 if left > 0 else 2, details)


def is_well(db: Rows, key: str, limits: Limits, now: int) -> bool:
    """Whether a condition that is gone ended well; otherwise what it was about is gone, and there is no good news to
    tell."""
    kind, _, subject = key.partition(":")
    if kind == "phone":
        device = store.devices.get(db, subject)
        return device is not None and devices.state(device, limits.offline_after_s, now) == "online"
    if kind == "stock":
        product = store.products.get(db, subject)
        return product is not None and product.disabled_at is None
    if kind in ("webhook", "event"):
        endpoint = store.endpoints.get(db, subject)
        return endpoint is not None and (kind == "webhook" or endpoint.paused_at is None)
    return True


def _phones(db: Rows, limits: Limits, now: int) -> Iterator[Condition]:
    for device in store.devices.all_of(db):
        if devices.state(device, limits.offline_after_s, now) == "offline":
            yield Condition(f"phone:{device.id}", "phone", 1, {"name": device.name, "since": device.beat_at or 0})


def _callbacks(db: Rows, now: int) -> Iterator[Condition]:
    for merchant_id, waiting, failed, last in store.alerts.refused_callbacks(db, MANY_TRIES, now - FAILED_FOR_S):
        merchant = store.merchants.get(db, merchant_id)
        name = merchant.name if merchant else str(merchant_id)
        details: Details = {"merchant": merchant_id, "name": name, "waiting": waiting, "failed": failed}
        yield Condition(f"callback:{merchant_id}", "callback", _given_up(failed, last), details)


def _endpoints(db: Rows, now: int) -> Iterator[Condition]:
    """Endpoints that were paused because they failed, and those in use that do not accept their events."""
    refused = {one: numbers for one, *numbers in store.alerts.refused_events(db, MANY_TRIES, now - FAILED_FOR_S)}
    for one in store.endpoints.all_of(db):
        about = one.description or one.url.partition("?")[0]
        if one.pause in ("gone", "failing"):
            yield Condition(f"webhook:{one.id}", "webhook", 1, {"id": one.id, "about": about, "pause": one.pause})
        if one.id in refused:
            waiting, failed, last = refused[one.id]
            details: Details = {"id": one.id, "about": about, "waiting": waiting, "failed": failed}
            yield Condition(f"event:{one.id}", "event", _given_up(failed, last), details)


def _given_up(failed: int, last: int) -> int:
    """The level for messages that are refused: each one that is given up makes it worse."""
    return max(2, last) if failed else 1


def _money(db: Rows, now: int) -> Iterator[Condition]:
    waiting, newest = store.alerts.to_review(db)
    if waiting:
        yield Condition("review", "review", newest, {"count": waiting})
    late, newest = store.alerts.late_money(db, now - LATE_FOR_S)
    if late:
        yield Condition("late", "late", newest, {"count": late})


def _disk(limits: Limits, free_bytes: int | None) -> Iterator[Condition]:
    if free_bytes is not None and free_bytes < _DISK_FACTOR * limits.min_free_disk:
        details = {"free": free_bytes // 2**20, "least": limits.min_free_disk // 2**20}
        yield Condition("disk", "disk", 2 if free_bytes < limits.min_free_disk else 1, details)


def _troubles(db: Rows, now: int) -> Iterator[Condition]:
    for name, (since, said) in store.alerts.troubles(db).items():
        channel = troubles.channel_of(name)
        if name == troubles.BACKUP:
            yield Condition(name, "backup", 1, {"said": said})
        elif name == troubles.DATABASE:
            yield Condition(name, "damage", 1, {"said": said})
        elif channel and now - since >= GATEWAY_AFTER_S:
            yield Condition(name, "gateway", 1, {"channel": channel, "said": said})

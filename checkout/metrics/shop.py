"""The figures: counted when they are asked for, so every process and every restart says the same."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

from checkout import __version__, store
from checkout.accounts import is_online
from checkout.beijing import DAY_S, midnight
from checkout.interfaces import Rows
from checkout.web import Parts

_WEEK_S = 7 * DAY_S


def text_of(shop: Parts) -> bytes:
    """All figures in Prometheus's text format 0.0.4."""
    registry = CollectorRegistry()
    registry.register(_Shop(shop))
    return generate_latest(registry)


class _Shop:
    """What prometheus_client asks for its figures."""

    def __init__(self, shop: Parts) -> None:
        self._shop, self._now = shop, shop.clock()

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("checkout", "The running program.", value={"version": __version__})
        with self._shop.store.read() as db:
            yield from self._orders(db)
            yield from self._messages(db)
            yield from self._phones(db)
        room = self._shop.store.free_bytes()
        if room is not None:
            yield GaugeMetricFamily("checkout_disk_free_bytes", "Free beside the database.", value=room)

    def _orders(self, db: Rows) -> Iterable[Metric]:
        pending = _gauge("checkout_orders_pending", "Orders that wait for payment.", "account")
        for name, waiting in sorted(store.gauges.pending(db).items()):
            pending.add_metric([name], waiting)
        orders = _gauge("checkout_orders_paid_today", "Orders paid since midnight in Beijing.", "account")
        fen = _gauge("checkout_fen_paid_today", "What came in since midnight in Beijing, in fen.", "account")
        for account in store.accounts.all_of(db):
            number, amount = store.gauges.paid_since(db, account.id, midnight(self._now))
            orders.add_metric([account.id], number)
            fen.add_metric([account.id], amount)
        review = GaugeMetricFamily("checkout_payments_to_review", "Payments that wait for a person.",
                                   value=store.overview.to_review(db))  # fmt: skip
        return pending, orders, fen, review

    def _messages(self, db: Rows) -> Iterable[Metric]:
        waiting, oldest = store.gauges.outbox(db)
        age = max(0, self._now - oldest) if oldest is not None else 0
        failed = store.overview.failed_deliveries(db, self._now - _WEEK_S)
        yield GaugeMetricFamily("checkout_deliveries_waiting", "Callbacks not acknowledged yet.", value=waiting)
        yield GaugeMetricFamily("checkout_delivery_oldest_seconds", "Age of the oldest of them.", value=age)
        yield GaugeMetricFamily("checkout_deliveries_failed_week", "Given up in the last seven days.", value=failed)

    def _phones(self, db: Rows) -> Iterable[Metric]:
        silent = _gauge("checkout_phone_silent_seconds", "Since the last sign of life.", "phone")
        online = _gauge("checkout_phone_online", "1: online.", "phone")
        for device in store.devices.all_of(db):
            if device.revoked_at is not None:
                continue
            heard = device.beat_at if device.beat_at is not None else device.created_at
            silent.add_metric([device.id], max(0, self._now - heard))
            offline_after_s = self._shop.settings.device_offline_after
            online.add_metric([device.id], int(is_online(device.beat_at, offline_after_s, self._now)))
        return silent, online


def _gauge(name: str, text: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=[label])

"""What the worker does once a minute, beside what is due: sums, backups, alerts, and forgetting what is old."""

from __future__ import annotations

from checkout import backup, idempotency, rested, sales, sharing, tallies
from checkout.alerts.telling import Watch
from checkout.inspection import Inspection
from checkout.interfaces import Chore, Store
from checkout.outbox import tries
from checkout.settings import Settings
from checkout.strangers import Strangers

_SWEPT_A_MINUTE = 20_000  # rows


def of(settings: Settings, db_store: Store, strangers: Strangers) -> list[Chore]:
    """In the order in which they are done."""

    def forget_answers(now: int) -> None:
        idempotency.sweep(db_store, now, _SWEPT_A_MINUTE)

    def forget_buckets(now: int) -> None:
        sharing.sweep(db_store, now)

    def write_strangers(now: int) -> None:
        strangers.write(db_store)

    def sum_up_days(now: int) -> None:
        tallies.watch_amounts(db_store, now)
        sales.sum_up(db_store, now)
        tallies.sum_up(db_store, now)

    chores: list[Chore] = [Inspection(db_store).look, forget_answers, write_strangers]
    chores += [rested.chore(db_store), sum_up_days]
    if settings.is_postgres:
        chores.append(forget_buckets)
    if settings.keep_attempts_days:
        chores.append(tries.chore(db_store, settings.keep_attempts_days))
    if plan := backup.plan_of(settings):
        chores.append(backup.chore(db_store, plan))
    return [*chores, Watch(db_store, settings).look]

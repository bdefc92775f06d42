"""Telling the owner: each condition once, once more when it is over, and never during the quiet hours.

What was told is kept in the database, so a restart repeats nothing, and of two processes only one tells it. Messages
are sent outside transactions, in a thread that nothing else waits for.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import ClassVar

from msgspec import field

from checkout import ids, preferences, store
from checkout.alerts import conditions, messenger, texts
from checkout.alerts.conditions import Condition
from checkout.alerts.messenger import Handed, HandOver
from checkout.beijing import BEIJING
from checkout.errors import StoreError
from checkout.interfaces import NewId, Rows, Store
from checkout.model.owner import Alert
from checkout.places import OWNERS
from checkout.records import Discreet
from checkout.settings import Settings

log = logging.getLogger(__name__)

STOCK_EVERY_S = 300
AGAIN_AFTER_S = 1800  # the same condition is told at most so often, however often it comes and goes
RETRY_AFTER_S = (60, 300, 1800, 3600)  # the last one again and again
LEASE_S = 90
KEPT_S = 90 * 86_400


class Plan(Discreet, frozen=True):
    """Where alerts go, in which language, and when they are held back."""

    SECRET: ClassVar = ("urls",)

    urls: tuple[str, ...] = ()
    quiet: tuple[int, int] | None = None  # minutes of the day, from and until
    zone: tzinfo = BEIJING
    language: str = "zh-CN"
    shop: str = "Checkout"
    page: str = ""  # where the owner looks
    limits: conditions.Limits = field(default_factory=conditions.Limits)

    @classmethod
    def of(cls, settings: Settings) -> Plan:
        return cls(
            settings.alerts, settings.quiet_minutes, settings.alerts_tzinfo, settings.language, settings.shop_name,
            settings.base_url + OWNERS,
            conditions.Limits(settings.device_offline_after, settings.min_free_disk),
        )  # fmt: skip

    def is_quiet(self, now: int) -> bool:
        if self.quiet is None:
            return False
        begin, end = self.quiet
        local = datetime.fromtimestamp(now, UTC).astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        return begin <= minute < end if begin <= end else minute >= begin or minute < end


class Watch:
    """Looks for what needs the owner, and tells it. `look` is a chore of the worker, perhaps of several processes at
    once."""

    def __init__(
        self, db_store: Store, settings: Settings, *, hand_over: HandOver = messenger.hand_over,
        new_id: NewId = ids.new_id,
    ) -> None:  # fmt: skip
        self._store, self._settings, self._hand_over, self._new_id = db_store, settings, hand_over, new_id
        self._stock: list[Condition] = []
        self._stock_at: int | None = None
        self._refusing: frozenset[str] = frozenset()

    def look(self, now: int) -> None:
        """Notes what has begun and what has ended, then tells what is due."""
        try:
            with self._store.read() as db:
                plan = Plan.of(preferences.with_edits(self._settings, store.preferences.all_of(db)))
            self._note(plan, now)
            if plan.urls and not plan.is_quiet(now):
                self._tell(plan, now)
        except StoreError as error:
            log.warning("Alerts wait for the database: %s", error)

    def _note(self, plan: Plan, now: int) -> None:
        """Brings the rows of alerts in line with what is wrong now."""
        free = self._store.free_bytes()
        with self._store.read() as db:
            if self._stock_at is None or not 0 <= now - self._stock_at < STOCK_EVERY_S:
                self._stock, self._stock_at = list(conditions.stock(db, now)), now
            found = [*conditions.current(db, plan.limits, free, now), *self._stock]
            known = store.alerts.open_ones(db)
        if _differ(found, known):
            with self._store.transaction() as db:
                self._reconcile(db, found, plan.limits, now)

    def _tell(self, plan: Plan, now: int) -> None:
        """Sends what is due as one message. A failure is logged once and tried again after a while."""
        with self._store.read() as db:
            due = store.alerts.due(db, now)
        if not due:
            return
        with self._store.transaction() as db:
            claimed = [mine for one in due if (mine := store.alerts.claim(db, one, now + LEASE_S))]
        if claimed:
            handed = self._hand_over(plan.urls, *_message(plan, claimed))
            self._complain(handed)
            with self._store.transaction() as db:
                for one in claimed:
                    _book(db, one, any(each.taken for each in handed), now)

    def _reconcile(self, db: Rows, found: Iterable[Condition], limits: conditions.Limits, now: int) -> None:
        known = {alert.condition: alert for alert in store.alerts.open_ones(db)}
        for condition in found:
            before = known.pop(condition.key, None)
            if before is None:
                store.alerts.raised(db, self._alert(db, condition, now))
            elif (before.level, before.details) != (condition.level, _text(condition)):
                store.alerts.changed(
                    db, before.id, level=condition.level, details=_text(condition),
                    due_at=_due_when_changed(before, condition.level, now),
                )  # fmt: skip
        for gone in known.values():
            _over(db, gone, limits, now)
        store.alerts.prune(db, now - KEPT_S)

    def _alert(self, db: Rows, condition: Condition, now: int) -> Alert:
        last = store.alerts.last_told_at(db, condition.key)
        due_at = now if last is None else max(now, last + AGAIN_AFTER_S)
        return _fresh(self._new_id("alt"), condition, now, due_at)

    def _complain(self, handed: list[Handed]) -> None:
        """Logs a service once, until it has taken a message again."""
        refusing = frozenset(one.service for one in handed if not one.taken)
        for one in handed:
            if one.service in refusing - self._refusing:
                log.warning("An alert was not taken by %s: %s", one.service, one.why)
        self._refusing = refusing


def wrong_now(db: Rows, plan: Plan, free_bytes: int | None, now: int) -> list[str]:
    """What needs the owner at this moment, one sentence each, whether it was told or not."""
    found = [*conditions.current(db, plan.limits, free_bytes, now), *conditions.stock(db, now)]
    return [texts.sentence(_fresh("", one, now, None), plan.language, plan.zone) for one in found]


def try_out(plan: Plan, hand_over: HandOver = messenger.hand_over) -> list[Handed]:
    """Sends a test to each service; returns what became of each, in order."""
    headline, sentence = texts.test(plan.language)
    return hand_over(plan.urls, f"{plan.shop}: {headline}", sentence)


def _fresh(alert_id: str, condition: Condition, now: int, due_at: int | None) -> Alert:
    return Alert(
        id=alert_id, condition=condition.key, kind=condition.kind, level=condition.level, details=_text(condition),
        raised_at=now, told_at=None, told_level=0, cleared_at=None, due_at=due_at, attempts=0,
    )  # fmt: skip


def _message(plan: Plan, alerts: list[Alert]) -> tuple[str, str]:
    """Headline and text."""
    lines = [texts.sentence(one, plan.language, plan.zone) for one in alerts]
    headline = texts.title(alerts, plan.language)
    return f"{plan.shop}: {headline}", "\n\n".join([*lines, plan.page])


def _differ(found: list[Condition], known: list[Alert]) -> bool:
    return {(one.key, one.level, _text(one)) for one in found} != {
        (one.condition, one.level, one.details) for one in known
    }


def _text(condition: Condition) -> str:
    return json.dumps(dict(condition.details), ensure_ascii=False, sort_keys=True)


def _due_when_changed(before: Alert, level: int, now: int) -> int | None:
    """An alert that was told is told again only when it has got worse, and not straight away."""
    if before.told_at is None or before.due_at is not None:
        return before.due_at
    return max(now, before.told_at + AGAIN_AFTER_S) if level > before.told_level else None


def _over(db: Rows, alert: Alert, limits: conditions.Limits, now: int) -> None:
    """Ends an alert, with a message unless it was never told, its phone was revoked or its product withdrawn."""
    if alert.told_at is None and alert.attempts == 0:
        store.alerts.forget(db, alert.id)
        return
    is_told = texts.says_when_over(alert.kind) and conditions.is_well(db, alert.condition, limits, now)
    store.alerts.cleared(db, alert.id, now, now if is_told else None)


def _book(db: Rows, claimed: Alert, taken: bool, now: int) -> None:
    if taken:
        store.alerts.told(db, claimed, now)
    else:
        store.alerts.postpone(db, claimed, now + RETRY_AFTER_S[min(claimed.attempts, len(RETRY_AFTER_S)) - 1])

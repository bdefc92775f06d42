"""What `checkout top` shows: one look at the database, and the same as lines for a terminal of any width."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from checkout import devices, preferences, sales, store
from checkout.alerts import telling
from checkout.alerts.telling import Plan
from checkout.cli.output import plain, width
from checkout.interfaces import Rows
from checkout.model.devices import Device
from checkout.model.orders import Order, State
from checkout.money import yuan
from checkout.settings import Settings

_ORDERS = 200
_WORDS = {
    "today": "today {count} paid, CN¥{sum}",
    "phones": "Phones",
    "queue": "Queue",
    "alerts": "Alerts",
    "orders": "Orders",
    "online": "online",
    "offline": "offline",
    "never": "never heard of",
    "no phones": "none: checkout device add",
    "no orders": "No orders yet.",
    "nothing": "nothing is wrong",
    "waiting": "{count} to send",
    "trying": "{count} being retried",
    "next": "next in {wait}",
    "review": "{count} to review",
    "claims": "{count} messages of buyers",
    "pending": "waiting",
    "paid": "paid",
    "late": "paid late",
    "expired": "expired",
    "closed": "closed",
    "wechat": "WeChat",
    "alipay": "Alipay",
    "quit": "q quits",
}
_GREEN, _YELLOW, _RED, _DIM, _BOLD, _PLAIN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m", "\x1b[1m", "\x1b[0m"
_COLORS = {"paid": _GREEN, "late": _YELLOW, "pending": _BOLD, "expired": _DIM, "closed": _DIM}


class Glance(Struct, frozen=True):
    """How things stand at `now`."""

    now: int
    shop: str
    plan: Plan
    phones: tuple[tuple[Device, str], ...]  # with their state
    waiting: int
    struggling: int
    next_try_at: int | None
    review: int
    claims: int
    alerts: tuple[str, ...]
    paid_today: tuple[int, int]  # orders, fen
    orders: tuple[Order, ...]  # the newest first


def look(db: Rows, settings: Settings, free_bytes: int | None, now: int, orders: int = _ORDERS) -> Glance:
    """As the database says at this moment; no server needs to run."""
    settings = preferences.with_edits(settings, store.preferences.all_of(db))
    plan = replace(Plan.of(settings), language="en")  # as all of the command line
    working = [one for one in store.devices.all_of(db) if one.revoked_at is None]
    today = sales.by_day(db, 1, now)[-1]
    said = telling.wrong_now(db, plan, free_bytes, now)
    return Glance(
        now, settings.shop_name, plan,
        tuple((one, devices.state(one, settings.device_offline_after, now)) for one in working),
        store.gauges.outbox(db)[0], store.overview.struggling_deliveries(db, 1), store.deliveries.next_due_at(db),
        store.overview.to_review(db), store.overview.claims_waiting(db), tuple(said),
        (today.orders, today.amount), tuple(store.orders.listed(db, store.orders.Filter(limit=orders))),
    )  # fmt: skip


def lines(seen: Glance, columns: int, rows: int, *, colors: bool, hint: bool = False) -> list[str]:
    """At most `rows` lines of at most `columns` cells each."""
    page = _Page(seen, columns, colors)
    head = [*page.head(hint), *page.phones(), *page.queue(), *page.alerts()]
    found = [*head, "", *page.orders(max(0, rows - len(head) - 1))]
    return found[:rows]


class _Page:
    def __init__(self, seen: Glance, columns: int, colors: bool) -> None:
        self._seen, self._columns, self._colors = seen, max(columns, 10), colors

    def head(self, hint: bool) -> list[str]:
        seen = self._seen
        at = datetime.fromtimestamp(seen.now, UTC).astimezone(seen.plan.zone).strftime("%H:%M:%S")
        count, amount = seen.paid_today
        parts = [seen.shop, at, self._word("today", count=count, sum=yuan(amount)), self._word("quit")]
        told = " · ".join(parts[: 4 if hint else 3])
        while width(told) > self._columns and " · " in told:
            told = told.partition(" · ")[2]
        return [self._color(_BOLD, self._fit(told, self._columns).rstrip())]

    def phones(self) -> list[str]:
        found = [self._phone(one, state) for one, state in self._seen.phones]
        return self._section("phones", found or [(self._word("no phones"), _YELLOW)])

    def queue(self) -> list[str]:
        seen = self._seen
        found = [(self._word("waiting", count=seen.waiting), "")]
        if seen.struggling:
            found.append((self._word("trying", count=seen.struggling), _YELLOW))
        if seen.next_try_at is not None and seen.next_try_at > seen.now:
            found.append((self._word("next", wait=self._for(seen.next_try_at - seen.now)), ""))
        if seen.review:
            found.append((self._word("review", count=seen.review), _YELLOW))
        if seen.claims:
            found.append((self._word("claims", count=seen.claims), _YELLOW))
        return self._section("queue", found)

    def alerts(self) -> list[str]:
        found = [(text, _RED) for text in self._seen.alerts[:3]]
        return self._section("alerts", found or [(self._word("nothing"), _GREEN)], each_on_a_line=True)

    def orders(self, room: int) -> list[str]:
        if not self._seen.orders:
            return [self._word("no orders")][:room]
        return [self._order(one) for one in self._seen.orders[:room]]

    def _phone(self, one: Device, state: str) -> tuple[str, str]:
        since = f" {self._for(self._seen.now - one.beat_at)}" if one.beat_at is not None else ""
        return f"{plain(one.name)} {self._word(state)}{since}", _GREEN if state == "online" else _YELLOW

    def _order(self, one: Order) -> str:
        """Time, state and amount always; method, number and account as far as there is room."""
        seen = self._seen
        state = one.state_at(seen.now)
        name = "late" if state is State.PAID and one.late else state.value
        left = f" {self._clock(one.expires_at - seen.now)}" if state is State.PENDING else ""
        at = datetime.fromtimestamp(one.created_at, UTC).astimezone(seen.plan.zone).strftime("%H:%M:%S")
        amount = yuan(one.really_price if one.really_price is not None else one.price)
        told = self._color(_COLORS[name], self._fit(self._word(name) + left, 14))
        text, used = f"{at}  {told}  {amount:>9}", 35
        method = self._word(one.method) if one.method else ""
        for value, cells in ((method, 6), (one.number, 20), (one.account, 12), (one.title, 24)):
            if used + 2 + cells > self._columns:
                break
            text, used = f"{text}  {self._fit(value, cells)}", used + 2 + cells
        return text.rstrip() if used <= self._columns else self._fit(f"{at} {self._word(name)} {amount}", self._columns)

    def _section(
        self, name: str, found: Sequence[tuple[str, str]], *, each_on_a_line: bool = False
    ) -> list[str]:  # fmt: skip
        """A heading and its parts, broken into lines where they do not fit."""
        indent = max(width(self._word(one)) for one in ("phones", "queue", "alerts")) + 2
        made, line, used = [], self._fit(self._word(name), indent), indent
        for text, color in found:
            text = self._fit(text, min(width(plain(text)), self._columns - indent))
            if used > indent and (each_on_a_line or used + 3 + width(text) > self._columns):
                made.append(line)
                line, used = " " * indent, indent
            joint = " · " if used > indent else ""
            line, used = line + joint + self._color(color, text), used + len(joint) + width(text)
        return [*made, line.rstrip()]

    def _word(self, name: str, **values: object) -> str:
        return _WORDS[name].format(**values)

    def _for(self, seconds: int) -> str:
        """A span of time in its largest unit."""
        for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
            if seconds >= 2 * size or unit == "s":
                return f"{max(seconds, 0) // size} {unit}"
        return ""

    def _clock(self, seconds: int) -> str:
        minutes, rest = divmod(max(seconds, 0), 60)
        return f"{minutes}:{rest:02d}"

    def _fit(self, text: str, cells: int) -> str:
        """Cut or filled to exactly so many cells; what a terminal would obey is taken out."""
        text = plain(text)
        if width(text) > cells:
            while text and width(text) > cells - 1:
                text = text[:-1]
            text += "…" if cells > 0 else ""
        return text + " " * (cells - width(text))

    def _color(self, color: str, text: str) -> str:
        return f"{color}{text}{_PLAIN}" if self._colors and color else text

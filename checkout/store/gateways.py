"""What official gateways gave us to show, and which orders they should be asked about."""

from __future__ import annotations

import json
from collections.abc import Mapping

from msgspec import Struct

from checkout.channel import Prompt, PromptKind
from checkout.interfaces import Rows

NEVER = 1 << 60  # when a watch is due that was given up


class StoredPrompt(Struct, frozen=True):
    channel: str
    scene: str
    kind: str
    text: str
    params: Mapping[str, str]

    def prompt(self) -> Prompt:
        return Prompt(PromptKind(self.kind), self.text, self.params)


class Watch(Struct, frozen=True):
    """An order that its gateway is asked about at `due_at`; `closing`: it has ended here and must be closed there."""

    order_token: str
    channel: str
    due_at: int
    ask: int
    closing: bool


def begin(db: Rows, token: str, channel: str, scene: str, now: int) -> None:
    """Notes that the gateway is about to be asked: whatever becomes of the answer, it may know the order."""
    db.run(
        "INSERT INTO prompts (order_token, channel, scene, kind, text, params, created_at)"
        " VALUES (:token, :channel, :scene, 'client', '', '{}', :now)"
        " ON CONFLICT (order_token, channel, scene) DO NOTHING",
        token=token, channel=channel, scene=scene, now=now,
    )  # fmt: skip


def add_prompt(db: Rows, token: str, prompt: StoredPrompt, now: int) -> None:
    """The first one stays: two requests may have asked the gateway at once."""
    db.run(
        "INSERT INTO prompts (order_token, channel, scene, kind, text, params, created_at)"
        " VALUES (:token, :channel, :scene, :kind, :text, :params, :now)"
        " ON CONFLICT (order_token, channel, scene) DO UPDATE"
        " SET kind = excluded.kind, text = excluded.text, params = excluded.params"
        " WHERE prompts.text = '' AND prompts.params = '{}'",
        token=token, channel=prompt.channel, scene=prompt.scene, kind=prompt.kind, text=prompt.text,
        params=json.dumps(dict(prompt.params), ensure_ascii=False), now=now,
    )  # fmt: skip


def prompt(db: Rows, token: str, channel: str, scene: str) -> StoredPrompt | None:
    return next((one for one in prompts(db, token, channel) if one.scene == scene), None)


def prompts(db: Rows, token: str, channel: str) -> list[StoredPrompt]:
    """What the gateway gave for the order, the first one first."""
    rows = db.all(
        "SELECT channel, scene, kind, text, params FROM prompts WHERE order_token = :token AND channel = :channel"
        " AND (text <> '' OR params <> '{}') ORDER BY created_at, scene",
        token=token, channel=channel,
    )  # fmt: skip
    return [StoredPrompt(row[0], row[1], row[2], row[3], json.loads(row[4])) for row in rows]


def places(db: Rows, token: str) -> list[str]:
    """The channels that may know the order, the first one first."""
    rows = db.all(
        "SELECT channel FROM prompts WHERE order_token = :token GROUP BY channel ORDER BY min(created_at), channel",
        token=token,
    )  # fmt: skip
    return [row[0] for row in rows]


def drawn_for(db: Rows, text: str) -> bool:
    """Whether a gateway gave us this text to draw."""
    return db.one("SELECT 1 FROM prompts WHERE kind = 'qr' AND text = :text LIMIT 1", text=text) is not None


def watch(db: Rows, token: str, channel: str, due_at: int) -> None:
    """Ask the gateway about the order from `due_at` on; a watch that is there already is only brought forward."""
    db.run(
        "INSERT INTO gateway_watch (order_token, channel, due_at) VALUES (:token, :channel, :due_at)"
        " ON CONFLICT (order_token) DO UPDATE SET channel = excluded.channel,"
        " due_at = CASE WHEN gateway_watch.due_at < excluded.due_at THEN gateway_watch.due_at ELSE excluded.due_at END",
        token=token, channel=channel, due_at=due_at,
    )  # fmt: skip


def watch_of(db: Rows, token: str) -> Watch | None:
    row = db.one(
        "SELECT order_token, channel, due_at, ask, closing FROM gateway_watch WHERE order_token = :token", token=token
    )
    return Watch(row[0], row[1], row[2], row[3], bool(row[4])) if row else None


def bring_forward(db: Rows, one: Watch, due_at: int) -> None:
    """Nothing where somebody was first: another page, or a worker that asks just now."""
    db.run(
        "UPDATE gateway_watch SET due_at = :soon WHERE order_token = :token AND due_at = :due_at AND ask = :ask",
        token=one.order_token, due_at=one.due_at, ask=one.ask, soon=due_at,
    )  # fmt: skip


def given_up(db: Rows, limit: int) -> list[Watch]:
    """Orders that their gateway could not be asked about to the end; somebody has to look there."""
    return due_between(db, NEVER, NEVER, limit)


def due(db: Rows, now: int, limit: int) -> list[Watch]:
    return due_between(db, 0, now, limit)


def due_between(db: Rows, since: int, until: int, limit: int) -> list[Watch]:
    rows = db.all(
        "SELECT order_token, channel, due_at, ask, closing FROM gateway_watch"
        " WHERE due_at BETWEEN :since AND :until ORDER BY due_at LIMIT :limit",
        since=since, until=until, limit=limit,
    )  # fmt: skip
    return [Watch(row[0], row[1], row[2], row[3], bool(row[4])) for row in rows]


def claim(db: Rows, one: Watch, lease_until: int) -> bool:
    """Takes a watch for one question; False: another worker has it."""
    changed = db.run(
        "UPDATE gateway_watch SET due_at = :lease, ask = ask + 1"
        " WHERE order_token = :token AND due_at = :due_at AND ask = :ask",
        token=one.order_token, due_at=one.due_at, ask=one.ask, lease=lease_until,
    )  # fmt: skip
    return changed > 0


def postpone(db: Rows, token: str, due_at: int, *, closing: bool) -> None:
    db.run(
        "UPDATE gateway_watch SET due_at = :due_at, closing = :closing WHERE order_token = :token",
        token=token, due_at=due_at, closing=int(closing),
    )  # fmt: skip


def end(db: Rows, token: str, now: int) -> None:
    """The order has ended early: its gateway is to close it at once."""
    db.run(
        "UPDATE gateway_watch SET due_at = :now WHERE order_token = :token AND due_at > :now AND due_at < :never",
        token=token, now=now, never=NEVER,
    )  # fmt: skip


def forget(db: Rows, token: str) -> None:
    db.run("DELETE FROM gateway_watch WHERE order_token = :token", token=token)

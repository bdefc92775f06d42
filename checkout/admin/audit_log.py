"""The audit log: who did by hand what changes money, keys or settings."""

from __future__ import annotations

import json

from flask import Blueprint, Response
from msgspec import Struct

from checkout import store
from checkout.admin import layout, lists
from checkout.admin.nav import Page
from checkout.model.owner import AuditEntry
from checkout.pages.language import N_
from checkout.web import parts

PAGE = Page("audit", N_("Audit log"), "M6 3h9l4 4v14H6zM9 12h7M9 16h7M9 8h3", 100)


class Line(Struct, frozen=True):
    entry: AuditEntry
    details: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, entry: AuditEntry) -> Line:
        found = json.loads(entry.detail)
        return cls(entry, tuple((name, str(value)) for name, value in found.items() if value not in (None, "")))


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/audit", "audit", view)


def view() -> Response:
    asked = lists.asked("noun", "subject")
    with parts().store.read() as db:
        found = store.audit.listed(
            db, noun=asked["noun"], subject=asked["subject"], before=lists.before(), limit=lists.PAGE + 1
        )
        nouns = store.audit.nouns(db)
    shown = [Line.of(entry) for entry in found[: lists.PAGE]]
    last = (shown[-1].entry.at, shown[-1].entry.id) if len(found) > lists.PAGE else None
    return layout.page("admin/audit.html", PAGE, lines=shown, nouns=nouns, asked=asked, pager=lists.pager(last))

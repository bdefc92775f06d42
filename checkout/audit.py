"""Notes in the audit log: everything done by hand that changes money, keys or settings."""

from __future__ import annotations

import json
from collections.abc import Mapping

from checkout import store
from checkout.interfaces import NewId, Rows, Value
from checkout.model.owner import AuditEntry


def note(db: Rows, actor: str, action: str, subject: str, detail: Mapping[str, Value], new_id: NewId, now: int) -> None:
    """Adds one line, in the transaction of the change itself. `detail` must hold no secret."""
    text = json.dumps(dict(detail), ensure_ascii=False)
    store.audit.add(db, AuditEntry(new_id("aud"), now, actor, action, subject, text))

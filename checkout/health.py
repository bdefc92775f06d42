"""GET /healthz: 200 only while the database answers, is writable, and is not known to be damaged."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from checkout.errors import Damaged, StoreError
from checkout.web import parts

_ROOM = 1024 * 1024  # bytes; below it the next payment might not fit


def blueprint() -> Blueprint:
    health = Blueprint("health", __name__)
    health.add_url_rule("/healthz", view_func=healthz)
    return health


def healthz() -> Response:
    """`{"status": "ok"}`, or 503 with the reason in one sentence."""
    try:
        parts().store.expect_writes()
        parts().store.expect_sound()
    except Damaged:
        return _unwell("The database is damaged.")
    except StoreError as error:
        return _unwell(str(error))
    room = parts().store.free_bytes()
    if room is not None and room < _ROOM:
        return _unwell("The disk is full; make room.")
    return jsonify(status="ok")


def _unwell(reason: str) -> Response:
    answer = jsonify(status="unavailable", reason=reason)
    answer.status_code = 503
    return answer

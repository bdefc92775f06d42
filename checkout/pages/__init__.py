"""What people see."""

from __future__ import annotations

from flask import Blueprint, Response


def blueprints() -> list[Blueprint]:
    return []


def problem(status: int, message: str) -> Response:
    """A plain page, or JSON for programs, that says what went wrong."""
    return Response(message, status, mimetype="text/plain")

"""The strip on every page refreshes itself: its fragment for htmx."""

from __future__ import annotations

from flask import Blueprint, Response

from checkout.admin import layout
from checkout.admin.strip import strip


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/status", "status", view)


def view() -> Response:
    return layout.fragment("admin/_status.html", strip=strip())

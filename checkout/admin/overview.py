"""The first page: how business goes."""

from __future__ import annotations

from flask import Blueprint, Response

from checkout.admin import layout
from checkout.admin.nav import Page
from checkout.pages.language import N_

PAGE = Page("overview", N_("Overview"), "M4 13h6V4H4zm10 7h6V11h-6zM4 20h6v-4H4zM14 4v4h6V4z", 10, on_bar=True)


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("", "overview", view)
    blueprint.add_url_rule("/", "overview_slash", view)


def view() -> Response:
    return layout.page("admin/overview.html", PAGE)

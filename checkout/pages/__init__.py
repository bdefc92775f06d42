"""What buyers see: the checkout page, the front page, and error pages."""

from __future__ import annotations

from flask import Blueprint, Flask
from flask.sansio.blueprints import BlueprintSetupState

from checkout import qr
from checkout.pages import assets, buy, gate, language, pay, receipt, site
from checkout.pages.problems import BUSY, problem

__all__ = ["BUSY", "blueprints", "furnish", "prepare", "problem"]


def blueprints() -> list[Blueprint]:
    front = site.routes()
    front.record_once(_install)
    return [buy.routes(), pay.routes(), receipt.routes(), front]  # the front last: it finds the others' views


def furnish(app: Flask) -> None:
    """Gives the templates of `app` their language and their files."""
    language.install(app)
    assets.install(app)


def prepare(app: Flask) -> None:
    """Loads now what the first pages would load: templates, texts, the drawing of QR codes. What is forked afterwards
    shares it."""
    for name in app.jinja_env.list_templates(filter_func=lambda name: "/" not in name):
        app.jinja_env.get_template(name)
    language.load()
    qr.png("")


def _install(state: BlueprintSetupState) -> None:
    assert isinstance(state.app, Flask)
    furnish(state.app)
    gate.guard(state.app)

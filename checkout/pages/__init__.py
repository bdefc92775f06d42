"""What buyers see: the checkout page, the front page, and error pages."""

from __future__ import annotations

from flask import Blueprint, Flask
from flask.sansio.blueprints import BlueprintSetupState

from checkout.pages import assets, buy, gate, language, pay, receipt, site
from checkout.pages.problems import BUSY, problem

__all__ = ["BUSY", "blueprints", "furnish", "problem"]


def blueprints() -> list[Blueprint]:
    front = site.routes()
    front.record_once(_install)
    return [buy.routes(), pay.routes(), receipt.routes(), front]  # the front last: it finds the others' views


def furnish(app: Flask) -> None:
    """Gives the templates of `app` their language and their files."""
    language.install(app)
    assets.install(app)


def _install(state: BlueprintSetupState) -> None:
    assert isinstance(state.app, Flask)
    furnish(state.app)
    gate.guard(state.app)

"""What people see: the checkout page, the front door, and what went wrong."""

from __future__ import annotations

from flask import Blueprint, Flask
from flask.sansio.blueprints import BlueprintSetupState

from checkout.pages import assets, buy, gate, language, pay, receipt, site
from checkout.pages.problems import problem

__all__ = ["blueprints", "problem"]


def blueprints() -> list[Blueprint]:
    front = site.routes()
    front.record_once(_install)
    return [buy.routes(), pay.routes(), receipt.routes(), front]  # the front last: it finds the others' views


def _install(state: BlueprintSetupState) -> None:
    assert isinstance(state.app, Flask)
    language.install(state.app)
    assets.install(state.app)
    gate.guard(state.app)

"""checkout device test and checkout device rules: how notifications are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from checkout.cli.desk import Desk
from checkout.cli.output import as_json, show, table, warn
from checkout.cli.section import Section
from checkout.money import yuan
from checkout.monitors import owner_rules, reading
from checkout.monitors.owner_rules import InForce


@click.command()
@click.argument("title")
@click.argument("text")
@click.option("--package", default="", metavar="P", help="The app's package, such as com.tencent.mm.")
@as_json
@click.pass_obj
def test(desk: Desk, title: str, text: str, package: str, as_json: bool) -> None:
    """Say what a notification with TITLE and TEXT would be read as, and why; nothing is booked."""
    in_force = _in_force(desk)
    found = reading.read(package, title, text, in_force.rules)
    lines = reading.explain(package, title, text, in_force.rules)
    data = {
        "verdict": found.verdict.value, "method": found.method, "rule": found.rule, "why": found.why,
        "amount": None if found.amount is None else yuan(found.amount), "explained": lines,
    }  # fmt: skip
    show(data, as_json, lambda: "\n".join(lines))


@click.group(cls=Section)
def rules() -> None:
    """The rules by which notifications are read."""


@rules.command("show")
@as_json
@click.pass_obj
def show_(desk: Desk, as_json: bool) -> None:
    """List the rules that count, those of your own among them."""
    in_force = _in_force(desk)
    path = desk.settings.data_dir / owner_rules.NAME
    data = {
        "version": in_force.rules.version, "own": in_force.own.version if in_force.own else None, "file": str(path),
        "problem": in_force.problem or None, "apps": _apps(in_force), "rules": _rules(in_force),
    }  # fmt: skip
    show(data, as_json, lambda: _told(data))


@rules.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@click.pass_obj
def add(desk: Desk, file: Path, as_json: bool) -> None:
    """Put the rules in FILE (TOML) beside the shipped ones, in the place of your own before; they count at once."""
    own = owner_rules.add(desk.store, desk.settings.data_dir, file.absolute(), **desk.by)
    data = {"version": own.version, "apps": len(own.apps), "rules": len(own.rules)}
    show(data, as_json, lambda: f"Version {own.version} of your rules counts: {len(own.rules)} rules.")


@rules.command()
@as_json
@click.pass_obj
def remove(desk: Desk, as_json: bool) -> None:
    """Remove your own rules; the shipped ones stay."""
    owner_rules.remove(desk.store, desk.settings.data_dir, **desk.by)
    show({"removed": True}, as_json, lambda: "Only the shipped rules count from now on.")


def _in_force(desk: Desk) -> InForce:
    in_force = owner_rules.in_force(desk.settings.data_dir)
    if in_force.problem:
        warn(in_force.problem)
    return in_force


def _apps(in_force: InForce) -> list[dict[str, Any]]:
    return [
        {"id": app.id, "method": app.method, "packages": list(app.packages), "titles": list(app.titles)}
        for app in in_force.rules.apps
    ]


def _rules(in_force: InForce) -> list[dict[str, Any]]:
    own = {rule.id for rule in in_force.own.rules} if in_force.own else set()
    return [
        {"id": rule.id, "app": rule.app, "verdict": rule.verdict.value, "own": rule.id in own}
        for rule in in_force.rules.rules
    ]


def _told(data: dict[str, Any]) -> str:
    rows = [
        (rule["id"], rule["app"], rule["verdict"], "your own" if rule["own"] else "shipped") for rule in data["rules"]
    ]
    listed = table(("RULE", "APP", "VERDICT", "FROM"), rows, "")
    own = f"version {data['own']}" if data["own"] else "none"
    return f"Version {data['version']}. Your own: {own} ({data['file']}).\n\n{listed}"

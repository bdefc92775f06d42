"""checkout admin: the owner's password for the pages under /admin."""

from __future__ import annotations

import sys

import click

from checkout import owner as rules
from checkout import sessions
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, next_steps, show
from checkout.cli.section import Section
from checkout.errors import Code, Refusal
from checkout.places import OWNERS


@click.group(cls=Section)
def admin() -> None:
    """The owner's pages under /admin."""


@admin.command()
@as_json
@click.pass_obj
def password(desk: Desk, as_json: bool) -> None:
    """Set the password; every browser that is signed in has to sign in again.

    It is asked for twice, or read from the standard input when that is not a terminal.
    """
    chosen = _asked() if sys.stdin.isatty() else _piped()
    ended = rules.set_password(desk.store, chosen, **desk.by).ended
    data = {"set": True, "sessions_ended": ended}
    show(data, as_json, lambda: f"The password is set; browsers signed out: {ended}.")
    next_steps(as_json, f"sign in at {desk.settings.base_url}{OWNERS}")


@admin.command("sign-out")
@as_json
@click.pass_obj
def sign_out(desk: Desk, as_json: bool) -> None:
    """Sign out every browser, for a phone that was lost."""
    ended = sessions.end_all(desk.store, **desk.by)
    show({"sessions_ended": ended}, as_json, lambda: f"Browsers signed out: {ended}.")


def _asked() -> str:
    typed: str = click.prompt("The new password", hide_input=True, err=True)
    again: str = click.prompt("The same again", hide_input=True, err=True)
    rules.check_new(typed, again)
    return typed


def _piped() -> str:
    typed = sys.stdin.readline().rstrip("\r\n")
    if not typed:
        raise Refusal(Code.BAD_REQUEST, "There is no password on the standard input.")
    rules.check_new(typed, typed)
    return typed

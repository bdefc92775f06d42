"""checkout serve, worker and migrate: what runs, and what it runs on."""

from __future__ import annotations

import logging
import signal
import sys
from typing import TYPE_CHECKING

import click

from checkout import __version__
from checkout.cli.desk import Desk
from checkout.cli.output import as_json, show
from checkout.errors import Refusal, StoreError
from checkout.places import OWNERS
from checkout.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from flask import Flask

    from checkout.web import Parts
    from checkout.worker import Worker

_STOPPING = {signal.SIGINT, signal.SIGTERM}
_HEARD = {*_STOPPING, signal.SIGHUP}


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 for all addresses.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.pass_obj
def serve(desk: Desk, host: str, port: int) -> None:
    """Run the server, with the worker loop in it; Ctrl+C or SIGTERM ends it gracefully, SIGHUP reads checkout.toml
    again."""
    from checkout.server import crews, supervisor

    if crews.line is None:  # called by another program
        sys.exit(supervisor.run(lambda: _serve(desk, host, port)))
    _serve(desk, host, port)


def _serve(desk: Desk, host: str, port: int) -> None:
    from checkout.server import serve as server

    def make(settings: Settings) -> Flask:
        from checkout.app import create_app

        return create_app(settings, work=False)

    def ready() -> None:
        click.echo(f"Checkout {__version__} listens on {host}:{port} for {desk.settings.base_url} (Ctrl+C ends it).")

    server.run(lambda: desk.settings, make, host, port, ready=ready, greet=lambda app: _invite(app, desk))


def _invite(app: Flask, desk: Desk) -> None:
    """Prints the link of the first visit while nobody can sign in."""
    from checkout import owner

    link = owner.first_link(app.extensions["checkout"].store, desk.clock())
    if link:
        click.echo(
            f"No password is set yet. Set it within the hour: {desk.settings.base_url}{OWNERS}/first?link={link}"
        )


@click.command()
@click.pass_obj
def worker(desk: Desk) -> None:
    """Run the worker loop alone: callbacks and expiry, beside a server or instead of its own; SIGHUP reads
    checkout.toml again."""
    from checkout.app import wire
    from checkout.server.serve import set_up_logs

    set_up_logs(desk.settings)
    parts, loop = wire(desk.settings)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)  # its threads must not take the signal
    loop.start()
    click.echo("The worker runs (Ctrl+C ends it).")
    while signal.sigwait(_HEARD) == signal.SIGHUP:
        parts, loop = _anew(desk, parts, loop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)  # a second one ends it at once
    loop.stop()
    parts.store.close()


def _anew(desk: Desk, parts: Parts, loop: Worker) -> tuple[Parts, Worker]:
    """The worker by the settings as they are now; the one before where they cannot be used."""
    from checkout.app import wire
    from checkout.server.serve import set_up_logs

    log = logging.getLogger(__name__)
    try:
        settings = load(desk.environ, desk.cwd)
        found = wire(settings)
        set_up_logs(settings)
    except (SettingsError, Refusal, StoreError, ValueError, OSError) as error:
        log.error("The settings were not taken over, those from before stay in force: %s", error)
        return parts, loop
    loop.stop()
    parts.store.close()
    found[1].start()
    log.warning("The settings were read again.")
    return found


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what is missing.")
@as_json
@click.pass_obj
def migrate(desk: Desk, dry_run: bool, as_json: bool) -> None:
    """Bring the database up to date; every other command does so too. On PostgreSQL all servers must be stopped if its
    tables change."""
    from checkout import store

    where, missing = desk.settings.place, store.missing(desk.settings.database)
    if dry_run:
        show({"database": where, "missing": missing}, as_json, lambda: _is_missing(where, missing))
        return
    if missing:
        store.expect_alone(desk.settings.database)
    with desk.store.read():
        pass
    show({"database": where, "migrated": True}, as_json, lambda: f"The database is up to date: {where}")


def _is_missing(where: str, missing: list[str]) -> str:
    return "\n".join((f"{where} needs:", *missing)) if missing else f"The database is up to date: {where}"

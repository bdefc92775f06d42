"""Wires the parts once and makes the WSGI application of them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, Response

from checkout import (
    __version__,
    access,
    channels,
    chores,
    failures,
    health,
    ids,
    live,
    metrics,
    pages,
    protocols,
    sharing,
)
from checkout.channels import routes as channel_routes
from checkout.front import Later, is_below
from checkout.hosts import Hosts, reports_of
from checkout.http.client import Client
from checkout.interfaces import Clock, NewId, Send, Store
from checkout.monitors import generic, smsforwarder, vmq_app
from checkout.pages.polls import Polls
from checkout.places import OWNERS
from checkout.plain import PlainRequests
from checkout.protocols import creates
from checkout.rates import Pace
from checkout.resources import resource_dir
from checkout.settings import Settings, load
from checkout.store import open_store
from checkout.strangers import Strangers
from checkout.web import MAX_BODY, Front, Parts, rules_of
from checkout.worker import Worker

_SAFE_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock = ids.now,
    new_id: NewId = ids.new_id,
    send: Send | None = None,
    work: bool = True,
) -> Flask:
    """The application, ready to serve.

    With `work`, this process is a server: it takes the database for itself (`StoreError` when it is damaged or another
    server has it) and runs the worker loop in a thread.
    """
    settings = settings or load(os.environ, Path.cwd())
    parts, worker = wire(settings, clock=clock, new_id=new_id, send=send)
    app = _bare({"checkout": parts, "checkout.worker": worker}, settings)
    live.install(app, settings)
    _register(app)
    app.wsgi_app = PlainRequests(app, (*creates.PLAIN, vmq_app.PLAIN), _SAFE_HEADERS)  # type: ignore[method-assign]
    app.wsgi_app = Polls(app, _SAFE_HEADERS)  # type: ignore[method-assign]
    app.wsgi_app = Later(app.wsgi_app, OWNERS, lambda: owners_pages(app))  # type: ignore[method-assign]
    app.wsgi_app = Hosts(app.wsgi_app, settings, failures.refusing(app), reports_of(app))  # type: ignore[method-assign]
    app.wsgi_app = Front(app.wsgi_app, settings, _knows(app))  # type: ignore[method-assign]
    if settings.log_level == "info":
        app.wsgi_app = access.Access(app.wsgi_app)  # type: ignore[method-assign]
    if work:
        parts.store.guard()
        _start(worker)
    return app


def owners_pages(app: Flask) -> Flask:
    """The pages under /admin: an application of its own over the parts of `app`, as no other page needs what it
    loads."""
    from checkout import admin

    parts: Parts = app.extensions["checkout"]
    made = _bare(app.extensions, parts.settings)
    pages.furnish(made)
    made.register_blueprint(admin.blueprint())
    app.extensions["checkout.admin"] = made
    return made


def _bare(extensions: dict[str, Any], settings: Settings) -> Flask:
    """An application without routes. `extensions` may be shared: what is registered there by one application, both
    have."""
    app = Flask("checkout", template_folder=str(resource_dir("templates")), static_folder=str(resource_dir("static")))
    app.config.update(MAX_CONTENT_LENGTH=1_000_000, MAX_FORM_MEMORY_SIZE=MAX_BODY, MAX_FORM_PARTS=64)
    app.extensions = extensions
    live.heed(app)
    if settings.log_level == "info":
        access.install(app)
    failures.install(app)
    app.after_request(_headers)
    return app


def wire(
    settings: Settings, *, clock: Clock = ids.now, new_id: NewId = ids.new_id, send: Send | None = None
) -> tuple[Parts, Worker]:
    """Makes every part and gives it what it needs; the command line uses the same."""
    gates, strangers = channels.make_channels(settings), Strangers()
    db_store, dialects = open_store(settings.database, serving=True), protocols.dialects()
    client = Client(
        allow_private=settings.allow_private,
        ports=frozenset(settings.callback_ports),
        user_agent=f"Checkout/{__version__}",
    )
    worker = Worker(
        db_store, dialects, client.exchange, clock,
        channels=gates, new_id=new_id, site=settings.base_url, chores=chores.of(settings, db_store, strangers),
    )  # fmt: skip
    parts = Parts(
        settings, rules_of(settings), db_store, dialects, clock, new_id, send or client.send,
        worker.wake, worker.at_once, gates, strangers=strangers, pace=_pace(settings, db_store),
    )  # fmt: skip
    return parts, worker


def _pace(settings: Settings, db_store: Store) -> Pace:
    """Who asks too often is known to all servers on one PostgreSQL; on a file of its own a process counts alone."""
    if settings.is_postgres and settings.secret:
        return Pace(sharing.drawing(db_store, settings.secret))
    return Pace()


def _knows(app: Flask) -> Callable[[str], bool]:
    """Whether a path leads to one of the routes, by whatever method."""
    routes = app.url_map.bind("")

    def knows(path: str) -> bool:
        return is_below(path, OWNERS) or bool(routes.allowed_methods(path))

    return knows


def _start(worker: Worker) -> None:
    """Starts the loop. Where gunicorn loads us before it forks, it must run in the workers and not in the master."""
    from_worker = type(getattr(signal.getsignal(signal.SIGTERM), "__self__", None)).__module__.startswith("gunicorn.")
    if from_worker or "gunicorn.arbiter" not in sys.modules:
        worker.start()
    os.register_at_fork(after_in_child=worker.start)


def _register(app: Flask) -> None:
    for dialect in app.extensions["checkout"].dialects.values():
        app.register_blueprint(dialect.routes())
    monitors = (vmq_app.routes(), smsforwarder.routes(), generic.routes())
    ours = (health.blueprint(), metrics.blueprint(), channel_routes.routes())
    for blueprint in (*ours, *monitors, *pages.blueprints()):
        app.register_blueprint(blueprint)


def _headers(answer: Response) -> Response:
    """Reads the names in one pass: asking for each header takes three times as long, on every request."""
    given = {name.lower() for name, _ in answer.headers}
    for name, value in _SAFE_HEADERS:
        if name.lower() not in given:
            answer.headers.add(name, value)
    return answer

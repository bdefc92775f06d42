"""What the owner edits reaches every process of the server within two seconds, without a restart."""

from __future__ import annotations

import time

from flask import Flask, current_app
from msgspec.structs import replace

from checkout import preferences, store
from checkout.errors import StoreError
from checkout.settings import Settings
from checkout.web import Parts, rules_of

_LOOK_EVERY_S = 2


class _Follower:
    """Keeps the settings of checkout.toml, and knows what has been put before them."""

    def __init__(self, app: Flask, base: Settings) -> None:
        self._app, self.base = app, base
        self._edited: dict[str, str] = {}
        self._look_at = 0.0

    def look(self) -> None:
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY_S
        self.take_over()

    def take_over(self) -> None:
        parts: Parts = self._app.extensions["checkout"]
        try:
            with parts.store.read() as db:
                edited = store.preferences.all_of(db)
        except StoreError:
            return  # what is known still holds; the request itself will say what is wrong
        if edited != self._edited:
            settings = preferences.with_edits(self.base, edited)
            self._app.extensions["checkout"] = replace(parts, settings=settings, rules=rules_of(settings))
            self._edited = edited


def install(app: Flask, base: Settings) -> None:
    app.extensions["checkout.live"] = _Follower(app, base)


def heed(app: Flask) -> None:
    """From now on each request of `app` is answered by the settings as they are at that moment."""
    app.before_request(lambda: follow(app))


def follow(app: Flask) -> None:
    """Called before a request: takes over what was edited, in whatever process. It costs next to nothing, except once
    in two seconds."""
    follower: _Follower = app.extensions["checkout.live"]
    follower.look()


def from_file() -> Settings:
    """The settings as checkout.toml and the environment have them."""
    follower: _Follower = current_app.extensions["checkout.live"]
    return follower.base


def take_over() -> None:
    """Applies in this process at once what was just edited."""
    follower: _Follower = current_app.extensions["checkout.live"]
    follower.take_over()

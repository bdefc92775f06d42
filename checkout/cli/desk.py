"""What every command works with: the settings, the database, the clock, and who is asking."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from checkout import ids

if TYPE_CHECKING:
    from checkout.interfaces import Clock, NewId, Store
    from checkout.settings import Settings


class By(TypedDict):
    """What the rules note beside a change made by hand."""

    actor: str
    new_id: NewId
    now: int


class Desk:
    """Opens nothing before it is needed; a command's first use of the store creates and migrates it."""

    def __init__(
        self, environ: Mapping[str, str] = os.environ, cwd: Path | None = None, clock: Clock = ids.now,
        new_id: NewId = ids.new_id,
    ) -> None:  # fmt: skip
        self.environ = environ
        self.cwd = cwd or Path.cwd()
        self.clock = clock
        self.new_id = new_id

    @cached_property
    def settings(self) -> Settings:
        from checkout.settings import load  # each part is loaded when a command asks for it: --version needs none

        return load(self.environ, self.cwd)

    @cached_property
    def preferred(self) -> Settings:
        """The settings with what the owner has edited by browser before them: what the server goes by."""
        from checkout import preferences

        return preferences.applied(self.store, self.settings)

    @cached_property
    def store(self) -> Store:
        from checkout.store import open_store

        return open_store(self.settings.database)

    @property
    def by(self) -> By:
        """Reads the clock: once per command."""
        return By(actor=f"cli:{_user()}", new_id=self.new_id, now=self.clock())

    def close(self) -> None:
        if "store" in self.__dict__:
            self.store.close()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no name for this user id, as in many containers
        return f"uid-{os.getuid()}"

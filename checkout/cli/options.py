"""Options that several commands have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Command = Callable[..., None]


def options(common: Iterable[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """Gives a command the options (`click.option`), listed in its help in this order."""

    def add(command: Command) -> Command:
        for option in reversed([*common]):
            command = option(command)
        return command

    return add

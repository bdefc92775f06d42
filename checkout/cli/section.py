"""How a group of commands lists them."""

from __future__ import annotations

import click


class Section(click.Group):
    """In the order of their definition, the first step first, and no line cut off."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from checkout.cli import help as texts

        found = ((name, texts.found(self, ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(name, texts.in_short(command)) for name, command in found if command])

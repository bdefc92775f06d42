"""The command line. One module for each noun; each is loaded when its command is called first."""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper

import click

from checkout import __version__
from checkout.cli.desk import Desk
from checkout.errors import Refusal, SettingsError, StoreError

# command → the module of this package that defines it, under the command's name
COMMANDS = {
    "serve": "server",
    "demo": "demos",
    "worker": "server",
    "migrate": "server",
    "admin": "owner",
    "merchant": "merchants",
    "key": "keys",
    "account": "accounts",
    "code": "accounts",
    "product": "products",
    "device": "devices",
    "order": "orders",
    "payment": "payments",
    "refund": "refunds",
    "claim": "claims",
    "delivery": "deliveries",
    "webhook": "hooks",
    "alert": "alerts",
    "top": "top",
    "doctor": "upkeep",
    "backup": "upkeep",
    "restore": "upkeep",
    "export": "upkeep",
    "move": "move",
    "import": "imports",
    "install": "machine",
    "upgrade": "machine",
    "completion": "help",
    "man": "manual",
}


# command → the name of its function, where Python has that word for itself
_NAMED = {"import": "import_"}


class Commands(click.Group):
    """Knows its commands by name before their modules are loaded: the server starts faster for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"checkout.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, _NAMED.get(cmd_name, cmd_name))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from checkout.cli import help as texts

        texts.write_commands(self, ctx, formatter)
        texts.write_end(formatter)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="checkout")
@click.pass_context
def cli(context: click.Context) -> None:
    """A checkout for people who are paid by personal WeChat and Alipay QR codes.

    Settings: ./checkout.toml and CHECKOUT_… variables. Each command has its own --help, and most take --json.
    """
    desk = context.ensure_object(Desk)
    context.call_on_close(desk.close)


def main(arguments: list[str] | None = None, desk: Desk | None = None) -> None:
    """Runs a command and exits: 0 done, 1 refused (one sentence on stderr), 2 wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names and QR codes on a terminal that is not UTF-8
    try:
        cli(args=arguments, prog_name="checkout", obj=desk)
    except (Refusal, StoreError, SettingsError) as error:
        click.echo(f"checkout: {error}", err=True)
        sys.exit(1)

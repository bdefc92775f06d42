"""checkout completion, and how the long list of commands is put in order."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
from click.shell_completion import get_completion_class

GROUPS = {
    "Run it": ("serve", "demo", "worker", "top"),
    "Set it up": ("account", "code", "merchant", "key", "device", "product", "admin", "webhook", "import"),
    "Every day": ("order", "payment", "refund", "claim", "delivery", "alert"),
    "Look after it": ("doctor", "backup", "restore", "export", "migrate", "move", "install", "upgrade"),
    "Your terminal": ("completion", "man"),
}
EXAMPLES = (
    ("checkout demo", "a shop, a checkout and a simulated phone, here and now"),
    ("checkout account add wx-main --method wechat --code wechat.png", "where the money goes"),
    ("checkout device add phone-1", "what reports it"),
    ('checkout merchant add "My shop" --notify-url https://shop.example.com/notify', "who is told"),
    ("checkout doctor", "what is still missing, and what to do about it"),
)
EXIT_CODES = (
    ("0", "done"),
    ("1", "refused, or something must be put right: one sentence on the standard error says what"),
    ("2", "wrong usage"),
)
_SHELLS = ("bash", "zsh", "fish")


def write_commands(group: click.Group, context: click.Context, formatter: click.HelpFormatter) -> None:
    """All commands by what they are for, each with its line of help."""
    for title, names in groups(group, context):
        rows = [(name, in_short(command)) for name in names if (command := found(group, context, name))]
        with formatter.section(title):
            formatter.write_dl(rows)


def write_end(formatter: click.HelpFormatter) -> None:
    with formatter.section("The ten-minute road"):
        formatter.write_dl(EXAMPLES)
    with formatter.section("Exit codes"):
        formatter.write_dl(EXIT_CODES)


def groups(group: click.Group, context: click.Context) -> Iterator[tuple[str, list[str]]]:
    """Titles with the names of their commands; what nobody has put in order comes last."""
    left = set(group.list_commands(context))
    for title, names in GROUPS.items():
        yield title, [name for name in names if name in left]
        left -= set(names)
    if left:
        yield "More", sorted(left)


def in_short(command: click.Command) -> str:
    """Its first sentence up to the first break, so that nothing is cut off in the middle."""
    return re.split(r"[;:.] |\.$", command.get_short_help_str(1000), maxsplit=1)[0]


def found(group: click.Group, context: click.Context, name: str) -> click.Command | None:
    command = group.get_command(context, name)
    return None if command is None or command.hidden else command


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what completes commands in your SHELL.

    \b
    bash: checkout completion bash > ~/.local/share/bash-completion/completions/checkout
    zsh:  checkout completion zsh > "${fpath[1]}/_checkout"
    fish: checkout completion fish > ~/.config/fish/completions/checkout.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "checkout", "_CHECKOUT_COMPLETE").source())

"""checkout man: the manual page, made from the commands themselves (mdoc, https://man.openbsd.org/mdoc.7)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from checkout import __version__
from checkout.cli.help import EXAMPLES, EXIT_CODES, found, groups

_HEAD = f""".Dd $Mdocdate$
.Dt CHECKOUT 1
.Os
.Sh NAME
.Nm checkout
.Nd paid by personal WeChat and Alipay QR codes
.Sh SYNOPSIS
.Nm
.Ar command
.Op Ar arguments
.Sh DESCRIPTION
Every waiting order gets an amount that no other has; a phone reports the money; the shop is told.
This is version {__version__}.
"""
_TAIL = """.Sh ENVIRONMENT
.Bl -tag -width Ds
.It Ev CHECKOUT_CONFIG
The file with the settings; without it
.Pa ./checkout.toml .
.It Ev CHECKOUT_DATABASE , CHECKOUT_BASE_URL , ...
Each setting in capitals; it goes before the file.
.El
"""


@click.command()
@click.pass_context
def man(context: click.Context) -> None:
    """Print the manual page: checkout man | man -l -"""
    root = context.find_root().command
    assert isinstance(root, click.Group)
    click.echo(page(root), nl=False)


def page(root: click.Group) -> str:
    context = click.Context(root, info_name="checkout")
    lines = [_HEAD]
    for title, names in groups(root, context):
        lines.append(f".Ss {_plain(title)}\n.Bl -tag -width Ds\n")
        for name in names:
            if command := found(root, context, name):
                lines += _commands(command, context, name)
        lines.append(".El\n")
    lines += [
        _TAIL,
        ".Sh EXIT STATUS\n.Bl -tag -width Ds\n",
        *(_item(code, what) for code, what in EXIT_CODES),
        ".El\n",
    ]
    lines += [".Sh EXAMPLES\n.Bl -tag -width Ds\n", *(_item(line, what) for line, what in EXAMPLES), ".El\n"]
    return "".join(lines)


def _commands(command: click.Command, above: click.Context, name: str) -> Iterator[str]:
    """The command, or each of those below it."""
    context = click.Context(command, info_name=name, parent=above)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            if one := found(command, context, below):
                yield from _commands(one, context, f"{name} {below}")
        return
    arguments = [part.make_metavar(context) for part in command.params if isinstance(part, click.Argument)]
    yield _item(" ".join([name, *arguments]), command.get_short_help_str(1000))
    options = [record for part in command.params if (record := part.get_help_record(context))]
    if options:
        yield ".Bl -tag -width Ds -compact\n"
        yield from (_item(usage, what) for usage, what in options)
        yield ".El\n"


def _item(what: str, told: str) -> str:
    words = " ".join("\\&" + word.replace('"', "\\(dq") for word in _plain(what).split(" "))
    sentences = re.sub(r"(?<=\w[.:;]) (?=\S)", "\n\\\\&", _plain(told))
    return f".It {words}\n\\&{sentences}\n"


def _plain(text: str) -> str:
    """On one line, and without what roff takes for its own."""
    return re.sub(r"\s+", " ", text).strip().replace("\\", "\\e")

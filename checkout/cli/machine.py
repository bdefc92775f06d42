"""checkout install and upgrade: the program on a server."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import click

from checkout import install as installing
from checkout import machine as machines
from checkout import upgrade as upgrading
from checkout.cli.desk import Desk
from checkout.cli.output import next_steps
from checkout.errors import Code, Refusal


@click.command()
@click.option("--base-url", metavar="URL", help="The address that buyers and phones use.")
@click.option("--shop-name", metavar="NAME", help="Shown to buyers.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="On 127.0.0.1.")
@click.option("--no-start", is_flag=True, help="Write everything, start nothing.")
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def install(base_url: str | None, shop_name: str | None, port: int, no_start: bool, dry_run: bool, yes: bool) -> None:
    """Make a systemd service of this one-file program: user, folders, settings, unit. It asks first.

    The program goes to /opt/checkout, the settings to /etc/checkout/checkout.toml, the data to /var/lib/checkout. As
    root; --dry-run shows every step and file before.

    \b
    sudo ./checkout install --base-url https://pay.example.com
    """
    machine, source = machines.Machine(), machines.source()
    if yes and base_url is None:
        raise Refusal(Code.BAD_REQUEST, "With --yes nothing is asked, so say --base-url https://pay.example.com.")
    wish = installing.Wish(
        base_url=base_url or click.prompt("The address of this checkout (https://pay.example.com)"),
        shop_name=shop_name or ("Checkout" if yes else click.prompt("The name of your shop", default="Checkout")),
        port=port, start=not no_start,
    )  # fmt: skip
    wish = installing.checked(wish)
    installing.refuse(machine, wish, only_printed=dry_run)
    steps = list(installing.steps(machine, source, wish))
    for step in steps:
        click.echo(f"· {step.what}")
        if dry_run and step.text:
            click.echo("\n".join(f"    {line}" for line in step.text.splitlines()))
    if dry_run:
        click.echo("Nothing was done: --dry-run.")
        return
    machines.must_be_root()
    if not yes:
        click.confirm("Do this?", default=True, abort=True)
    for step in steps:
        step.do()
    click.echo(f"Checkout is installed and listens on 127.0.0.1:{port}." if wish.start else "Checkout is installed.")
    next_steps(False, "a proxy with https in front (docs/deploy)", "checkout account add …", "checkout doctor")


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--back", is_flag=True, help="Undo the latest upgrade.")
@click.option("--restore", is_flag=True, help="With --back: return to the backup if the database has changed.")
@click.pass_obj
def upgrade(desk: Desk, file: Path | None, back: bool, restore: bool) -> None:
    """Put a newer one-file program in the place of the installed one: FILE, or the program that runs this.

    The server stops for some seconds. A backup is made first (on PostgreSQL: if the tables change); when anything
    fails, the former program starts again.
    """
    if file is not None and not back:
        _hand_over(file.absolute())
    machines.must_be_root()
    machine = machines.Machine()
    for number in (signal.SIGHUP, signal.SIGINT):  # an ssh connection that breaks must not leave the shop half upgraded
        signal.signal(number, signal.SIG_IGN)
    if back:
        done = upgrading.back(machine, restore=restore)
        click.echo(f"{done.before} runs again.")
    else:
        done = upgrading.upgrade(machine, machines.source(), desk.clock())
        kept = f"The database before it: {done.backup}" if done.backup else "Its tables are what they were."
        click.echo(f"{done.after} runs now. {kept}")
        next_steps(False, "checkout doctor", "checkout upgrade --back (if something is wrong)")


def _hand_over(program: Path) -> None:
    """The new program knows best how to put itself in place."""
    with suppress(OSError):
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("_PYI_", "_MEI"))}
        os.execve(program, [str(program), "upgrade"], environ)  # noqa: S606
    raise Refusal(Code.BAD_REQUEST, f"{program} cannot be run: is it the one-file program for this machine? chmod +x.")

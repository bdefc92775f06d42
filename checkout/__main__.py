"""The `checkout` command, also as `python -m checkout`."""

from __future__ import annotations

import sys


def main() -> None:
    """A server's first process is one that watches: it leaves the command line to those that it starts."""
    if sys.argv[1:2] == ["serve"]:
        from checkout.server import supervisor

        sys.exit(supervisor.run(_command))
    _command()


def _command() -> None:
    from checkout.cli import main

    main()


if __name__ == "__main__":
    main()

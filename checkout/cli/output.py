"""How commands answer: one JSON value, or short aligned tables; hints and warnings go to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from unicodedata import east_asian_width

import click

from checkout.beijing import in_beijing

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON value and nothing else.")


def show(data: object, as_json: bool, human: Callable[[], str]) -> None:
    """Prints `data` as JSON, or what `human` makes for people."""
    if as_json:
        is_unicode = (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "") == "utf8"
        click.echo(json.dumps(data, ensure_ascii=not is_unicode, indent=2))
    else:
        click.echo(human())


def warn(sentence: str) -> None:
    click.echo(f"Note: {sentence}", err=True)


def next_steps(as_json: bool, *commands: str) -> None:
    """What usually comes next; silent for scripts."""
    if not as_json:
        for command in commands:
            click.echo(f"Next: {command}", err=True)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> str:
    """Columns aligned by what terminals show (a Chinese character takes two cells)."""
    cells = [["" if cell is None else plain(str(cell)) for cell in row] for row in rows]
    if not cells:
        return empty
    lines = [list(heads), *cells]
    widths = [max(width(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(_line(line, widths) for line in lines)


def details(pairs: Iterable[tuple[str, object]]) -> str:
    """`name  value` lines; what is empty is left out."""
    kept = [(name, _lines(str(value))) for name, value in pairs if value not in (None, "")]
    longest = max(width(name) for name, _ in kept)
    return "\n".join(_line([name, value], [longest, 0]) for name, value in kept)


def plain(text: str) -> str:
    """What others wrote, without what would move the cursor, colour the terminal or turn the line around."""
    return "".join(char if char.isprintable() or char == "\u3000" else "\ufffd" for char in text)


def when(at: int | None) -> str:
    """Unix seconds as Beijing time, like the pages, the spreadsheets and the bills of WeChat and Alipay."""
    return in_beijing(at) if at is not None else ""


def yes(value: Any) -> str:
    return "yes" if value else "no"


def _lines(text: str) -> str:
    return "\n".join(map(plain, text.split("\n")))


def _line(cells: list[str], widths: list[int]) -> str:
    padded = (cell + " " * (wide - width(cell)) for cell, wide in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def width(text: str) -> int:
    """The cells that a terminal gives a text."""
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
